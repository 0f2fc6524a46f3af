"""What brought a session is kept with the event that told it, whatever becomes of the first try to commit it."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from server.errors import Unavailable
from server.ingest.accounts import Accounts
from server.ingest.checking import check_events
from server.ingest.limits import Limits
from server.ingest.live import Live
from server.ingest.origins import Origins
from server.ingest.pipeline import Pipeline
from server.ingest.queue import Queue
from server.ingest.receive import Outcome, Receiver
from tests.conftest import StandingClock
from tests.factories import make_beacon, make_event, make_pipeline

KEY = ("default", "session-1")
ADVERTISED = {"url": "https://shop.example/?utm_source=ads&utm_medium=cpc", "title": "", "referrer": ""}

ODD_VALUES = make_event(props={"a": ["\x00"] * 50})

Send = Callable[[Receiver, dict[str, Any]], Awaitable[Outcome]]


@pytest.fixture
def queue(tmp_path: Path, clock: StandingClock) -> Iterator[Queue]:
    opened = Queue(tmp_path / "queue.sqlite", clock=clock)
    yield opened
    opened.close()


def make_receiver(queue: Queue) -> Receiver:
    pipeline = make_pipeline(origins=Origins(queue.find_origin))
    return Receiver(pipeline=pipeline, queue=queue, accounts=Accounts(), live=Live(), limits=Limits())


async def send(receiver: Receiver, event: dict[str, Any]) -> Outcome:
    return await receiver.receive(make_beacon(), [event])


async def send_soon(receiver: Receiver, event: dict[str, Any]) -> Outcome:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Outcome | Unavailable] = loop.create_future()
    receiver.receive_soon(make_beacon(), [event], loop, ended.set_result)
    outcome = await ended
    if isinstance(outcome, Unavailable):
        raise outcome
    return outcome


def refuse(*_: object) -> None:
    raise sqlite3.OperationalError("database or disk is full")


@pytest.mark.parametrize("way", [send, send_soon])
@pytest.mark.parametrize(("name", "fault"), [("insert_records", refuse), ("MAX_PENDING_BYTES", 0)])
async def test_an_event_that_is_sent_again_after_a_503_still_brings_its_campaign(
    queue: Queue, way: Send, name: str, fault: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, event = make_receiver(queue), make_event(page=ADVERTISED)
    with monkeypatch.context() as patch:
        patch.setattr(f"server.ingest.queue.{name}", fault)
        with pytest.raises(Unavailable):
            await way(receiver, event)

    assert (await way(receiver, event)).accepted == 1

    assert b"ads" in (queue.find_origin(KEY) or b"")


async def test_a_fault_that_nobody_foresaw_leaves_no_campaign_to_the_next_request(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = make_receiver(queue)
    real = Pipeline.run

    def run(pipeline: Pipeline, *values: Any) -> Any:
        real(pipeline, *values)
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "run", run)
        with pytest.raises(ZeroDivisionError):
            await send(receiver, make_event(page=ADVERTISED))

    await send(receiver, make_event(session_id="session-2"))

    assert queue.find_origin(KEY) is None
    assert receiver.pipeline.origins.known(*KEY) is None


async def test_the_warnings_of_one_event_and_of_one_answer_are_bounded_and_all_are_counted(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.ingest.receive.MAX_ANSWER_WARNINGS", 30)
    receiver, beacon = make_receiver(queue), make_beacon(is_odd=True)
    events = [{**ODD_VALUES, "id": f"id {number}"} for number in range(3)]

    checked = check_events(receiver.pipeline, queue, beacon, events)
    outcome = await receiver.receive(beacon, events)

    assert outcome.accepted == 3
    assert [each["index"] for each in outcome.warnings] == [0] * 20 + [1] * 10
    assert receiver.accounts.corrected == {"invalid_text": 150}
    assert checked.warnings == outcome.warnings


def test_what_the_context_corrects_is_told_of_each_event_however_much_its_first_one_has() -> None:
    beacon = make_beacon(is_odd=True, context={"language": 7.5})
    pipeline = make_pipeline()
    for event in (ODD_VALUES, {**ODD_VALUES, "props": {}}):
        assert pipeline.run(beacon, event).corrected["ignored_field"] == 1
