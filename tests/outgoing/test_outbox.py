"""What is to be delivered is kept once, in order, within bounds, and none of it of the erased."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from server.events.head import read_heads
from server.outgoing import settling
from server.outgoing.outbox import Outbox
from server.outgoing.outbox_file import Delivery, Subscription, select_deliveries, used_bytes
from server.outgoing.settling import Outcome, next_delivery, next_due, settle_arrived, settle_failed
from server.outgoing.subscriptions import Change, add_subscription, change_subscription, count_deliveries, revive
from server.storage.tombstones import Tombstone, digest_of
from tests.conftest import StandingClock
from tests.factories import NOW_MS

QUEUE = "queue"
HOUR_MS = 3600 * 1000
DAY_MS = 24 * HOUR_MS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


@pytest.fixture
def outbox(path: Path, clock: StandingClock) -> Iterator[Outbox]:
    opened = Outbox(path, clock=clock)
    opened.start_at(QUEUE, 0, 0)
    yield opened
    opened.close()


def subscribe(outbox: Outbox, *names: str, site: str = "default") -> Subscription:
    with outbox.changing() as database:
        made = add_subscription(database, site, "https://shop.example/", names, NOW_MS)
    assert made is not None
    return made


def event(number: int, name: str = "Paid", **columns: Any) -> tuple[int, dict[str, Any]]:
    told = {"id": f"id-{number}", "site": "default", "name": name, "time": NOW_MS, "received_at": NOW_MS, "props": {}}
    return number, {**told, **columns}


def take(outbox: Outbox, *events: tuple[int, dict[str, Any]]) -> None:
    rows = [(number, orjson.dumps(told)) for number, told in events]
    outbox.take(read_heads(rows), QUEUE, events[-1][0])


def waiting(outbox: Outbox, line: Subscription) -> list[str]:
    with outbox.reading() as database:
        found = select_deliveries(database, "subscription = ? and dead_at is null order by seq", (line.id,))
    return [each.event_id for each in found]


def dead(outbox: Outbox, line: Subscription) -> dict[str, str | None]:
    with outbox.reading() as database:
        found = select_deliveries(database, "subscription = ? and dead_at is not null order by seq", (line.id,))
    return {each.event_id: each.error for each in found}


def first(outbox: Outbox, line: Subscription, now_ms: int = NOW_MS) -> Delivery | None:
    with outbox.reading() as database:
        return next_delivery(database, line.id, now_ms)


def fail(outbox: Outbox, line: Subscription, status: int | None, pause_ms: int | None, now_ms: int = NOW_MS) -> None:
    delivery = first(outbox, line, now_ms)
    assert delivery is not None
    with outbox.settling() as database:
        settle_failed(database, delivery, Outcome(status=status, error="failed"), now_ms, pause_ms)


def test_queues_what_is_wanted_and_nothing_else(outbox: Outbox) -> None:
    paid, everything, other = subscribe(outbox, "Paid"), subscribe(outbox, "*"), subscribe(outbox, "*", site="other")
    take(outbox, event(1), event(2, "Looked"), event(3, "$identify"), event(4, "$auth"), event(5, site="other"))
    assert waiting(outbox, paid) == ["id-1"]
    assert waiting(outbox, everything) == ["id-1", "id-2"]
    assert waiting(outbox, other) == ["id-5"]


def test_what_was_taken_is_not_taken_again(outbox: Outbox, path: Path, clock: StandingClock) -> None:
    line = subscribe(outbox, "*")
    take(outbox, event(1), event(2))
    take(outbox, event(1), event(2), event(3))
    again = Outbox(path, clock=clock)
    assert again.start_at(QUEUE, 3, 3) == 3
    take(again, event(2), event(3), event(4))
    assert waiting(again, line) == ["id-1", "id-2", "id-3", "id-4"]
    again.close()


def test_where_nobody_listens_nothing_is_written(outbox: Outbox, path: Path) -> None:
    before = path.with_name(path.name + "-wal").stat().st_size
    take(outbox, event(1), event(2))
    assert path.with_name(path.name + "-wal").stat().st_size == before


def test_a_new_subscription_begins_where_it_was_made(outbox: Outbox, path: Path, clock: StandingClock) -> None:
    take(outbox, event(1), event(2))
    line = subscribe(outbox, "*")
    outbox.close()
    again = Outbox(path, clock=clock)  # as after a kill: what the queue has not forgotten is told again
    assert again.start_at(QUEUE, 2, 3) == 2
    take(again, event(1), event(2), event(3))
    assert waiting(again, line) == ["id-3"]
    again.close()


def test_a_queue_from_an_older_backup_counts_anew(outbox: Outbox) -> None:
    line = subscribe(outbox, "*")
    take(outbox, event(1), event(9))
    assert outbox.start_at(QUEUE, 3, 4) == 4
    take(outbox, event(5, id="new"))
    assert waiting(outbox, line) == ["id-1", "id-9", "new"]


def test_a_fault_while_taking_leaves_nothing_behind(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    line = subscribe(outbox, "*")

    def fail_to_save(*_: object) -> None:
        raise sqlite3.OperationalError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr("server.outgoing.outbox.save_position", fail_to_save)
        with pytest.raises(sqlite3.OperationalError):
            take(outbox, event(1))
    assert waiting(outbox, line) == []
    take(outbox, event(1))
    assert waiting(outbox, line) == ["id-1"]


def test_the_body_is_a_cloud_event(outbox: Outbox) -> None:
    line = subscribe(outbox, "Paid")
    take(outbox, event(1, visitor_id="v", user_id="7", props={"n": 1}, url="https://shop.example/"))
    delivery = first(outbox, line)
    assert delivery is not None
    body = orjson.loads(delivery.body)
    data = body.pop("data")
    assert body == {
        "specversion": "1.0",
        "id": "id-1",
        "source": "/sites/default",
        "type": "Paid",
        "time": "2026-11-23T14:03:22.000Z",
        "subject": "7",
        "datacontenttype": "application/json",
    }
    assert (data["props"], data["url"], data["received_at"], data["country"]) == (
        {"n": 1},
        "https://shop.example/",
        "2026-11-23T14:03:22.000Z",
        None,
    )


def test_a_target_that_is_away_holds_its_line_and_no_other(outbox: Outbox) -> None:
    line, other = subscribe(outbox, "*"), subscribe(outbox, "*")
    take(outbox, event(1), event(2))
    fail(outbox, line, 503, 5_000)
    with outbox.reading() as database:
        assert next_due(database, NOW_MS) == {line.id: NOW_MS + 5_000, other.id: NOW_MS}
    delivery = first(outbox, line)
    assert delivery is not None
    assert (delivery.event_id, delivery.failures, delivery.status) == ("id-1", 1, 503)
    with outbox.settling() as database:
        settle_arrived(database, delivery, Outcome(status=204), NOW_MS)
    with outbox.reading() as database:
        assert next_due(database, NOW_MS)[line.id] == NOW_MS
    assert waiting(outbox, line) == ["id-2"]
    (told,) = [each for each in outbox.subscriptions() if each.id == line.id]
    assert (told.delivered, told.failed, told.last_status, told.last_error) == (1, 1, 204, None)


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_refused_event_steps_aside(outbox: Outbox, status: int) -> None:
    line = subscribe(outbox, "*")
    take(outbox, event(1), event(2))
    fail(outbox, line, status, 5_000)
    following, later = first(outbox, line), first(outbox, line, NOW_MS + 5_000)
    assert following is not None
    assert later is not None
    assert (following.event_id, later.event_id) == ("id-2", "id-1")


def test_after_the_last_pause_it_is_dead_and_with_it_who_waited_as_long(outbox: Outbox, clock: StandingClock) -> None:
    line = subscribe(outbox, "*")
    take(outbox, event(1), event(2))
    clock.now_ms += 40 * HOUR_MS
    take(outbox, event(3))
    fail(outbox, line, None, None, clock.now_ms)
    assert dead(outbox, line) == {"id-1": "failed", "id-2": "the target was away"}
    assert waiting(outbox, line) == ["id-3"]


def test_gone_buries_the_line_and_queues_no_more_until_it_is_wanted(outbox: Outbox) -> None:
    line = subscribe(outbox, "*")
    take(outbox, event(1), event(2))
    fail(outbox, line, 410, 5_000)
    take(outbox, event(3))
    assert dead(outbox, line) == {"id-1": "failed", "id-2": "the target is gone"}
    assert (waiting(outbox, line), outbox.subscriptions()[0].state) == ([], "gone")
    with outbox.changing() as database:
        change_subscription(database, line, Change(state="active"))
        assert revive(database, line, None, NOW_MS) == 2
    take(outbox, event(4))
    assert waiting(outbox, line) == ["id-1", "id-2", "id-4"]


def test_dead_letters_come_back_by_number_with_the_whole_schedule_before_them(outbox: Outbox) -> None:
    line, other = subscribe(outbox, "*"), subscribe(outbox, "*")
    take(outbox, event(1), event(2))
    for _ in range(2):
        fail(outbox, line, 422, None)
    fail(outbox, other, 422, None)
    with outbox.reading() as database:
        mine = "event_id = ? and subscription = ?"
        (number,) = [each.seq for each in select_deliveries(database, mine, ("id-2", line.id))]
    with outbox.changing() as database:
        assert revive(database, line, [number, 999], NOW_MS) == 1
    delivery = first(outbox, line)
    assert delivery is not None
    assert (delivery.event_id, delivery.failures) == ("id-2", 0)
    assert list(dead(outbox, line)) == ["id-1"]
    assert list(dead(outbox, other)) == ["id-1"], "another subscription's numbers are not its own"


def test_a_line_and_its_dead_letters_are_bounded_and_what_goes_is_counted(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, clock: StandingClock
) -> None:
    monkeypatch.setattr(settling, "MAX_WAITING", 3)
    monkeypatch.setattr(settling, "MAX_DEAD", 2)
    line = subscribe(outbox, "*")
    take(outbox, *(event(number) for number in range(1, 9)))
    assert waiting(outbox, line) == ["id-6", "id-7", "id-8"]
    assert dead(outbox, line) == dict.fromkeys(["id-4", "id-5"], "too many were waiting")
    clock.now_ms += 31 * DAY_MS
    outbox.drop_old()
    assert dead(outbox, line) == {}
    with outbox.reading() as database:
        assert count_deliveries(database) == {line.id: (3, 0)}
    assert outbox.subscriptions()[0].dropped == 5


def tombstone(kind: str, value: str, erased_at: int) -> Tombstone:
    digest = digest_of("salt", "default", kind, value)
    return Tombstone(salt="salt", site="default", kind=kind, digest=digest, erased_at=erased_at)


def test_erasing_reaches_what_waits_and_what_is_dead_and_leaves_no_byte(outbox: Outbox, path: Path) -> None:
    line = subscribe(outbox, "*")
    merge = {"$from": "canary-user", "$from_kind": "user", "$to": "b", "$to_kind": "user"}
    take(outbox, event(1, visitor_id="canary"), event(2, user_id="canary-user"), event(3, "$user_merged", props=merge))
    fail(outbox, line, 422, None)
    take(outbox, event(4, visitor_id="other"), event(5, visitor_id="canary", time=NOW_MS + 1))
    assert any(b"canary" in each.read_bytes() for each in path.parent.iterdir())
    erased = [tombstone("visitor", "canary", NOW_MS), tombstone("user", "canary-user", NOW_MS)]
    assert outbox.erase(erased) == 3
    assert dead(outbox, line) == {}
    assert waiting(outbox, line) == ["id-4", "id-5"], "what happened after the erasure is new"
    assert outbox.erase([tombstone("visitor", "canary", NOW_MS + 1)]) == 1
    assert not any(b"canary" in each.read_bytes() for each in path.parent.iterdir())


def test_a_copy_holds_what_waits_and_where_it_goes_on(outbox: Outbox, tmp_path: Path, clock: StandingClock) -> None:
    line = subscribe(outbox, "*")
    take(outbox, event(1))
    outbox.copy(tmp_path / "copy.sqlite")
    take(outbox, event(2))
    copy = Outbox(tmp_path / "copy.sqlite", clock=clock)
    assert copy.start_at(QUEUE, 2, 2) == 1
    assert waiting(copy, line) == ["id-1"]
    copy.close()


def test_a_file_of_a_newer_version_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("pragma user_version = 9")
    database.close()
    with pytest.raises(sqlite3.DatabaseError, match="format 9"):
        Outbox(path)


def test_the_file_is_bounded_in_bytes_dead_letters_go_first_then_the_largest_line(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "SHRINK_STEP", 1)
    long, short = subscribe(outbox, "*"), subscribe(outbox, "Small")
    text = "x" * 8000
    take(outbox, *(event(number, props={"text": text}) for number in range(1, 5)))
    for _ in range(2):
        fail(outbox, long, 422, None)
    take(outbox, event(5, "Small"))
    with outbox.reading() as database:
        monkeypatch.setattr(settling, "MAX_FILE_BYTES", used_bytes(database))
    take(outbox, event(6, props={"text": text}))
    assert list(dead(outbox, long)) == ["id-2"], "they are dropped first"
    assert waiting(outbox, long) == ["id-3", "id-4", "id-5", "id-6"]
    take(outbox, *(event(number, props={"text": text}) for number in (7, 8)))
    assert dead(outbox, long) == {}
    assert waiting(outbox, long) == ["id-4", "id-5", "id-6", "id-7", "id-8"]
    assert waiting(outbox, short) == ["id-5"]
    with outbox.settling() as database:
        assert used_bytes(database) <= settling.MAX_FILE_BYTES
    assert {each.id: each.dropped for each in outbox.subscriptions()} == {long.id: 3, short.id: 0}


def test_a_line_of_few_large_events_makes_room_for_itself_and_costs_no_other(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    many_small, few_large = subscribe(outbox, "Small"), subscribe(outbox, "Large")
    take(outbox, *(event(number, "Small") for number in range(1, 201)))
    props = {"text": ["x" * 8000] * 25}
    take(outbox, *(event(number, "Large", props=props) for number in range(201, 206)))
    with outbox.reading() as database:
        monkeypatch.setattr(settling, "MAX_FILE_BYTES", used_bytes(database))
    take(outbox, event(206, "Large", props=props))
    assert len(waiting(outbox, many_small)) == 200
    assert waiting(outbox, few_large) == ["id-202", "id-203", "id-204", "id-205", "id-206"], "as many as needed"
    with outbox.settling() as database:
        assert used_bytes(database) <= settling.MAX_FILE_BYTES
    assert {each.id: each.dropped for each in outbox.subscriptions()} == {many_small.id: 0, few_large.id: 1}


def test_what_is_dropped_while_taking_is_told_at_once(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "MAX_WAITING", 2)
    monkeypatch.setattr(settling, "MAX_DEAD", 1)
    subscribe(outbox, "*")
    take(outbox, *(event(number) for number in range(1, 7)))
    assert outbox.subscriptions()[0].dropped == 3
