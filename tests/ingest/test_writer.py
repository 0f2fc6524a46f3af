"""From queue to store: exactly once, whatever fails in between."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from server.events.head import Numbered, read_heads
from server.ingest.queue import Queue
from server.ingest.queue_file import Record, Submission, forget_stored
from server.ingest.rejected import RejectedFilter
from server.ingest.writer import HOLD_BACK_S, Writer
from server.storage.base import StoreRefused
from server.storage.duckdb import DuckDBStore
from tests.conftest import StandingClock
from tests.factories import NOW_MS, make_id, make_record

DAY_MS = 24 * 3600 * 1000


class FaultyStore(DuckDBStore):
    """The real store, with faults on order."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.faults: list[Exception] = []
        self.fails_after_commit = False
        self.poison = b"POISON"
        self.has_failed = threading.Event()

    def append(self, events: Sequence[Numbered], queue_id: str, position: int) -> int:
        if self.faults:
            self.has_failed.set()
            raise self.faults.pop()
        if any(self.poison in line for _, _, line in events):
            raise StoreRefused("poison")
        erased = super().append(events, queue_id, position)
        if self.fails_after_commit:
            self.fails_after_commit = False
            raise OSError("gone after the commit")
        return erased


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FaultyStore]:
    opened = FaultyStore(tmp_path / "events.duckdb")
    yield opened
    opened.close()


@pytest.fixture
def queue(tmp_path: Path, clock: StandingClock) -> Iterator[Queue]:
    opened = Queue(tmp_path / "queue.sqlite", clock=clock)
    yield opened
    opened.close()


