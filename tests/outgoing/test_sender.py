"""Lines are worked through in order, know nothing of each other, and stop without waiting for a target."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from server.events.head import read_heads
from server.outgoing import sender as module
from server.outgoing.courier import Courier
from server.outgoing.outbox import Outbox
from server.outgoing.outbox_file import Subscription
from server.outgoing.schedule import DELAYS_S
from server.outgoing.sender import Chances, Sender
from server.outgoing.settling import Outcome
from server.outgoing.signing import message_id, sign_message
from server.outgoing.subscriptions import (
    Change,
    add_subscription,
    change_subscription,
    count_deliveries,
    replace_secret,
)
from server.outgoing.target import Guard
from server.proxies import parse_networks
from tests.conftest import StandingClock
from tests.factories import NOW_MS
from tests.webhook_receiver import Receiver, Reply

QUEUE = "queue"
PATIENCE_S = 20.0
OLD_URL = "https://old.example/"
YEAR_MS = 365 * 24 * 3600 * 1000


@pytest.fixture
def outbox(tmp_path: Path, clock: StandingClock) -> Iterator[Outbox]:
    opened = Outbox(tmp_path / "outbox.sqlite", clock=clock)
    opened.start_at(QUEUE, 0, 0)
    yield opened
    opened.close()


@pytest.fixture
def sender(outbox: Outbox, clock: StandingClock) -> Iterator[Sender]:
    made = Sender(outbox, Guard(networks=parse_networks(["127.0.0.0/8"])), Chances(clock=clock, random=lambda: 0.0))
    made.start()
    yield made
    made.close()


@pytest.fixture
def listen() -> Iterator[Callable[..., Receiver]]:
    started: list[Receiver] = []

    def start(*deck: Reply) -> Receiver:
        started.append(Receiver(deck or (Reply.OK,)))
        return started[-1]

    yield start
    for each in started:
        each.close()


def subscribe(outbox: Outbox, receiver: Receiver) -> Subscription:
    with outbox.changing() as database:
        made = add_subscription(database, "default", f"http://127.0.0.1:{receiver.port}/", ["*"], NOW_MS)
    assert made is not None
    return made


def take(outbox: Outbox, *numbers: int) -> None:
    shared: dict[str, Any] = {"site": "default", "name": "Paid", "time": NOW_MS, "received_at": NOW_MS, "props": {}}
    rows = [(number, orjson.dumps({"id": f"id-{number}", **shared})) for number in numbers]
    outbox.take(read_heads(rows), QUEUE, numbers[-1])


def wait_for(claim: Callable[[], bool]) -> None:
    """Return once something is so. The sender has threads of its own, which tell nobody when they are done."""
    end = time.monotonic() + PATIENCE_S
    while not claim():
        assert time.monotonic() < end, "it has not come to that"
        threading.Event().wait(0.005)


def counts(outbox: Outbox, line: Subscription) -> tuple[int, int, int, int]:
    """Return what waits, is dead, has arrived, has failed."""
    with outbox.reading() as database:
        waiting, dead = count_deliveries(database)[line.id]
    (told,) = [each for each in outbox.subscriptions() if each.id == line.id]
    return waiting, dead, told.delivered, told.failed


def met(receiver: Receiver) -> list[str]:
    return [orjson.loads(each.body)["id"] for each in receiver.met]


@pytest.mark.usefixtures("sender")
def test_delivers_in_order_signed_by_both_secrets(outbox: Outbox, listen: Callable[..., Receiver]) -> None:
    receiver = listen()
    line = subscribe(outbox, receiver)
    with outbox.changing() as database:
        newer = replace_secret(database, line, NOW_MS)
    take(outbox, *range(1, 21))
    wait_for(lambda: counts(outbox, line) == (0, 0, 20, 0))
    assert met(receiver) == [f"id-{number}" for number in range(1, 21)]
    first = receiver.met[0]
    identifier = message_id("default", "id-1")
    assert (first.headers["webhook-id"], first.headers["webhook-timestamp"]) == (identifier, str(NOW_MS // 1000))
    signatures = [sign_message(secret, identifier, NOW_MS // 1000, first.body) for secret in (newer, line.secret)]
    assert first.headers["webhook-signature"].split() == signatures


def test_a_thread_that_cannot_be_started_leaves_no_line_behind(
    outbox: Outbox, sender: Sender, listen: Callable[..., Receiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = subscribe(outbox, listen())
    faults = iter([RuntimeError("can't start new thread")])
    start = threading.Thread.start

    def start_or_fail(thread: threading.Thread) -> None:
        if thread.name == f"webhook {line.id}" and (fault := next(faults, None)):
            raise fault
        start(thread)

    monkeypatch.setattr(module, "FAULT_PAUSE_S", 0.01)
    monkeypatch.setattr(threading.Thread, "start", start_or_fail)
    take(outbox, 1)
    wait_for(lambda: counts(outbox, line) == (0, 0, 1, 0))
    assert next(faults, None) is None
    assert sender.wait_until_calm(PATIENCE_S)


def test_a_failure_is_tried_again_by_the_schedule_and_then_dead(
    outbox: Outbox, sender: Sender, clock: StandingClock, listen: Callable[..., Receiver]
) -> None:
    receiver = listen(Reply.BUSY)
    line = subscribe(outbox, receiver)
    take(outbox, 1)
    for failures, seconds in enumerate(DELAYS_S, start=1):
        wait_for(lambda failures=failures: counts(outbox, line) == (1, 0, 0, failures))  # type: ignore[misc]
        clock.now_ms += seconds * 1000 - 1
        sender.look()
        threading.Event().wait(0.05)
        assert len(receiver.met) == failures, "not before its time"
        clock.now_ms += 1
        sender.look()
    wait_for(lambda: counts(outbox, line) == (0, 1, 0, len(DELAYS_S) + 1))
    assert met(receiver) == ["id-1"] * (len(DELAYS_S) + 1)
    assert len({each.body for each in receiver.met}) == 1, "the same body each time"
    assert len({each.headers["webhook-timestamp"] for each in receiver.met}) == len(DELAYS_S) + 1


@pytest.mark.usefixtures("sender")
def test_one_slow_target_delays_no_other(outbox: Outbox, listen: Callable[..., Receiver]) -> None:
    slow, quick = listen(Reply.HANG), listen()
    slow_line, quick_line = subscribe(outbox, slow), subscribe(outbox, quick)
    take(outbox, *range(1, 11))
    wait_for(lambda: counts(outbox, quick_line) == (0, 0, 10, 0))
    assert counts(outbox, slow_line) == (10, 0, 0, 0)
    assert len(slow.met) <= 1, "one at a time"


def test_a_stop_waits_for_no_target_and_counts_no_failure(
    outbox: Outbox, clock: StandingClock, listen: Callable[..., Receiver]
) -> None:
    receiver = listen(Reply.HANG)
    line = subscribe(outbox, receiver)
    stopped = Sender(outbox, Guard(networks=parse_networks(["127.0.0.0/8"])), Chances(clock=clock))
    stopped.start()
    take(outbox, 1)
    wait_for(lambda: len(receiver.met) == 1)
    started = time.monotonic()
    stopped.close()
    assert time.monotonic() - started < 4
    assert counts(outbox, line) == (1, 0, 0, 0)


@pytest.mark.usefixtures("sender")
def test_a_target_that_is_gone_gets_nothing_more(outbox: Outbox, listen: Callable[..., Receiver]) -> None:
    receiver = listen(Reply.GONE)
    line = subscribe(outbox, receiver)
    take(outbox, 1, 2)
    wait_for(lambda: counts(outbox, line) == (0, 2, 0, 1))
    take(outbox, 3)
    assert met(receiver) == ["id-1"]
    assert outbox.subscriptions()[0].state == "gone"


def test_what_was_queued_while_the_clock_was_ahead_keeps_its_place(
    outbox: Outbox, clock: StandingClock, listen: Callable[..., Receiver]
) -> None:
    receiver = listen()
    line = subscribe(outbox, receiver)
    clock.now_ms += YEAR_MS
    take(outbox, 1)
    clock.now_ms -= YEAR_MS
    take(outbox, 2)
    later = Sender(outbox, Guard(networks=parse_networks(["127.0.0.0/8"])), Chances(clock=clock))
    later.start()
    wait_for(lambda: counts(outbox, line) == (0, 0, 2, 0))
    later.close()
    assert met(receiver) == ["id-1", "id-2"]


@pytest.mark.parametrize("reply", [Reply.BUSY, Reply.REFUSE])
def test_a_pause_that_began_while_the_clock_was_ahead_is_over(
    outbox: Outbox, sender: Sender, clock: StandingClock, listen: Callable[..., Receiver], reply: Reply
) -> None:
    receiver = listen(reply)
    line = subscribe(outbox, receiver)
    clock.now_ms += YEAR_MS
    take(outbox, 1)
    wait_for(lambda: counts(outbox, line) == (1, 0, 0, 1))
    assert sender.wait_until_calm(PATIENCE_S)
    receiver.change_deck(Reply.OK)
    clock.now_ms -= YEAR_MS
    take(outbox, 2)
    wait_for(lambda: counts(outbox, line) == (0, 0, 2, 1))
    assert met(receiver) == ["id-1", "id-1", "id-2"]


@pytest.mark.parametrize("reply", [Reply.BUSY, Reply.REFUSE])
def test_a_change_ends_every_pause(
    outbox: Outbox, sender: Sender, listen: Callable[..., Receiver], reply: Reply
) -> None:
    receiver = listen(reply, Reply.OK)
    line = subscribe(outbox, receiver)
    take(outbox, 1)
    wait_for(lambda: counts(outbox, line) == (1, 0, 0, 1))
    assert sender.wait_until_calm(PATIENCE_S)
    with outbox.changing() as database:
        change_subscription(database, line, Change(state="active"))
    wait_for(lambda: counts(outbox, line) == (0, 0, 1, 1))


@pytest.mark.parametrize("status", [None, 410, 422, 503])
def test_what_the_old_address_answers_after_a_change_does_not_fall_on_the_new_one(
    outbox: Outbox, sender: Sender, monkeypatch: pytest.MonkeyPatch, status: int | None
) -> None:
    is_under_way, is_changed = threading.Event(), threading.Event()
    reached = []

    def carry(_courier: Courier, url: str, _headers: Any, _body: bytes) -> Outcome:
        reached.append(url)
        if url != OLD_URL:
            return Outcome(status=204)
        is_under_way.set()
        assert is_changed.wait(PATIENCE_S)
        return Outcome(status=status, error="it has moved")

    monkeypatch.setattr(Courier, "carry", carry)
    with outbox.changing() as database:
        line = add_subscription(database, "default", OLD_URL, ["*"], NOW_MS)
    assert line is not None
    take(outbox, 1, 2)
    assert is_under_way.wait(PATIENCE_S)
    with outbox.changing() as database:
        change_subscription(database, line, Change(url="https://new.example/"))
    is_changed.set()
    assert sender.wait_until_calm(PATIENCE_S)
    assert counts(outbox, line) == (0, 0, 2, 1)
    assert reached == [OLD_URL, "https://new.example/", "https://new.example/"]
    assert outbox.subscriptions()[0].state == "active"
