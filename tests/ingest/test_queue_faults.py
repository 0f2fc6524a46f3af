"""The committer survives what goes wrong in it, and finds out by itself when it is over."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.errors import Unavailable
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