def wait_for(claim: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not claim():
        assert time.monotonic() < end
        time.sleep(0.01)


def make_writer(queue: Queue, tmp_path: Path, store: FaultyStore, **changes: Any) -> Writer:
    return Writer(queue, tmp_path / "queue.sqlite", store, **changes)


def ids(store: FaultyStore, parameters: Mapping[str, Any] | None = None) -> list[str]:
    return [row[0] for row in store.query("select id from events order by id", parameters or {})]


async def test_moves_what_was_there_before_it_started_and_what_comes_after(
    queue: Queue, tmp_path: Path, store: FaultyStore
) -> None:
    first, second = make_record(), make_record()
    await queue.submit(Submission([first]))
    writer = make_writer(queue, tmp_path, store)
    writer.start()
    assert writer.wait_until_idle(10)
    await queue.submit(Submission([second]))
    assert writer.wait_until_idle(10)
    writer.close()
    assert ids(store) == sorted([first.event_id, second.event_id])
    assert writer.state.stored == 2


async def test_a_store_that_is_away_for_a_while_loses_and_doubles_nothing(
    queue: Queue, tmp_path: Path, store: FaultyStore
) -> None:
    store.faults = [OSError("away"), OSError("away")]
    writer = make_writer(queue, tmp_path, store)
    writer.start()
    records = [make_record() for _ in range(5)]
    await queue.submit(Submission(records))
    assert store.has_failed.wait(10)
    assert writer.wait_until_idle(10)
    writer.close()
    assert ids(store) == sorted(record.event_id for record in records)
    assert writer.state.last_error is None


async def test_a_commit_whose_answer_was_lost_is_not_repeated(queue: Queue, tmp_path: Path, store: FaultyStore) -> None:
    store.fails_after_commit = True
    records = [make_record() for _ in range(5)]
    await queue.submit(Submission(records))
    for _ in range(2):
        writer = make_writer(queue, tmp_path, store)
        writer.start()
        writer.wait_until_idle(10)
        writer.close()
    assert ids(store) == sorted(record.event_id for record in records)


async def test_what_a_killed_process_has_moved_is_counted_at_the_next_start(
    queue: Queue, tmp_path: Path, store: FaultyStore
) -> None:
    """It died between the store's commit and the queue's; nothing new has to come for the accounts to be right."""
    known = make_record()
    await queue.submit(Submission([known]))
    store.append(read_heads([(1, known.event)]), queue.queue_id, 1)
    writer = make_writer(queue, tmp_path, store)
    writer.start()
    writer.close()
    counts = queue.counts()
    assert (ids(store), counts.stored, counts.waiting) == ([known.event_id], 1, 0)


async def test_an_event_that_the_store_refuses_moves_aside_and_the_rest_goes_on(
    queue: Queue, tmp_path: Path, store: FaultyStore
) -> None:
    records = [make_record(name="POISON" if number == 3 else "x") for number in range(8)]
    await queue.submit(Submission(records))
    writer = make_writer(queue, tmp_path, store)
    writer.start()
    assert writer.wait_until_idle(10)
    writer.close()
    assert ids(store) == sorted(record.event_id for record in records if b"POISON" not in record.event)
    await queue.submit(Submission(()))
    (rejected,) = queue.list_rejected(RejectedFilter(), 10)
    assert (rejected["event_id"], rejected["code"]) == (records[3].event_id, "store_refused")
    assert rejected["payload"] == records[3].event
    assert queue.counts().queued == 0


@pytest.mark.parametrize("is_away", [False, True])
async def test_who_is_far_ahead_waits_for_the_writer_but_not_for_a_store_that_is_away(
    queue: Queue, tmp_path: Path, store: FaultyStore, monkeypatch: pytest.MonkeyPatch, *, is_away: bool
) -> None:
    monkeypatch.setattr("server.ingest.reading.MAX_BATCH_EVENTS", 10)
    monkeypatch.setattr("server.ingest.writer.FAR_BEHIND", 20)
    held: list[float] = []
    hold_back = queue.hold_back

    def note(seconds: float) -> None:
        held.append(seconds)
        hold_back(seconds)
        if is_away and seconds:
            store.faults.append(OSError("away"))

    monkeypatch.setattr(queue, "hold_back", note)
    await queue.submit(Submission([make_record() for _ in range(55)]))
    writer = make_writer(queue, tmp_path, store)
    writer.start()
    assert writer.wait_until_idle(10)
    writer.close()
    assert held == ([HOLD_BACK_S, 0.0] * 3 if is_away else [HOLD_BACK_S] * 3 + [0.0])
    assert len(ids(store)) == 55


@pytest.mark.parametrize(
    "line",
    [
        b'{"id": "x", "time": "no number"}',
        b'{"id": "x", "site": "default", "name": "n", "time": 1, "received_at": "no number"}',
        b'{"id": "x", "site": "default", "time": 1}',
        b"no",
    ],
)
async def test_only_what_is_broken_is_set_aside(queue: Queue, tmp_path: Path, store: FaultyStore, line: bytes) -> None:
    broken = Record("default", make_id(), line)
    good = make_record()
    await queue.submit(Submission([broken, good]))
    writer = make_writer(queue, tmp_path, store)
    writer.start()
    assert writer.wait_until_idle(10)
    writer.close()
    assert ids(store) == [good.event_id]
    assert writer.state.set_aside == 1


@pytest.mark.parametrize("can_fold", [True, False])
async def test_retention_removes_older_events_whether_or_not_the_rest_can_be_folded(
    queue: Queue,
    tmp_path: Path,
    store: FaultyStore,
    clock: StandingClock,
    monkeypatch: pytest.MonkeyPatch,
    *,
    can_fold: bool,
) -> None:
    if not can_fold:
        monkeypatch.setattr(store, "fold", lambda _: store.query("select no_such_column", {}))
    young, old = make_record(), make_record(time=NOW_MS - 31 * DAY_MS)
    await queue.submit(Submission([young, old]))
    writer = make_writer(queue, tmp_path, store, retention_days=30, clock=clock)
    writer.start()
    assert writer.wait_until_idle(10)
    writer.close()
    assert ids(store) == [young.event_id]


async def test_the_hourly_work_goes_on_after_the_clock_was_ahead(
    queue: Queue, tmp_path: Path, store: FaultyStore, clock: StandingClock
) -> None:
    clock.now_ms = NOW_MS + 3650 * DAY_MS
    writer = make_writer(queue, tmp_path, store, retention_days=30, clock=clock)
    writer.start()
    assert writer.wait_until_idle(10)
    await asyncio.to_thread(wait_for, lambda: writer._housekeeping_due_ms > 0)
    clock.now_ms = NOW_MS
    young, old = make_record(), make_record(time=NOW_MS - 31 * DAY_MS)
    await queue.submit(Submission([young, old]))
    assert writer.wait_until_idle(10)
    writer.close()
    assert ids(store) == [young.event_id]


@pytest.mark.parametrize(("days", "is_new"), [(34, False), (37, True)])
async def test_ids_are_kept_for_as_long_as_was_promised(
    queue: Queue, tmp_path: Path, store: FaultyStore, clock: StandingClock, days: int, *, is_new: bool
) -> None:
    """35 days: docs/reliability.md."""
    known = make_record()
    await queue.submit(Submission([known]))
    clock.now_ms += days * DAY_MS
    writer = make_writer(queue, tmp_path, store, clock=clock)
    for _ in range(2):
        writer._keep_house()
    queue.perform(lambda _: None)
    assert await queue.submit(Submission([known])) == [is_new]
    writer.start()
    writer.close()


async def test_the_end_of_a_backup_makes_the_queue_forget_only_what_was_told(
    queue: Queue, tmp_path: Path, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is stored and not told yet is told again after a fault, and is found in the queue alone."""
    writer = make_writer(queue, tmp_path, store)
    is_telling, may_end = threading.Event(), threading.Event()

    def tell(_: object) -> None:
        is_telling.set()
        assert may_end.wait(10)

    monkeypatch.setattr(writer._telling, "tell", tell)
    await queue.submit(Submission([make_record()]))
    with writer.keeping():
        writer.start()
        assert await asyncio.to_thread(is_telling.wait, 10)
    queue.perform(lambda _: None)
    assert (len(ids(store)), queue.counts().waiting) == (1, 1)
    may_end.set()
    assert writer.wait_until_idle(10)
    writer.close()
    queue.perform(lambda _: None)
    assert queue.counts().waiting == 0


async def test_what_is_stored_is_forgotten_in_steps_that_no_answer_waits_long_for(
    queue: Queue, tmp_path: Path, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.ingest.writer.FORGET_ROWS", 10)
    steps = list[int]()

    def count_removed(database: sqlite3.Connection, position: int) -> None:
        before = database.total_changes
        forget_stored(database, position)
        steps.append(database.total_changes - before - 1)  # the account is one more change

    monkeypatch.setattr("server.ingest.queue_file.forget_stored", count_removed)
    await queue.submit(Submission([make_record() for _ in range(25)]))
    writer = make_writer(queue, tmp_path, store)
    writer.start()
    writer.close()
    assert (steps, queue.counts().stored, queue.counts().queued) == ([10, 10, 5], 25, 0)


async def test_a_backlog_larger_than_a_batch_is_moved_without_pauses(
    queue: Queue, tmp_path: Path, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.ingest.reading.MAX_BATCH_BYTES", 1000)
    records = [make_record() for _ in range(50)]
    await queue.submit(Submission(records))
    writer = make_writer(queue, tmp_path, store)
    for _ in range(100):
        if not writer._move_batch():
            break
    assert ids(store) == sorted(record.event_id for record in records)
    writer.start()
    writer.close()
