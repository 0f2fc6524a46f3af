"""The committer survives what goes wrong in it, and finds out by itself when it is over."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import pytest

from server.errors import Unavailable
from server.ingest import checkpoints, queue_file
from server.ingest import queue as queue_module
from server.ingest.queue import Queue
from server.ingest.queue_file import Record, Submission
from tests.factories import make_id


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    monkeypatch.setattr(queue_module, "PROBE_S", 0.01)
    opened = Queue(tmp_path / "queue.sqlite")
    yield opened
    opened.close()


def fail(_: sqlite3.Connection) -> None:
    raise ValueError("nobody foresaw this")


async def test_a_fault_in_a_commit_is_an_answer_and_not_the_committers_end(queue: Queue) -> None:
    with pytest.raises(Unavailable, match="nobody foresaw this"):
        await queue.submit(Submission((), work=fail))

    assert await queue.submit(Submission([Record("default", make_id(), b"{}")])) == [True]


async def test_the_queue_is_well_again_without_any_request_when_the_fault_is_over(queue: Queue) -> None:
    with pytest.raises(Unavailable):
        await queue.submit(Submission((), work=fail))
    committed = threading.Event()
    queue.on_commit(committed.set)

    assert committed.wait(10)
    assert queue.last_error is None


async def test_a_fault_of_one_submission_is_not_its_neighbours(queue: Queue) -> None:
    """All are committed together: a lone surrogate, which no text column takes, stops only what it came with."""
    good = [Submission([Record("default", make_id(), b"{}")]) for _ in range(4)]
    bad = Submission([Record("default", "\ud800", b"{}")])
    outcomes = await asyncio.gather(
        *(queue.submit(each) for each in [*good[:2], bad, *good[2:]]), return_exceptions=True
    )
    assert [outcome == [True] for outcome in outcomes] == [True, True, False, True, True]
    assert isinstance(outcomes[2], Unavailable)
    assert queue.counts().accepted == 4


async def test_the_log_is_moved_into_the_file_beside_the_commits_and_stays_short(
    queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps its size, and begins again: five times as much goes into it as it is long."""
    log_file = tmp_path / "queue.sqlite-wal"
    monkeypatch.setattr(checkpoints, "LOG_BYTES", 100_000)
    for _ in range(5):
        for _ in range(20):
            await queue.submit(Submission([Record("default", make_id(), b"x" * 100_000)]))
        queue._checkpoints.run_if_due()
    assert log_file.stat().st_size < 3_000_000
    assert (tmp_path / "queue.sqlite").stat().st_size > 10_000_000
    assert queue.counts().accepted == 100


async def test_a_log_that_grew_while_it_could_not_begin_again_is_cut_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_file, "MAX_LOG_FILE_BYTES", 1_000_000)
    monkeypatch.setattr(checkpoints, "LOG_BYTES", 100_000)
    queue = Queue(tmp_path / "other.sqlite")
    log_file = tmp_path / "other.sqlite-wal"
    with contextlib.closing(queue_file.open_database(queue.path)) as reader:
        reader.execute("begin")
        reader.execute("select count(*) from waiting").fetchone()  # as a backup does: the log is in use
        for _ in range(30):
            await queue.submit(Submission([Record("default", make_id(), b"x" * 100_000)]))
        started = perf_counter()
        queue._checkpoints.run_if_due()
        await queue.submit(Submission([Record("default", make_id(), b"{}")]))
        assert perf_counter() - started < 2  # commits do not wait for the reader
        assert log_file.stat().st_size > 3_000_000
    queue._checkpoints.run_if_due()
    await queue.submit(Submission([Record("default", make_id(), b"{}")]))
    assert log_file.stat().st_size == 1_000_000
    queue.close()
