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
from server.ingest.queue_file import Record, Submission, open_database
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


async def test_a_fault_while_one_is_answered_is_not_its_neighbours(queue: Queue) -> None:
    """They share a commit, after which all are told in one turn of the loop."""

    def fail_to_answer(_: Unavailable | None) -> None:
        raise ValueError("nobody foresaw this")

    loop = asyncio.get_running_loop()
    queue.submit_soon(Submission([Record("default", make_id(), b"{}")]), loop, fail_to_answer)
    answered = asyncio.wait_for(queue.submit(Submission([Record("default", make_id(), b"{}")])), 5)

    assert await answered == [True]
    assert queue.commits == 1


@pytest.mark.parametrize("opened", range(4))
def test_a_file_that_cannot_be_opened_for_any_of_its_users_is_a_start_that_fails(
    tmp_path: Path, opened: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened by the committer itself, it was the silent end of it: every request waited for ever."""
    left = [None] * opened

    def open_later(path: Path) -> sqlite3.Connection:
        if not left:
            raise sqlite3.OperationalError("unable to open database file")
        left.pop()
        return open_database(path)

    monkeypatch.setattr(queue_module, "open_database", open_later)
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        Queue(tmp_path / "queue.sqlite")


def test_who_asks_for_a_change_after_the_end_is_told_so(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "queue.sqlite")
    queue.close()
    told: list[Unavailable] = []
    thread = threading.Thread(target=ask, args=(queue, told), daemon=True)
    thread.start()
    thread.join(10)
    assert [str(each) for each in told] == ["The server is stopping."]


def ask(queue: Queue, told: list[Unavailable]) -> None:
    """Collect what is raised: who waits for ever must not keep the tests from ending."""
    try:
        queue.perform(lambda _: None)
    except Unavailable as error:
        told.append(error)


async def test_what_comes_while_the_committer_ends_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request was let in just before the end, and is in the row just after the committer looked there last."""
    queue = Queue(tmp_path / "queue.sqlite")
    put = queue._put

    def close_first(submission: Submission) -> None:
        queue.close()
        put(submission)

    monkeypatch.setattr(queue, "_put", close_first)
    with pytest.raises(Unavailable, match="stopping"):
        await asyncio.wait_for(queue.submit(Submission([Record("default", make_id(), b"{}")])), 10)
