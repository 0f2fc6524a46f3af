"""What was deleted is overwritten in steps, between which others commit; whatever stops it, the next time ends it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from server.errors import Unavailable
from server.ingest import checkpoints, scrubbing
from server.ingest.backup import _copy_queue
from server.ingest.queue import Queue
from server.ingest.queue_file import Record, Submission, forget_stored
from tests.factories import make_id

CANARY = b"CANARY--"
EVENTS = 40
EVENT_BYTES = 50_000
CHUNK_BYTES = 64 * 1024
STEPS = EVENTS * EVENT_BYTES // CHUNK_BYTES
PARTS = ("fill_some", "fill_rest", "give_back")


@pytest.fixture
async def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Queue:
    """Return a queue of before pages that are freed were overwritten, without a thread that moves the log."""
    monkeypatch.setattr(checkpoints, "PERIOD_S", 3600.0)
    monkeypatch.setattr(checkpoints, "LOG_BYTES", 2 * CHUNK_BYTES)
    monkeypatch.setattr(scrubbing, "FILL_BYTES", CHUNK_BYTES)
    opened = Queue(tmp_path / "queue.sqlite")
    await opened.submit(Submission([Record("default", make_id(), CANARY * (EVENT_BYTES // 8)) for _ in range(EVENTS)]))
    opened.perform(forget_all)
    opened._checkpoints.empty_log()
    assert CANARY in opened.path.read_bytes()
    return opened


@pytest.fixture(autouse=True)
def _closed(queue: Queue) -> Iterator[None]:
    yield
    queue.close()


def forget_all(database: sqlite3.Connection) -> None:
    database.execute("pragma secure_delete = fast")
    forget_stored(database, EVENTS)
    database.execute("pragma secure_delete = on")


def bytes_on_disk(queue: Queue) -> bytes:
    return b"".join(each.read_bytes() for each in queue.path.parent.glob("queue.sqlite*"))


def has_table(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("select 1 from sqlite_schema where name = 'scrub'").fetchone() is not None


def test_no_byte_stays_in_the_file_or_its_log_and_no_table(queue: Queue) -> None:
    queue.scrub()
    assert CANARY not in bytes_on_disk(queue)
    assert not has_table(queue.path)


def test_it_is_many_commits_and_the_log_stays_short(queue: Queue) -> None:
    """Who waits is answered with the next of them."""
    log_file = queue.path.with_name(queue.path.name + "-wal")
    sizes: list[int] = []
    before = queue.commits
    queue.on_commit(lambda: sizes.append(log_file.stat().st_size))
    queue.scrub()
    assert queue.commits - before >= STEPS
    assert max(sizes) < EVENTS * EVENT_BYTES / 2


async def test_events_that_take_and_free_pages_meanwhile_are_kept_and_do_not_hinder_it(queue: Queue) -> None:
    other = Queue(queue.path, is_shared=True)
    numbers = list(range(STEPS))

    def meddle(database: sqlite3.Connection) -> None:
        database.execute("insert into waiting (event) values (zeroblob(9000))")  # which fills its pages
        database.execute("delete from waiting where seq in (select max(seq) - 3 from waiting)")

    def go_on() -> None:
        if numbers:
            numbers.pop()
            other.change(meddle)

    queue.on_commit(go_on)
    queue.scrub()
    assert not numbers
    other.close()
    queue._checkpoints.empty_log()
    assert CANARY not in bytes_on_disk(queue)
    assert not has_table(queue.path)
    with closing(sqlite3.connect(queue.path)) as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("part", PARTS)
def test_a_fault_on_the_way_leaves_what_the_next_time_ends(
    queue: Queue, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(scrubbing, part)
    calls: list[None] = []

    def fail_at_second(database: sqlite3.Connection) -> bool | None:
        calls.append(None)
        if len(calls) > 1 or part == "fill_rest":
            raise sqlite3.OperationalError("disk I/O error")
        done: bool | None = real(database)
        return done

    with monkeypatch.context() as patch:
        patch.setattr(f"server.ingest.queue.{part}", fail_at_second)
        with pytest.raises(Unavailable):
            queue.scrub()
    assert has_table(queue.path)
    queue.scrub()
    assert CANARY not in bytes_on_disk(queue)
    assert not has_table(queue.path)


def test_a_backup_that_is_made_meanwhile_holds_no_table_of_zeros(queue: Queue, tmp_path: Path) -> None:
    queue.perform(scrubbing.fill_some)
    _copy_queue(queue.path, tmp_path / "copy.sqlite")
    assert not has_table(tmp_path / "copy.sqlite")


async def test_a_page_that_is_used_again_keeps_nothing_of_before(tmp_path: Path) -> None:
    """Behind the end of what does not fill it; no overwriting of free pages reaches that."""
    with closing(Queue(tmp_path / "another.sqlite")) as queue:
        await queue.submit(Submission([Record("default", make_id(), CANARY * 750)]))
        queue.perform(lambda database: forget_stored(database, 1))
        await queue.submit(Submission([Record("default", make_id(), b"x" * 4_300)]))
        queue.scrub()
        assert CANARY not in queue.path.read_bytes()
