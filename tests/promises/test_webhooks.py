"""Webhooks arrive at least once, once by their ids: through targets that fail and servers that are killed."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from server.outgoing.signing import message_id, sign_message
from tests.promises.conftest import StartServer
from tests.real_server import RealServer
from tests.webhook_receiver import Receiver, Reply

HASTY = ("-m", "tests.promises.hasty_server")
ALLOW_LOOPBACK = {"FOOTFALL_WEBHOOK_PRIVATE": "127.0.0.0/8"}
ROUGH = (
    Reply.OK,
    Reply.BUSY,
    Reply.OK,
    Reply.LOSE_ANSWER,
    Reply.OK,
    Reply.RESET,
    Reply.OK,
    Reply.HANG,
    Reply.OK,
    Reply.REFUSE,
    Reply.OK,
)
EVENTS = 150
KILLS = 5
PATIENCE_S = 90.0

pytestmark = [pytest.mark.promise, pytest.mark.timeout(240)]
Listen = Callable[..., Receiver]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Return a function that starts a receiver."""
    started: list[Receiver] = []

    def start_one(*deck: Reply, **choices: Any) -> Receiver:
        started.append(Receiver(deck or (Reply.OK,), **choices))
        return started[-1]

    yield start_one
    for each in started:
        each.close()


def start_hasty(start: StartServer) -> RealServer:
    return start(command=HASTY, environment=ALLOW_LOOPBACK)


def subscribe(server: RealServer, receiver: Receiver, events: Any) -> dict[str, Any]:
    url = f"http://127.0.0.1:{receiver.port}/hook"
    made = server.post("/api/webhooks", {"url": url, "events": events})
    assert made.status == 201, made.body
    told: dict[str, Any] = made.json()
    return told


def send(server: RealServer, numbers: range) -> None:
    names = ("Paid", "Looked", "Left")
    events = [{"id": f"event-{number}", "name": names[number % 3], "props": {"n": number}} for number in numbers]
    assert server.post("/api/events", events).json()["accepted"] == len(events)


def wait_until_nothing_waits(server: RealServer) -> None:
    server.wait_until_stored()
    end = time.monotonic() + PATIENCE_S
    while any(each["waiting"] for each in server.get("/api/webhooks").json()["webhooks"]):
        assert time.monotonic() < end, server.get("/api/webhooks").body
        time.sleep(0.05)


def arrived(receiver: Receiver) -> set[str]:
    """Return the ids of the webhooks that the receiver has taken, as it would know them."""
    return {each.headers["webhook-id"] for each in receiver.met if each.reply in {Reply.OK, Reply.LOSE_ANSWER}}


def ids(numbers: Iterable[int]) -> list[str]:
    """Return the ids that events are to come under."""
    return [message_id("default", f"event-{number}") for number in numbers]


def test_everything_arrives_through_faults_and_kills_and_nothing_that_was_not_asked_for(
    start: StartServer, listen: Listen, source: random.Random
) -> None:
    paid, everything = listen(*ROUGH), listen(*ROUGH)
    server = start_hasty(start)
    secret = subscribe(server, paid, ["Paid"])["secret"]
    subscribe(server, everything, "*")
    share = EVENTS // KILLS
    for life in range(KILLS):
        send(server, range(life * share, (life + 1) * share))
        time.sleep(source.uniform(0, 0.6))
        server.kill()
        server = start_hasty(start)
    wait_until_nothing_waits(server)

    assert arrived(paid) == set(ids(range(0, EVENTS, 3)))
    assert arrived(everything) == set(ids(range(EVENTS)))
    counts = Counter(each.headers["webhook-id"] for each in everything.met)
    assert max(counts.values()) > 1, "repetitions were provoked, and their id is the same"
    assert set(ROUGH) == {each.reply for each in everything.met}, "each fault happened"
    for receiver in (paid, everything):
        bodies: dict[str, set[bytes]] = {}
        for each in receiver.met:
            bodies.setdefault(each.headers["webhook-id"], set()).add(each.body)
        assert all(len(found) == 1 for found in bodies.values()), "a repetition is the same to the byte"
    for each in paid.met:
        told = json.loads(each.body)
        identifier = message_id("default", told["id"])
        assert (told["type"], identifier) == ("Paid", each.headers["webhook-id"])
        stamp = int(each.headers["webhook-timestamp"])
        assert abs(stamp - time.time()) < 300
        assert each.headers["webhook-signature"] == sign_message(secret, identifier, stamp, each.body)
    for each in server.get("/api/webhooks").json()["webhooks"]:
        assert (each["dead"], each["waiting"], each["dropped"]) == (0, 0, 0)


def test_the_queue_forgets_while_a_target_is_away_and_nothing_is_lost(start: StartServer, listen: Listen) -> None:
    receiver = listen(Reply.HANG)
    quick = listen()
    server = start_hasty(start)
    subscribe(server, receiver, "*")
    subscribe(server, quick, "*")
    send(server, range(EVENTS))
    server.wait_until_stored()
    assert server.metric("footfall_queue_waiting") == 0
    end = time.monotonic() + PATIENCE_S
    while len(arrived(quick)) < EVENTS:
        assert time.monotonic() < end, "the target that hangs must not delay the other"
        threading.Event().wait(0.02)
    assert arrived(receiver) == set()
    server.kill()
    receiver.change_deck(Reply.OK)
    server = start_hasty(start)
    wait_until_nothing_waits(server)
    assert arrived(receiver) == set(ids(range(EVENTS)))
    order = [each.headers["webhook-id"] for each in receiver.met if each.reply is Reply.OK]
    assert order == ids(range(EVENTS)), "in the order of their arrival"


def test_private_targets_and_redirects_are_refused_by_a_real_server(start: StartServer, listen: Listen) -> None:
    inner = listen()
    outer = listen(Reply.REDIRECT, headers={"location": f"http://127.0.0.1:{inner.port}/inner"})
    server = start_hasty(start)
    told = subscribe(server, outer, "*")
    assert server.post(f"/api/webhooks/{told['id']}/test", {}).json()["status"] == 302
    assert (len(outer.met), inner.met) == (1, [])
    server.stop()

    server = start(command=HASTY)  # the same folder without the setting: what was allowed is not any more
    for host in ("127.0.0.1", "localhost", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "0"):
        for scheme in ("http", "https"):
            made = server.post("/api/webhooks", {"url": f"{scheme}://{host}:{inner.port}/", "events": "*"})
            assert (made.status, made.json()["error"]["code"]) == (400, "target_not_allowed"), host
    send(server, range(3))
    server.wait_until_stored()
    tested = server.post(f"/api/webhooks/{told['id']}/test", {}).json()
    assert tested["delivered"] is False
    assert "not on the public network" in tested["error"]
    assert (len(outer.met), inner.met) == (1, [])


def test_a_restored_backup_goes_on_delivering(start: StartServer, listen: Listen, tmp_path: Any) -> None:
    from server.restoring import restore
    from tests.promises.test_backup import footfall

    receiver = listen(Reply.BUSY)
    server = start_hasty(start)
    subscribe(server, receiver, "*")
    send(server, range(9))
    server.wait_until_stored()
    copy = tmp_path / "copy"
    made = footfall("backup", str(copy), "--data-dir", str(server.data_dir), "--port", str(server.port))
    assert made.returncode == 0, made.stderr
    server.stop()
    restore(copy, server.data_dir, force=True)
    receiver.change_deck(Reply.OK)
    server = start_hasty(start)
    send(server, range(9, 12))
    wait_until_nothing_waits(server)
    assert arrived(receiver) == set(ids(range(12)))
