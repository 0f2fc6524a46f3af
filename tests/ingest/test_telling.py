"""What the store has taken is told to people and the outbox; one event that they cannot take stops nobody."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from server.errors import EVENT_FAULTS
from server.ingest.facts import fact_of
from server.ingest.people import People
from server.ingest.queue import Queue
from server.ingest.queue_file import Record, Submission, set_aside
from server.ingest.rejected import RejectedFilter
from server.ingest.telling import Followers
from server.ingest.writer import Writer
from server.outgoing.cloud_event import encode_cloud_event
from server.outgoing.outbox import Outbox
from server.outgoing.outbox_file import insert_deliveries
from server.outgoing.subscriptions import add_subscription
from server.storage.duckdb import DuckDBStore
from tests.factories import NOW_MS, make_record

OLD_MS = -(10**15)  # in the year -29719, as a store of an earlier version may hold it


class Installation:
    """A queue, a store and both followers in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.queue = Queue(folder / "queue.sqlite")
        self.store = DuckDBStore(folder / "events.duckdb")
        self.people = People(folder / "users.sqlite", self.queue.put)
        self.outbox = Outbox(folder / "outbox.sqlite")

    def run(self) -> Writer:
        """Return a writer that has moved everything and stopped."""
        followers = Followers(people=self.people, outbox=self.outbox)
        writer = Writer(self.queue, self.folder / "queue.sqlite", self.store, followers=followers)
        writer.start()
        assert writer.wait_until_idle(10), writer.state.last_error
        writer.close()
        return writer

    def due(self) -> list[Any]:
        """Return the CloudEvents that wait."""
        with self.outbox.reading() as database:
            return [orjson.loads(row[0]) for row in database.execute("select body from deliveries order by seq")]

    def close(self) -> None:
        self.outbox.close()
        self.store.close()
        self.queue.close()


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    opened = Installation(tmp_path)
    opened.outbox.start_at(opened.queue.queue_id, 0, 0)
    with opened.outbox.changing() as database:
        assert add_subscription(database, "default", "https://hook.example/", ("*",), NOW_MS)
    yield opened
    opened.close()


async def test_an_instant_that_nobody_can_say_stops_nobody(installation: Installation) -> None:
    records = [make_record(), make_record(time=OLD_MS, user_id="anna"), make_record()]
    await installation.queue.submit(Submission(records))
    writer = installation.run()
    assert writer.state.last_error is None
    assert [each["id"] for each in installation.due()] == [record.event_id for record in records]
    assert installation.due()[1]["time"] == "0001-01-01T00:00:00.000Z"
    assert installation.queue.counts().untold == {}


@pytest.mark.parametrize("error", EVENT_FAULTS)
async def test_what_a_follower_cannot_take_is_left_out_there_and_counted(
    installation: Installation,
    error: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    records = [make_record(user_id=f"user{number}", name="bad" if number == 3 else "x") for number in range(8)]

    def refusing(take: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def refuse(event: Any) -> Any:
            if event["name"] == "bad":
                raise error("cannot be taken")
            return take(event)

        return refuse

    monkeypatch.setattr("server.outgoing.outbox.encode_cloud_event", refusing(encode_cloud_event))
    monkeypatch.setattr("server.ingest.people.fact_of", refusing(fact_of))
    await installation.queue.submit(Submission(records))
    writer = installation.run()
    assert writer.state.stored == len(records)
    assert [each["id"] for each in installation.due()] == [
        each.event_id for each in records if b"bad" not in each.event
    ]
    assert known_users(installation.folder) == [f"user{number}" for number in range(8) if number != 3]
    counts = installation.queue.counts()
    assert counts.untold == {"people": 1, "webhooks": 1}
    assert counts.received == counts.accepted + counts.duplicate + sum(counts.rejected.values())
    assert counts.accepted == counts.stored + counts.waiting
    assert caplog.text.count(f"event {records[3].event_id!r} was left out") == 2


async def test_the_file_of_people_is_made_anew_without_what_it_cannot_take(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [make_record(user_id=f"user{number}", visitor_id=f"visitor{number}") for number in range(4)]
    await installation.queue.submit(Submission(records))
    installation.run()

    def refuse(event: Any) -> Any:
        return fact_of(event) if event["user_id"] not in {"user1", "user2"} else 1 // 0

    monkeypatch.setattr("server.ingest.people.fact_of", refuse)
    anew = People(installation.folder / "anew.sqlite", installation.queue.put)
    anew.rebuild(installation.store, installation.queue.queue_id, len(records))
    sql = "select person_id from nodes where kind = 'visitor' and person_kind = 'user' order by 1"
    assert [row[0] for row in anew._database.execute(sql)] == ["user0", "user3"]
    assert anew.position(installation.queue.queue_id) == len(records)
    anew.close()


async def test_a_fault_of_the_disk_is_no_fault_of_the_event(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [OSError("no room")]

    def fail_once(*values: Any) -> None:
        if faults:
            raise faults.pop()
        insert_deliveries(*values)

    monkeypatch.setattr("server.outgoing.outbox.insert_deliveries", fail_once)
    record = make_record()
    await installation.queue.submit(Submission([record]))
    installation.run()
    assert [each["id"] for each in installation.due()] == [record.event_id]
    assert installation.queue.counts().untold == {}


@pytest.mark.parametrize("code", ["store_refused", "damaged"])
@pytest.mark.parametrize("is_cut_off", [False, True])
async def test_what_follows_from_an_event_follows_behind_one_that_was_set_aside_too(
    installation: Installation, code: str, monkeypatch: pytest.MonkeyPatch, *, is_cut_off: bool
) -> None:
    """People cannot be written just then: they are told again, and not made anew, from which nothing would follow."""
    queue = installation.queue
    await queue.submit(Submission([identify(NOW_MS - 2, "old@shop.example")]))
    installation.run()
    installation.people = people = People(installation.folder / "users.sqlite", queue.put)
    await queue.submit(Submission([make_record(), identify(NOW_MS - 1, "new@shop.example")]))
    # what follows from the first took a number
    spoil = "event = x'6e6f', crc = null" if code == "store_refused" else "crc = crc + 1"
    queue.perform(lambda database: database.execute(f"update waiting set {spoil} where seq = 3"))
    taking, moving = [OSError("no room")], [OSError("no room")] if is_cut_off else []
    take = people.take

    def take_later(events: Any, *place: Any) -> None:
        if events and taking:
            raise taking.pop()
        take(events, *place)

    def move_later(*values: Any) -> None:
        if moving:
            raise moving.pop()
        set_aside(*values)

    monkeypatch.setattr(people, "take", take_later)
    monkeypatch.setattr("server.ingest.writer.set_aside", move_later)
    installation.run()
    assert not taking
    assert not moving
    assert [each["code"] for each in queue.list_rejected(RejectedFilter(), 10)] == [code]
    changed = "select props->>'$.\"$email\"' from events where name = '$email_changed' order by time"
    assert installation.store.query(changed, {}) == [("old@shop.example",), ("new@shop.example",)]


def identify(time_ms: int, email: str) -> Record:
    operations = [{"op": "update_or_create", "key": "$email", "value": email}]
    return make_record(name="$identify", user_id="anna", time=time_ms, props={"operations": operations})


def known_users(folder: Path) -> list[str]:
    found = People(folder / "users.sqlite", lambda _: None)
    try:
        return [row[0] for row in found._database.execute("select id from nodes where kind = 'user' order by 1")]
    finally:
        found.close()
