"""The queue's log: it begins again under steady load, makes no commit wait, and leaves nothing when it is emptied."""

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import pytest

from server.ingest import checkpoints, queue_file
from server.ingest.queue import Queue
from server.ingest.queue_file import Record, Submission, open_database
from server.storage import sqlite_log
from tests.factories import make_id

LOG_BYTES, MAX_BYTES = 100_000, 1_000_000


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    monkeypatch.setattr(checkpoints, "LOG_BYTES", LOG_BYTES)
    monkeypatch.setattr(checkpoints, "PERIOD_S", 60.0)  # a test says when
    monkeypatch.setattr(queue_file, "MAX_LOG_FILE_BYTES", MAX_BYTES)
    opened = Queue(tmp_path / "queue.sqlite")
    yield opened
    opened.close()


def log_bytes(queue: Queue) -> int:
    return queue.path.with_name(queue.path.name + "-wal").stat().st_size


async def fill(queue: Queue, events: int) -> None:
    for _ in range(events):
        await queue.submit(Submission([Record("default", make_id(), b"x" * 100_000)]))


class UnderLoad:
    """The checkpoints' connection; a passive checkpoint does not reach the newest commit, as under steady load."""

    def __init__(self, queue: Queue, database: sqlite3.Connection) -> None:
        self._queue = queue
        self._database = database
        self.close = database.close

    def execute(self, sql: str) -> sqlite3.Cursor:
        if "passive" not in sql:
            return self._database.execute(sql)
        with contextlib.closing(open_database(self._queue.path)) as reader:
            begin_reading(reader)
            self._queue.perform(self._insert)
            return self._database.execute(sql)

    @staticmethod
    def _insert(database: sqlite3.Connection) -> None:
        database.execute("insert into waiting (event) values (?)", (b"meanwhile",))


def begin_reading(database: sqlite3.Connection) -> None:
    """See the log as it is now until the connection is closed, as a backup does."""
    database.execute("begin")
    database.execute("select count(*) from waiting").fetchone()


async def test_the_log_is_moved_into_the_file_beside_the_commits_and_begins_again(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five times as much goes into it as it is long."""
    monkeypatch.setattr(queue._checkpoints, "_database", UnderLoad(queue, queue._checkpoints._database))
    for _ in range(5):
        await fill(queue, 20)
        queue._checkpoints.run_if_due()
    assert log_bytes(queue) < 3_000_000
    assert queue.path.stat().st_size > 10_000_000


async def test_commits_do_not_wait_for_a_reader_of_the_log_and_it_is_cut_afterwards(queue: Queue) -> None:
    with contextlib.closing(open_database(queue.path)) as reader:
        begin_reading(reader)
        await fill(queue, 30)
        started = perf_counter()
        queue._checkpoints.run_if_due()
        await fill(queue, 1)
        assert perf_counter() - started < queue_file.BUSY_TIMEOUT_MS / 2000
        assert log_bytes(queue) > 3_000_000
    queue._checkpoints.run_if_due()
    await fill(queue, 1)
    assert log_bytes(queue) == MAX_BYTES


def test_the_log_is_emptied_once_another_process_has_done_with_it(queue: Queue) -> None:
    """SQLite does not wait for whoever has the lock of checkpoints, byte 121 of the shared memory's file."""
    shared = queue.path.with_name(queue.path.name + "-shm")
    holds = f"""
import fcntl, struct, time
file = open({str(shared)!r}, "r+b")
fcntl.fcntl(file, fcntl.F_SETLK, struct.pack("hhqqi", fcntl.F_WRLCK, 0, 121, 1, 0))
print("held", flush=True)
time.sleep(0.5)
"""
    with subprocess.Popen([sys.executable, "-c", holds], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        queue.scrub()
    assert log_bytes(queue) == 0


def test_emptying_the_log_gives_up_when_it_stays_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer asks, and moves nothing meanwhile: it is as patient as SQLite is, and not for each try."""
    monkeypatch.setattr(queue_file, "BUSY_TIMEOUT_MS", 300)
    monkeypatch.setattr(sqlite_log, "PATIENCE_S", 0.3)
    queue = Queue(tmp_path / "queue.sqlite")
    with contextlib.closing(open_database(queue.path)) as reader:
        begin_reading(reader)
        queue.perform(UnderLoad._insert)
        started = perf_counter()
        with pytest.raises(sqlite3.OperationalError, match="in use"):
            queue.scrub()
        assert perf_counter() - started < 3
    queue.close()
