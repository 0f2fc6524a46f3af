"""The queue's promise, on a real file."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from server.errors import Unavailable
from server.ingest import queue_file
from server.ingest.accounts import read_counts
from server.ingest.expiry import expire_ids
from server.ingest.queue import ENOUGH, IDS_KEPT_DAYS, LONGEST_HOLD_S, LOOK_S, Queue
from server.ingest.queue_file import (
    MAX_REJECTED,
    MAX_REJECTED_UNKNOWN,
    Record,
    Submission,
    id_key,
    open_database,
    tell_held,
)
from server.ingest.queue_schema import NOT_SET_ASIDE
from server.ingest.rejected import RejectedEvent, RejectedFilter
from tests.conftest import StandingClock
from tests.factories import NOW_MS, make_id

DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.sqlite"


@pytest.fixture
def queue(path: Path, clock: StandingClock) -> Iterator[Queue]:
    opened = Queue(path, clock=clock)
    yield opened
    opened.close()


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    database = sqlite3.connect(path)
    found = database.execute(sql).fetchall()
    database.close()
    return found


def record(event_id: str | None = None, site: str = "default", event: bytes = b"{}") -> Record:
    return Record(site, event_id or make_id(), event)


def make_rejected(number: int, site: str | None = "default", code: str = "c") -> RejectedEvent:
    return RejectedEvent(
        received_ms=number, site=site, event_id=None, source="page", code=code, message="m", payload=b"{}"
    )


async def test_an_answer_means_another_connection_sees_the_event(queue: Queue, path: Path) -> None:
    assert await queue.submit(Submission([record(event=b'{"a":1}')])) == [True]
    assert rows(path, "select event from waiting") == [(b'{"a":1}',)]


async def test_writes_with_full_synchronous_wal(path: Path, queue: Queue) -> None:
    assert queue.commits == 0
    database = open_database(path)
    assert database.execute("pragma journal_mode").fetchone() == ("wal",)
    assert database.execute("pragma synchronous").fetchone() == (2,)  # FULL
    database.close()


async def test_the_same_id_is_stored_once_whatever_the_way(queue: Queue, path: Path) -> None:
    same, other = make_id(), make_id()
    assert await queue.submit(Submission([record(same), record(other), record(same)])) == [True, True, False]
    assert await queue.submit(Submission([record(same)])) == [False]
    results = await asyncio.gather(*(queue.submit(Submission([record(same), record()])) for _ in range(50)))
    assert results == [[False, True]] * 50
    assert rows(path, "select count(*) from waiting") == [(52,)]


async def test_requests_that_are_held_back_wait_and_changes_do_not(queue: Queue, path: Path) -> None:
    queue.hold_back(60)
    held = [asyncio.create_task(queue.submit(Submission([record()]))) for _ in range(3)]
    await asyncio.sleep(0.05)
    await asyncio.to_thread(queue.perform, lambda database: database.execute("insert into meta values ('x', 'y')"))
    await asyncio.to_thread(queue.perform, lambda _: None)
    assert not any(each.done() for each in held)
    assert rows(path, "select count(*) from waiting") == [(0,)]
    queue.hold_back(0)
    assert await asyncio.gather(*held) == [[True]] * 3


async def test_what_other_processes_take_in_is_held_back_too(path: Path) -> None:
    writing, collecting = Queue(path, is_shared=True), Queue(path, is_shared=True)
    try:
        writing.hold_back(60)
        await asyncio.to_thread(writing.perform, lambda _: None)
        held = asyncio.create_task(collecting.submit(Submission([record()])))
        await asyncio.sleep(3 * LOOK_S)
        assert rows(path, "select count(*) from waiting") == [(0,)]
        writing.hold_back(0)
        assert await asyncio.wait_for(held, 5) == [True]
    finally:
        writing.close()
        collecting.close()


async def test_what_was_said_before_the_machine_was_started_anew_holds_nobody_back(path: Path) -> None:
    queue = Queue(path, is_shared=True)
    try:
        long_ago_s = time.monotonic() + LONGEST_HOLD_S + 1_000
        await asyncio.to_thread(queue.perform, lambda database: tell_held(database, long_ago_s))
        assert await asyncio.wait_for(queue.submit(Submission([record()])), 5) == [True]
    finally:
        queue.close()


async def test_nobody_is_held_back_for_longer_than_was_said(queue: Queue) -> None:
    queue.hold_back(0.2)
    started = time.monotonic()
    assert await queue.submit(Submission([record()])) == [True]
    assert 0.1 < time.monotonic() - started < 5


async def test_what_is_held_back_is_committed_before_the_end(queue: Queue, path: Path) -> None:
    queue.hold_back(60)
    held = asyncio.create_task(queue.submit(Submission([record()])))
    await asyncio.sleep(0.05)
    await asyncio.to_thread(queue.close)
    assert await held == [True]
    assert rows(path, "select count(*) from waiting") == [(1,)]


async def test_more_than_fits_in_memory_is_refused_while_it_is_held_back(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.ingest.queue.MAX_PENDING_BYTES", 100)
    queue.hold_back(60)
    held = asyncio.create_task(queue.submit(Submission([record(event=b"0" * 60)])))
    await asyncio.sleep(0.05)
    with pytest.raises(Unavailable):
        await queue.submit(Submission([record(event=b"0" * 60)]))
    queue.hold_back(0)
    assert await held == [True]


async def test_to_count_reads_neither_what_waits_nor_what_was_rejected(queue: Queue, path: Path) -> None:
    """SQLite works no more for many than for few; what is rejected is counted in indexes, a fraction of its size."""
    database = open_database(path)
    work: list[int] = []

    def steps() -> int:
        before = len(work)
        database.set_progress_handler(lambda: work.append(1), 1)
        read_counts(database)
        database.set_progress_handler(None, 1)
        return len(work) - before

    await queue.submit(Submission([record()]))
    few = steps()
    await queue.submit(Submission([record(event=b'{"a":1}') for _ in range(5_000)]))
    assert abs(steps() - few) < 20
    plan = database.execute(f"explain query plan select count(*) from rejected where {NOT_SET_ASIDE}").fetchall()
    assert "USING INDEX rejected_by_site" in str(plan)
    database.close()
    assert queue.counts().queued == 5_001


async def test_ids_are_per_site(queue: Queue) -> None:
    same = make_id()
    assert await queue.submit(Submission([record(same, "a"), record(same, "b")])) == [True, True]


async def test_upper_and_lower_case_of_a_uuid_are_the_same_id(queue: Queue) -> None:
    same = make_id()
    assert await queue.submit(Submission([record(same), record(same.upper())])) == [True, False]


TEXT_IDS = ["order-17", "x" * 36, "12345678-zzzz-7000-8000-000000000000", "я" * 16]


@pytest.mark.parametrize("event_id", TEXT_IDS)
async def test_an_id_that_is_no_uuid_is_known_again_and_kept_nowhere(queue: Queue, path: Path, event_id: str) -> None:
    bare = Record("default", event_id, b"{}")
    assert await queue.submit(Submission([bare])) == [True]
    assert await queue.submit(Submission([bare, bare, record()])) == [False, False, True]
    assert queue.known_ids([("default", event_id), ("other", event_id)]) == {("default", event_id)}
    assert not any(event_id.encode() in each.read_bytes() for each in path.parent.glob(path.name + "*"))


def test_the_same_id_has_another_digest_in_another_file() -> None:
    """A table of digests that somebody has made once is of no use."""
    assert id_key("order-17", "one queue") == id_key("order-17", "one queue")
    assert id_key("order-17", "one queue") != id_key("order-17", "another queue")


async def test_a_text_that_looks_like_a_uuids_bytes_is_another_id(queue: Queue) -> None:
    raw = bytes(range(65, 81))
    as_uuid = f"{raw.hex()[:8]}-{raw.hex()[8:12]}-{raw.hex()[12:16]}-{raw.hex()[16:20]}-{raw.hex()[20:]}"
    assert await queue.submit(Submission([record(as_uuid), record(raw.decode())])) == [True, True]


async def test_many_at_once_share_commits(queue: Queue) -> None:
    await asyncio.gather(*(queue.submit(Submission([record()])) for _ in range(500)))
    assert queue.commits < 250


async def test_every_verdict_is_counted_however_many_share_a_commit(queue: Queue) -> None:
    known = record()
    await queue.submit(Submission([known]))
    before = queue.commits
    await asyncio.gather(
        *(queue.submit(Submission([known, record(), known], [make_rejected(number)])) for number in range(5))
    )
    counts = queue.counts()

    assert queue.commits - before == 1
    assert (counts.accepted, counts.duplicate, counts.rejected) == (6, 10, {"c": 5})


async def test_what_the_loop_reads_turn_after_turn_shares_a_commit(queue: Queue) -> None:
    """The committer is woken when a turn brings nothing new: close followers share one fsync."""
    before = queue.commits
    waiting = []
    for _ in range(20):
        waiting.append(asyncio.ensure_future(queue.submit(Submission([record()]))))
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)

    assert queue.commits - before == 1


async def test_a_long_row_of_requests_is_not_waited_for(queue: Queue) -> None:
    """Enough is enough: while more come all the time, the first are committed."""
    first = asyncio.ensure_future(queue.submit(Submission([record()])))
    waiting = []
    while not first.done():
        waiting.append(asyncio.ensure_future(queue.submit(Submission([record()]))))
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)

    assert len(waiting) >= ENOUGH - 1


async def test_numbers_grow_over_deletes_and_restarts(path: Path, clock: StandingClock) -> None:
    queue = Queue(path, clock=clock)
    await queue.submit(Submission([record(), record()]))

    def delete_all(database: sqlite3.Connection) -> None:
        database.execute("delete from waiting")

    queue.change(delete_all)
    queue.close()
    queue = Queue(path, clock=clock)
    await queue.submit(Submission([record()]))
    assert rows(path, "select seq from waiting") == [(3,)]
    queue.close()


async def test_closing_commits_what_is_pending(path: Path, clock: StandingClock) -> None:
    queue = Queue(path, clock=clock)
    pending = [asyncio.ensure_future(queue.submit(Submission([record()]))) for _ in range(20)]
    await asyncio.sleep(0)
    await asyncio.to_thread(queue.close)
    assert await asyncio.gather(*pending) == [[True]] * 20
    with pytest.raises(Unavailable):
        await queue.submit(Submission([record()]))


async def test_a_disk_that_refuses_is_an_error_and_nothing_is_stored(
    queue: Queue, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("server.ingest.queue.insert_rest", refuse)
        with pytest.raises(Unavailable) as error:
            await queue.submit(Submission([record()]))
        assert error.value.retry_after_s == 1
        assert "full" in (queue.last_error or "")
    assert rows(path, "select count(*) from waiting") == [(0,)]
    assert await queue.submit(Submission([record()])) == [True]
    assert queue.last_error is None


async def test_what_a_disk_has_refused_takes_no_room(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a long outage would end with a server that refuses everything for good."""
    monkeypatch.setattr("server.ingest.queue.MAX_PENDING_BYTES", 100)

    def refuse(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("server.ingest.queue.insert_rest", refuse)
        for _ in range(3):
            with pytest.raises(Unavailable, match="full"):
                await queue.submit(Submission([record(event=b"0" * 60)]))
    assert await queue.submit(Submission([record(event=b"0" * 60)])) == [True]


async def test_more_than_fits_in_memory_is_refused(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.ingest.queue.MAX_PENDING_BYTES", 10)
    with pytest.raises(Unavailable):
        await queue.submit(Submission([record(event=b"x" * 11)]))
    refusal = make_rejected(1)
    for large in (replace(refusal, payload=b"x" * 11), replace(refusal, context=b"x" * 11)):
        with pytest.raises(Unavailable):
            await queue.submit(Submission((), [large]))


async def test_two_queues_on_one_file_order_each_other(path: Path, clock: StandingClock) -> None:
    first, second = Queue(path, clock=clock), Queue(path, clock=clock)
    same = make_id()
    results = await asyncio.gather(
        *(queue.submit(Submission([record(), record(same)])) for queue in (first, second) * 20)
    )
    assert sum(is_new for _, is_new in results) == 1
    assert rows(path, "select count(*) from waiting") == [(41,)]
    assert first.queue_id == second.queue_id
    first.close()
    second.close()


async def test_rejected_events_are_kept_newest_first_and_bounded(queue: Queue) -> None:
    for start in range(0, MAX_REJECTED + 500, 500):
        await queue.submit(Submission((), [make_rejected(number) for number in range(start, start + 500)]))
    found = queue.list_rejected(RejectedFilter(), MAX_REJECTED + 100)
    assert len(found) == MAX_REJECTED
    assert found[0]["received_at"] == MAX_REJECTED + 499
    assert queue.list_rejected(RejectedFilter(before=found[0]["seq"]), 1)[0]["received_at"] == MAX_REJECTED + 498
    assert queue.list_rejected(RejectedFilter(site="other"), 1) == []


async def test_whoever_fills_one_sites_list_of_rejected_events_empties_no_other(queue: Queue) -> None:
    others = [make_rejected(1, "other"), make_rejected(2, None), make_rejected(3, "default", "damaged")]
    await queue.submit(Submission((), others))
    flood = [make_rejected(number) for number in range(MAX_REJECTED + 7)]
    await queue.submit(Submission((), flood))
    await queue.submit(Submission((), [make_rejected(MAX_REJECTED + 7)]))
    seen = [each["received_at"] for each in queue.list_rejected(RejectedFilter(code="c"), 2 * MAX_REJECTED)]
    assert seen == [*range(MAX_REJECTED + 7, 7, -1), 2, 1]
    counts = queue.counts()
    assert (counts.dropped, counts.set_aside) == ({"number": 8}, 1)
    assert counts.rejected == {"c": MAX_REJECTED + 10, "damaged": 1}
    assert counts.rejected_kept + counts.dropped["number"] == sum(counts.rejected.values())
    assert counts.received == counts.accepted + counts.duplicate + sum(counts.rejected.values())


async def test_what_named_no_known_site_has_a_small_bound_of_its_own(queue: Queue) -> None:
    await queue.submit(Submission((), [make_rejected(1)]))
    await queue.submit(Submission((), [make_rejected(number, None) for number in range(MAX_REJECTED_UNKNOWN + 5)]))
    kept = [(each["site"], each["received_at"]) for each in queue.list_rejected(RejectedFilter(), 10 * MAX_REJECTED)]
    assert kept == [*((None, number) for number in range(MAX_REJECTED_UNKNOWN + 4, 4, -1)), ("default", 1)]
    assert queue.counts().dropped == {"number": 5}


async def test_keeping_rejected_events_looks_into_an_index_however_many_there_are(
    queue: Queue, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    insert = queue_file.insert_rejected

    def watched(database: sqlite3.Connection, rejected: Sequence[RejectedEvent]) -> list[int | None]:
        database.set_trace_callback(told.append)
        ids = insert(database, rejected)
        database.set_trace_callback(None)
        return ids

    monkeypatch.setattr(queue_file, "insert_rejected", watched)
    await queue.submit(Submission((), [make_rejected(1), make_rejected(2, None)]))
    questions = [sql for sql in told if sql.startswith(("select", "delete"))]
    assert len(questions) == 4
    for sql in questions:
        (plan,) = rows(path, f"explain query plan {sql}")
        assert "SEARCH rejected USING" in str(plan[3])
        assert "INDEX rejected_by_site" in str(plan[3])


async def test_old_ids_are_forgotten_and_young_ones_not(queue: Queue, path: Path, clock: StandingClock) -> None:
    old = [make_id() for _ in range(12_000)]
    await queue.submit(Submission([record(each) for each in old]))
    clock.now_ms = NOW_MS + IDS_KEPT_DAYS * DAY_MS
    young = make_id()
    await queue.submit(Submission([record(young)]))
    reader = open_database(path)
    chunks = sum(1 for _ in expire_ids(reader, queue, clock.now_ms // DAY_MS))
    assert chunks == 2
    assert await queue.submit(Submission([record(young)])) == [False]
    assert rows(path, "select count(*) from ids") == [(1,)]
    reader.close()


async def test_a_sessions_origin_is_found_again(queue: Queue) -> None:
    await queue.submit(Submission([record()], origins=[("default", "s1", b"{}", 0)]))
    assert queue.find_origin(("default", "s1")) == b"{}"
    assert queue.find_origin(("other", "s1")) is None


async def test_an_origin_is_kept_with_the_event_that_brought_it(queue: Queue) -> None:
    repeated = record()
    await queue.submit(Submission([repeated]))
    origins = [("default", "of the repeated", b"{}", 0), ("default", "of the new", b"{}", 1)]
    await queue.submit(Submission([repeated, record()], origins=origins))
    assert queue.find_origin(("default", "of the repeated")) is None
    assert queue.find_origin(("default", "of the new")) == b"{}"
