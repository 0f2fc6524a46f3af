"""`/api/webhooks`: subscribing, testing, looking at what could not be delivered."""

import base64
import threading
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.outgoing import subscriptions
from server.outgoing.sender import Sender
from server.outgoing.signing import message_id, sign_message
from server.outgoing.target import Guard
from server.proxies import parse_networks
from server.settings import Settings
from server.web import webhooks
from server.web.parts import Parts
from tests.conftest import StandingClock, wait_until_stored
from tests.factories import NOW_MS, make_settings
from tests.webhook_receiver import Receiver, Reply

Secret = dict[str, str]
UNKNOWN = "/api/webhooks/wh_00000000000000000000"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Return settings that allow loopback."""
    return make_settings(settings.data_dir, webhook_private=parse_networks(["127.0.0.0/8"]))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    yield running
    running.close()


@pytest.fixture
def subscribe(client: TestClient, receiver: Receiver, secret: Secret) -> Callable[..., Any]:
    """Return a function that makes a subscription of the receiver and returns the answer."""

    def make(events: Any = "*", url: str | None = None) -> Any:
        body = {"url": url or f"http://127.0.0.1:{receiver.port}/hook", "events": events}
        return client.post("/api/webhooks", json=body, headers=secret)

    return make


def met(receiver: Receiver) -> list[str]:
    """Return the ids of the events that came, each time that they came."""
    return [orjson.loads(each.body)["id"] for each in receiver.met]


def settle(client: TestClient, parts: Parts) -> None:
    """Return once everything that is due was tried."""
    wait_until_stored(client)
    assert isinstance(parts.sender, Sender)
    assert parts.sender.wait_until_calm(20), "the sender is still busy"


def test_a_subscription_is_made_told_changed_and_removed(
    client: TestClient, secret: Secret, subscribe: Callable[..., Any]
) -> None:
    made = subscribe(["Paid", "$order_paid", "Paid"])
    assert made.status_code == 201
    told = made.json()
    assert len(base64.b64decode(told.pop("secret").removeprefix("whsec_"))) == 32
    assert told["events"] == ["Paid", "$order_paid"]
    assert (told["state"], told["waiting"], told["dead"], told["created_at"]) == (
        "active",
        0,
        0,
        "2026-11-23T14:03:22.000Z",
    )
    path = f"/api/webhooks/{told['id']}"
    assert client.get("/api/webhooks", headers=secret).json() == {"webhooks": [told]}
    assert client.get(path, headers=secret).json() == told
    changed = client.patch(path, json={"events": "*", "active": False}, headers=secret).json()
    assert (changed["events"], changed["state"], changed["url"]) == (["*"], "paused", told["url"])
    assert client.delete(path, headers=secret).json() == {"deleted": told["id"]}
    assert client.get(path, headers=secret).json()["error"]["code"] == "unknown_webhook"
    assert client.get("/api/webhooks", headers=secret).json() == {"webhooks": []}


def test_what_was_wanted_arrives_once_signed_and_nothing_else(
    client: TestClient, parts: Parts, secret: Secret, subscribe: Callable[..., Any], receiver: Receiver
) -> None:
    made = subscribe(["Paid"]).json()
    events = [{"id": "a", "name": "Paid", "user_id": "7"}, {"id": "b", "name": "Looked"}, {"id": "c", "name": "Paid"}]
    client.post("/api/events", json=events, headers=secret)
    settle(client, parts)
    assert met(receiver) == ["a", "c"]
    first = receiver.met[0]
    identifier = message_id("default", "a")
    assert first.headers["webhook-id"] == identifier
    assert first.headers["webhook-signature"] == sign_message(made["secret"], identifier, NOW_MS // 1000, first.body)
    told = orjson.loads(first.body)
    assert (told["type"], told["subject"]) == ("Paid", "7")
    (stored,) = client.get("/api/events?user_id=7", headers=secret).json()["events"]
    assert told["data"] == stored
    assert client.get(f"/api/webhooks/{made['id']}", headers=secret).json()["delivered"] == 2


def test_dead_letters_are_told_and_sent_again(
    client: TestClient, parts: Parts, secret: Secret, subscribe: Callable[..., Any], receiver: Receiver
) -> None:
    path = f"/api/webhooks/{subscribe().json()['id']}"
    receiver.change_deck(Reply.GONE)
    client.post("/api/events", json=[{"id": f"e{n}", "name": "Paid"} for n in range(3)], headers=secret)
    settle(client, parts)
    page = client.get(f"{path}/deliveries?limit=2", headers=secret).json()
    rest = client.get(f"{path}/deliveries", params={"cursor": page["next"]}, headers=secret).json()
    found = [*page["deliveries"], *rest["deliveries"]]
    assert [each["id"] for each in found] == ["e0", "e1", "e2"]
    assert (found[0]["status"], found[0]["error"], found[0]["failures"]) == (410, "the target answered 410", 1)
    assert orjson.loads(found[0]["body"])["id"] == "e0"
    assert client.get(f"{path}/deliveries?state=waiting", headers=secret).json()["deliveries"] == []
    receiver.change_deck(Reply.OK)
    client.patch(path, json={"active": True}, headers=secret)
    first = found[1]["delivery_id"]
    assert client.post(f"{path}/redeliver", json={"ids": [first]}, headers=secret).json() == {"redelivered": 1}
    settle(client, parts)
    assert client.post(f"{path}/redeliver", json={"all": True}, headers=secret).json() == {"redelivered": 2}
    settle(client, parts)
    assert met(receiver) == ["e0", "e1", "e0", "e2"]
    assert client.get(f"{path}/deliveries", headers=secret).json() == {"deliveries": [], "next": None}


def test_long_bodies_are_listed_by_their_beginning(
    client: TestClient, parts: Parts, secret: Secret, subscribe: Callable[..., Any], receiver: Receiver
) -> None:
    path = f"/api/webhooks/{subscribe().json()['id']}/deliveries"
    receiver.change_deck(Reply.GONE)
    props = {f"p{number}": "я" * 8000 for number in range(10)}
    client.post("/api/events", json={"id": "long", "name": "Paid", "props": props}, headers=secret)
    settle(client, parts)
    (found,) = client.get(path, headers=secret).json()["deliveries"]
    assert found["id"] == "long"
    assert len(found["body"].encode()) <= 64 * 1024 + 2
    assert len(receiver.met[0].body) > 150_000, "and sent whole"


def test_a_page_ends_by_its_bytes_and_the_next_goes_on(
    client: TestClient,
    parts: Parts,
    secret: Secret,
    subscribe: Callable[..., Any],
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = f"/api/webhooks/{subscribe().json()['id']}/deliveries"
    receiver.change_deck(Reply.GONE)
    sizes = [10, 6_000, 10, 10, 3_000]
    events = [{"id": f"e{n}", "name": "Paid", "props": {"text": "x" * size}} for n, size in enumerate(sizes)]
    client.post("/api/events", json=events, headers=secret)
    settle(client, parts)
    monkeypatch.setattr(subscriptions, "PAGE_BODY_BYTES", 4_000)
    pages = list[list[str]]()
    cursor: str | None = "0"
    while cursor:
        told = client.get(f"{path}?limit=3&cursor={cursor}", headers=secret).json()
        pages.append([each["id"] for each in told["deliveries"]])
        cursor = told["next"]
    assert pages == [["e0"], ["e1"], ["e2", "e3"], ["e4"]]


def test_a_test_tells_what_the_target_answers_and_is_no_event(
    client: TestClient, secret: Secret, subscribe: Callable[..., Any], receiver: Receiver
) -> None:
    made = subscribe(["Paid"]).json()
    told = client.post(f"/api/webhooks/{made['id']}/test", headers=secret).json()
    assert told == {"id": told["id"], "delivered": True, "status": 204, "error": None}
    (met,) = receiver.met
    assert (orjson.loads(met.body)["type"], met.headers["webhook-id"]) == ("footfall.test", told["id"])
    assert met.headers["webhook-signature"] == sign_message(made["secret"], told["id"], NOW_MS // 1000, met.body)
    receiver.change_deck(Reply.BUSY)
    failed = client.post(f"/api/webhooks/{made['id']}/test", headers=secret).json()
    assert (failed["delivered"], failed["status"], failed["error"]) == (False, 503, "the target answered 503")
    assert client.get("/api/events", headers=secret).json()["events"] == []


def test_a_test_that_arrives_ends_the_pause_of_the_line(
    client: TestClient, parts: Parts, secret: Secret, subscribe: Callable[..., Any], receiver: Receiver
) -> None:
    path = f"/api/webhooks/{subscribe().json()['id']}"
    receiver.change_deck(Reply.BUSY)
    client.post("/api/events", json={"id": "a", "name": "Paid"}, headers=secret)
    settle(client, parts)
    receiver.change_deck(Reply.OK)
    assert client.post(f"{path}/test", headers=secret).json()["delivered"] is True
    settle(client, parts)
    assert client.get(path, headers=secret).json()["delivered"] == 1


def test_tests_at_once_are_few(
    client: TestClient, secret: Secret, subscribe: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/api/webhooks/{subscribe().json()['id']}/test"
    taken = threading.BoundedSemaphore(1)
    taken.acquire()
    monkeypatch.setattr(webhooks, "_testing", taken)
    answer = client.post(path, headers=secret)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_tests")


def test_addresses_looked_up_at_once_are_few(subscribe: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    lookups = threading.BoundedSemaphore(1)
    monkeypatch.setattr(webhooks, "_looking_up", lookups)
    with lookups:
        answer = subscribe()
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_lookups")
    assert int(answer.headers["retry-after"]) > 0
    assert [subscribe(url="nonsense").status_code, subscribe().status_code] == [400, 201], "each gives its place back"


def test_a_secret_is_replaced_and_both_sign_for_a_day(
    client: TestClient, secret: Secret, subscribe: Callable[..., Any], receiver: Receiver, clock: StandingClock
) -> None:
    made = subscribe().json()
    newer = client.post(f"/api/webhooks/{made['id']}/secret", headers=secret).json()["secret"]
    assert newer != made["secret"]
    for expected in (2, 1):
        client.post(f"/api/webhooks/{made['id']}/test", headers=secret)
        met = receiver.met[-1]
        signatures = met.headers["webhook-signature"].split()
        assert len(signatures) == expected
        assert signatures[0] == sign_message(newer, met.headers["webhook-id"], clock.now_ms // 1000, met.body)
        clock.now_ms += 24 * 3600 * 1000


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([], "invalid_body"),
        ({"url": "https://127.0.0.1/", "events": "*", "secret": "mine"}, "invalid_body"),
        ({"url": "https://127.0.0.1/"}, "bad_events"),
        ({"url": "https://127.0.0.1/", "events": []}, "bad_events"),
        ({"url": "https://127.0.0.1/", "events": "Paid"}, "bad_events"),
        ({"url": "https://127.0.0.1/", "events": ["Paid", 7]}, "bad_events"),
        ({"url": "https://127.0.0.1/", "events": ["x" * 256]}, "bad_events"),
        ({"url": "https://127.0.0.1/", "events": ["x"] * 101}, "bad_events"),
        ({"events": "*"}, "bad_url"),
        ({"url": "javascript:alert(1)", "events": "*"}, "bad_url"),
        ({"url": "https://10.0.0.1/", "events": "*"}, "target_not_allowed"),
        ({"url": "https://169.254.169.254/latest/meta-data", "events": "*"}, "target_not_allowed"),
        ({"url": "https://[::ffff:10.0.0.1]/", "events": "*"}, "target_not_allowed"),
        ({"url": "http://93.184.215.14/", "events": "*"}, "https_required"),
    ],
)
def test_wrong_subscriptions(client: TestClient, secret: Secret, body: Any, code: str) -> None:
    answer = client.post("/api/webhooks", json=body, headers=secret)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert client.get("/api/webhooks", headers=secret).json() == {"webhooks": []}


def test_a_target_is_checked_again_when_it_is_changed(
    client: TestClient, secret: Secret, subscribe: Callable[..., Any]
) -> None:
    path = f"/api/webhooks/{subscribe().json()['id']}"
    for body, code in (
        ({"url": "https://10.0.0.1/"}, "target_not_allowed"),
        ({"url": None}, "bad_url"),
        ({"active": "yes"}, "bad_active"),
        ({"events": None}, "bad_events"),
    ):
        assert client.patch(path, json=body, headers=secret).json()["error"]["code"] == code


def test_private_targets_need_the_setting(settings: Settings, receiver: Receiver, secret: Secret) -> None:
    with TestClient(create_app(make_settings(settings.data_dir))) as strict:
        body = {"url": f"http://127.0.0.1:{receiver.port}/", "events": "*"}
        answer = strict.post("/api/webhooks", json=body, headers=secret)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "target_not_allowed")


def test_a_name_is_resolved_when_a_subscription_is_made(client: TestClient, parts: Parts, secret: Secret) -> None:
    assert parts.sender is not None
    answers = {"inner.example": ["10.0.0.1"], "public.example": ["93.184.215.14"], "none.example": []}
    parts.sender.guard = Guard(resolve=lambda host, _port: answers[host])
    codes = {}
    for host in answers:
        answer = client.post("/api/webhooks", json={"url": f"https://{host}/", "events": "*"}, headers=secret)
        codes[host] = answer.json().get("error", {}).get("code")
    assert codes == {"inner.example": "target_not_allowed", "public.example": None, "none.example": "unknown_host"}


def test_a_site_has_so_many_and_no_more(client: TestClient, secret: Secret, subscribe: Callable[..., Any]) -> None:
    statuses = [subscribe().status_code for _ in range(21)]
    assert statuses == [201] * 20 + [400]
    assert len(client.get("/api/webhooks", headers=secret).json()["webhooks"]) == 20


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/webhooks"),
        ("POST", "/api/webhooks"),
        ("GET", UNKNOWN),
        ("PATCH", UNKNOWN),
        ("DELETE", UNKNOWN),
        ("POST", f"{UNKNOWN}/secret"),
        ("POST", f"{UNKNOWN}/test"),
        ("GET", f"{UNKNOWN}/deliveries"),
        ("POST", f"{UNKNOWN}/redeliver"),
    ],
)
def test_strangers_and_the_dashboard_get_nothing_and_other_sites_are_not_there(
    client: TestClient, secret: Secret, method: str, path: str
) -> None:
    client.post("/login", data={"password": "test-password"})
    assert client.request(method, path, json={}).status_code == 401
    if path.startswith(UNKNOWN):
        answer = client.request(method, path, json={}, headers=secret)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_webhook")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("deliveries?state=done", "bad_state"),
        ("deliveries?cursor=x", "bad_cursor"),
        ("deliveries?cursor=99999999999999999999", "bad_cursor"),
        ("deliveries?limit=0", "bad_limit"),
    ],
)
def test_wrong_questions(
    client: TestClient, secret: Secret, subscribe: Callable[..., Any], path: str, code: str
) -> None:
    answer = client.get(f"/api/webhooks/{subscribe().json()['id']}/{path}", headers=secret)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "nothing_chosen"),
        ({"all": False}, "nothing_chosen"),
        ({"ids": "1"}, "bad_ids"),
        ({"ids": [True]}, "bad_ids"),
        ({"ids": [2**63]}, "bad_ids"),
        ({"ids": [1] * 1001}, "bad_ids"),
        ({"id": 1}, "invalid_body"),
    ],
)
def test_wrong_choices(client: TestClient, secret: Secret, subscribe: Callable[..., Any], body: Any, code: str) -> None:
    answer = client.post(f"/api/webhooks/{subscribe().json()['id']}/redeliver", json=body, headers=secret)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_metrics_tell_how_it_goes(
    client: TestClient, parts: Parts, secret: Secret, subscribe: Callable[..., Any], receiver: Receiver
) -> None:
    made = subscribe().json()["id"]
    client.post("/api/events", json={"id": "a", "name": "Paid"}, headers=secret)
    settle(client, parts)
    receiver.change_deck(Reply.BUSY)
    client.post("/api/events", json={"id": "b", "name": "Paid"}, headers=secret)
    settle(client, parts)
    text = client.get("/metrics").text
    labels = f'{{site="default",webhook="{made}"}}'
    for name, value in {"waiting": 1, "dead": 0, "delivered_total": 1, "failed_total": 1, "dropped_total": 0}.items():
        assert f"footfall_webhook_{name}{labels} {value}.0" in text


def test_the_secret_is_told_once_and_nowhere_else(
    client: TestClient, secret: Secret, subscribe: Callable[..., Any]
) -> None:
    made = subscribe().json()
    for path in ("/api/webhooks", f"/api/webhooks/{made['id']}", "/metrics"):
        assert made["secret"] not in client.get(path, headers=secret).text
