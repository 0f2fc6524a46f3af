"""`/v1/…`: what Segment's clients send, in; what they understand, out."""

import base64
import gzip
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.sites import Site
from server.web.parts import Parts
from tests.conftest import StandingClock, wait_until_stored
from tests.factories import AUTH_KEY, CHROME, SECRET_KEY, make_settings

Stored = Callable[..., list[dict[str, Any]]]
PUBLIC = "default"
KINDS = ["track", "identify", "page", "screen", "group", "alias"]
NOW = "2026-11-23T14:03:22.000Z"


def basic(key: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


SERVER = basic(SECRET_KEY)
PAGE = {"origin": "https://shop.example", "content-type": "text/plain"}


def send(client: TestClient, kind: str, body: Any, headers: dict[str, str] = SERVER, query: str = "") -> Any:
    return client.post(f"/v1/{kind}{query}", content=orjson.dumps(body), headers=headers)


def track(**changes: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Signed up", "userId": "u-1", "messageId": "m-1", "timestamp": NOW, **changes}


def rejected(client: TestClient, secret: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/api/rejected", headers=secret).json()["rejected"]
    return found


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("kind", [*KINDS, *(kind[0] for kind in KINDS)])
def test_every_call_is_answered_with_exactly_200(client: TestClient, kind: str, slash: str) -> None:
    body = {"userId": "u-1", "event": "E", "groupId": "g-1", "previousId": "p-1", "messageId": "m-1"}
    answer = send(client, kind + slash, body)
    assert (answer.status_code, answer.json()) == (200, {"success": True})


@pytest.mark.parametrize("kind", ["batch", "b", "import"])
def test_batch_is_taken_on_all_its_paths(client: TestClient, stored: Stored, kind: str) -> None:
    body = {"batch": [track(messageId="1"), track(messageId="2", type="page")], "sentAt": NOW}
    assert send(client, kind, body).json() == {"success": True}
    assert {each["name"] for each in stored()} == {"Signed up", "$page_view"}
    assert {each["source"] for each in stored()} == {"import" if kind == "import" else "server"}


@pytest.mark.parametrize("key", [SECRET_KEY, PUBLIC])
@pytest.mark.parametrize("way", ["basic", "bearer", "body", "query"])
def test_write_key_is_taken_from_each_of_its_places(client: TestClient, stored: Stored, key: str, way: str) -> None:
    headers = {"basic": basic(key), "bearer": {"authorization": f"Bearer {key}"}}.get(way, {})
    body = track(writeKey=key) if way == "body" else track()
    answer = send(client, "track", body, headers, f"?writeKey={key}" if way == "query" else "")
    assert answer.json() == {"success": True}
    assert [each["source"] for each in stored()] == ["server" if key == SECRET_KEY else "page"]


def test_same_message_again_is_stored_once_whatever_batch_it_comes_in(client: TestClient, stored: Stored) -> None:
    send(client, "batch", {"batch": [track(messageId="1"), track(messageId="2")]})
    assert send(client, "batch", {"batch": [track(messageId="2"), track(messageId="3")]}).json() == {"success": True}
    send(client, "t", track(messageId="1"))
    assert len(stored()) == 3


def test_same_message_id_of_two_kinds_is_one_message(client: TestClient, stored: Stored) -> None:
    send(client, "t", track(messageId="1"))
    send(client, "p", track(messageId="1"))
    assert [each["name"] for each in stored()] == ["Signed up"]


@pytest.mark.parametrize(
    ("timestamp", "sent_at", "expected"),
    [
        ("2026-11-23T13:00:00Z", NOW, "2026-11-23T13:00:00.000Z"),
        ("2026-11-23T15:00:00Z", "2026-11-23T15:03:22.000Z", "2026-11-23T14:00:00.000Z"),
        ("2026-11-23T12:00:00Z", "2026-11-23T12:03:22.000Z", "2026-11-23T14:00:00.000Z"),
        ("2019-01-01T00:00:00Z", "2019-01-01T00:00:00Z", "2019-01-01T00:00:00.000Z"),
        ("2019-01-01T00:00:00+03:00", None, "2018-12-31T21:00:00.000Z"),
        (None, NOW, NOW),
    ],
    ids=["no skew", "fast clock", "slow clock", "absurd clock", "no sentAt", "no timestamp"],
)
def test_clock_is_corrected_by_sent_at(
    client: TestClient, stored: Stored, timestamp: str | None, sent_at: str | None, expected: str
) -> None:
    message = track(timestamp=timestamp, originalTimestamp=None)
    send(client, "batch", {"batch": [message], "sentAt": sent_at})
    assert stored()[0]["time"] == expected


def test_page_of_the_public_key_cannot_backdate_beyond_its_rule(client: TestClient, stored: Stored) -> None:
    send(client, "t", track(timestamp="2019-01-01T00:00:00Z", sentAt=NOW), basic(PUBLIC))
    assert stored()[0]["time"] == "2026-10-24T14:03:22.000Z"


def test_one_bad_message_is_told_and_its_neighbours_stand(
    client: TestClient, stored: Stored, secret: dict[str, str]
) -> None:
    batch = [
        track(messageId="good"),
        track(messageId="nobody", userId=None),
        track(messageId="nameless", event=None),
        track(messageId="odd", type="haiku"),
        "no message",
        track(messageId="props", properties=[1]),
    ]
    answer = send(client, "batch", {"batch": batch})
    assert answer.status_code == 200
    assert answer.json()["success"] is True
    assert [(each["index"], each["messageId"], each["code"]) for each in answer.json()["rejected"]] == [
        (1, "nobody", "missing_identity"),
        (2, "nameless", "bad_name"),
        (3, "odd", "unknown_type"),
        (4, None, "bad_message"),
        (5, "props", "bad_props"),
    ]
    assert len(stored()) == 1
    assert {each["code"] for each in rejected(client, secret)} == {
        "missing_identity",
        "bad_name",
        "unknown_type",
        "bad_message",
        "bad_props",
    }


def test_refused_message_is_kept_as_it_came(client: TestClient, secret: dict[str, str]) -> None:
    batch = [{"messageId": "a"}, {"messageId": "b", "context": {"locale": "de"}, "writeKey": SECRET_KEY}]
    send(client, "batch", {"batch": batch, "context": {"locale": "en", "page": {"title": "T"}}})
    kept = {each["id"]: json.loads(each["payload"]) for each in rejected(client, secret)}
    assert kept == {"a": {"messageId": "a"}, "b": {"messageId": "b", "context": {"locale": "de"}}}


def test_batch_of_which_nothing_can_be_accepted_is_400(client: TestClient) -> None:
    answer = send(client, "batch", {"batch": [track(userId=None), track(type="haiku")]})
    assert answer.status_code == 400
    told = answer.json()
    assert (told["success"], told["code"], len(told["rejected"])) == (False, "missing_identity", 2)


def test_empty_batch_is_no_error(client: TestClient) -> None:
    assert send(client, "batch", {"batch": []}).json() == {"success": True}


@pytest.mark.parametrize(
    ("kind", "body", "headers", "status", "code"),
    [
        ("track", b"{no json", SERVER, 400, "invalid_json"),
        ("track", b"[]", SERVER, 400, "invalid_body"),
        ("batch", b"{}", SERVER, 400, "invalid_body"),
        ("track", b"{}", {}, 401, "missing_write_key"),
        ("track", b"{}", basic("nobody's"), 401, "wrong_write_key"),
        ("track", b"{}", {"authorization": "Basic \xff"}, 401, "missing_write_key"),
        ("track", b"{}", {**SERVER, **PAGE}, 403, "secret_key_in_page"),
        ("import", b'{"batch": []}', basic(PUBLIC), 403, "secret_key_needed"),
        ("batch", b'{"batch": [' + b"1," * 1000 + b"1]}", SERVER, 413, "too_many_events"),
        ("batch", b"x" * (1024 * 1024 + 1), SERVER, 413, "body_too_large"),
        ("batch", gzip.compress(b" " * (8 * 1024 * 1024 + 1)), SERVER, 413, "body_too_large"),
        ("haiku", b"{}", SERVER, 404, "not_found"),
    ],
)
def test_errors_have_code_and_message_where_clients_look(
    client: TestClient, kind: str, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    encoded = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    answer = client.post(f"/v1/{kind}", content=body, headers=encoded)
    assert answer.status_code == status
    told = answer.json()
    assert (told["success"], told["code"], told["error"]["code"]) == (False, code, code)
    assert told["message"]
    assert answer.headers.get("access-control-allow-origin") == headers.get("origin")


def test_refused_body_is_kept_without_any_secret_key(client: TestClient, secret: dict[str, str]) -> None:
    client.post("/v1/batch", content=json.dumps({"writeKey": SECRET_KEY, "messages": ["kept"]}))
    send(client, "track", {"writeKey": SECRET_KEY, "event": "nobody's"}, {})
    kept = rejected(client, secret)
    assert [each["code"] for each in kept] == ["missing_identity", "invalid_body"]
    assert "kept" in kept[1]["payload"]
    assert SECRET_KEY not in json.dumps(kept)


def test_gzip_is_taken(client: TestClient, stored: Stored) -> None:
    packed = gzip.compress(orjson.dumps({"batch": [track()]}))
    answer = client.post("/v1/batch", content=packed, headers={**SERVER, "content-encoding": "gzip"})
    assert answer.json() == {"success": True}
    assert len(stored()) == 1


def test_browsers_of_other_origins_may_send_and_read_the_answer(client: TestClient) -> None:
    asked = {"origin": "https://shop.example", "access-control-request-headers": "authorization,content-type"}
    preflight = client.options("/v1/t", headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-headers"] == "authorization,content-type"
    answer = send(client, "t", track(), {**basic(PUBLIC), **PAGE})
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert "Retry-After" in answer.headers["access-control-expose-headers"]


def test_server_tells_of_its_visitors_browser(client: TestClient, stored: Stored) -> None:
    context = {
        "ip": "203.0.113.7",
        "userAgent": CHROME,
        "locale": "de-DE",
        "timezone": "Europe/Berlin",
        "screen": {"width": 1920, "height": 1080, "density": 2},
        "page": {"url": "https://shop.example/a?b", "title": "A", "referrer": "https://www.google.com/"},
        "campaign": {"name": "autumn", "source": "mail", "medium": "email", "term": 7},
    }
    send(client, "track", track(anonymousId="v-1", context=context))
    event = stored()[0]
    expected = {
        "ip": "203.0.113.7",
        "browser": "Chrome",
        "language": "de-DE",
        "timezone": "Europe/Berlin",
        "resolution": "1920x1080",
        "url": "https://shop.example/a?b",
        "path": "/a",
        "title": "A",
        "utm_campaign": "autumn",
        "utm_source": "mail",
        "utm_medium": "email",
        "user_id": "u-1",
        "visitor_id": "v-1",
        "props": {},
    }
    assert {name: event[name] for name in expected} == expected


def test_page_cannot_choose_address_agent_or_user(client: TestClient, stored: Stored) -> None:
    context = {"ip": "203.0.113.7", "userAgent": "curl/8", "locale": "de-DE", "page": {"url": "https://shop.example/"}}
    send(client, "t", track(anonymousId="v-1", context=context), {**basic(PUBLIC), **PAGE})
    event = stored()[0]
    assert (event["ip"], event["browser"], event["user_id"]) != ("203.0.113.7", None, "u-1")
    assert (event["browser"], event["user_id"], event["visitor_id"]) == ("Firefox", None, "v-1")
    assert (event["language"], event["url"]) == ("de-DE", "https://shop.example/")
    assert event["props"] == {"$claimed_user_id": "u-1"}


def test_erasing_a_user_reaches_what_only_claims_to_be_theirs(
    client: TestClient, stored: Stored, secret: dict[str, str], clock: StandingClock
) -> None:
    ids = ("canary", "canary", "other", 77)
    for number, user_id in enumerate(ids):
        message = track(userId=user_id, messageId=str(number), properties={"n": number})
        assert send(client, "t", message, {**basic(PUBLIC), **PAGE}).status_code == 200
    visitors = {each["props"]["n"]: each["visitor_id"] for each in stored()}
    assert {each["user_id"] for each in stored()} == {None}
    assert visitors[0] == visitors[1]
    assert len(set(visitors.values())) == 3
    assert not any("canary" in each for each in visitors.values())
    clock.now_ms += 1000
    assert client.delete("/api/users/canary", headers=secret).json()["erased"] == 2
    assert client.delete("/api/users/77", headers=secret).json()["erased"] == 1
    assert [each["props"]["n"] for each in stored()] == [2]


def test_a_signed_user_takes_over_nothing_that_others_have_claimed(
    client: TestClient, secret: dict[str, str], clock: StandingClock
) -> None:
    signature = hmac.new(AUTH_KEY.encode(), b"u-1", hashlib.sha256).hexdigest()
    claimed = {"userId": "u-1", "messageId": "m-1", "traits": {"email": "mallory@shop.example"}}
    signed = {"userId": "u-1", "messageId": "m-2", "integrations": {"Footfall": {"user_hash": signature}}}
    for identify in (claimed, signed):
        clock.now_ms += 1000
        assert send(client, "i", identify, {**basic(PUBLIC), **PAGE}).json() == {"success": True}
        wait_until_stored(client)
    user = client.get("/api/users/u-1", headers=secret).json()
    assert (user["user_ids"], user["visitor_ids"], user["properties"]) == (["u-1"], [], {})


def test_page_cannot_forge_what_only_the_server_may_say(client: TestClient, stored: Stored) -> None:
    refund = track(event="Order Refunded", properties={"order_id": "1"})
    answer = send(client, "t", refund, {**basic(PUBLIC), **PAGE})
    assert (answer.status_code, answer.json()["code"]) == (400, "reserved_for_server")
    merge = send(client, "a", {"previousId": "u-2", "userId": "u-1", "messageId": "m"}, {**basic(PUBLIC), **PAGE})
    assert (merge.status_code, merge.json()["code"]) == (400, "reserved_for_server")
    assert stored() == []


def test_unsigned_user_ids_count_where_the_site_wants_it(tmp_path: Path, clock: StandingClock) -> None:
    settings = make_settings(
        tmp_path / "data", sites={"lax": Site(key="lax", secret_key="x" * 20, trust_user_ids=True)}
    )
    with TestClient(create_app(settings, clock=clock)) as client:
        send(client, "t", track(anonymousId="v-1"), {**basic("lax"), **PAGE})
        wait_until_stored(client)
        found = client.get("/api/events", headers={"authorization": "Bearer " + "x" * 20}).json()["events"]
    assert [(each["user_id"], each["source"], each["props"]) for each in found] == [("u-1", "page", {})]


def test_origins_of_the_site_hold_here_too(tmp_path: Path, clock: StandingClock) -> None:
    shop = Site(key="shop", origins=frozenset({"https://shop.example"}), secret_key="x" * 20)
    with TestClient(create_app(make_settings(tmp_path / "data", sites={"shop": shop}), clock=clock)) as client:
        assert send(client, "t", track(), {**basic("shop"), **PAGE}).status_code == 200
        stranger = {**basic("shop"), "origin": "https://evil.example"}
        assert send(client, "t", track(), stranger).json()["code"] == "origin_not_allowed"
        assert client.get("/v1/projects/shop/settings", headers=stranger).status_code == 403


@pytest.mark.parametrize(
    ("headers", "host", "protocol"),
    [
        ({}, "testserver", "http"),
        ({"origin": "https://shop.example"}, "testserver", "https"),
        ({"referer": "https://shop.example/a"}, "testserver", "https"),
        ({"host": "t.example:8443"}, "t.example:8443", "http"),
        ({"host": "[::1]:8000"}, "[::1]:8000", "http"),
        ({"host": "evil.example/#"}, None, None),
    ],
)
def test_settings_send_the_browser_client_back_here(
    client: TestClient, headers: dict[str, str], host: str | None, protocol: str | None
) -> None:
    answer = client.get("/v1/projects/default/settings", headers=headers)
    assert answer.status_code == 200
    segment = answer.json()["integrations"]["Segment.io"]
    assert segment["apiKey"] == "default"
    assert (segment.get("apiHost"), segment.get("protocol")) == (host and f"{host}/v1", protocol)
    assert list(answer.json()["integrations"]) == ["Segment.io"]


def test_settings_of_no_site_are_404(client: TestClient) -> None:
    answer = client.get("/v1/projects/nobody/settings")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_site")
    assert client.get(f"/v1/projects/{SECRET_KEY}/settings").status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"userId": "\udfff", "messageId": "\udfff"},
        {"properties": {"x": float("nan"), "y": "\x00"}},
        {"event": "\udfff\x00"},
        {"context": "no object"},
        {"context": {"page": 7, "screen": {"width": "NaN", "height": None}, "campaign": [], "ip": {}, "locale": 1}},
        {"messageId": "x" * 100_000},
        {"integrations": {"Footfall": {"user_hash": {"a": 1}}}},
        {"timestamp": {"a": 1}},
        {"properties": {"a": [[[[[[[[[[[[1]]]]]]]]]]]]}},
        {"traits": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}}},
        {"userId": 12345678901234567890},
        {"userId": True},
        {"userId": ["u-1"]},
        {"anonymousId": {"a": 1}},
        {"properties": {str(number): number for number in range(300)}},
    ],
    ids=repr,
)
@pytest.mark.parametrize("key", [SECRET_KEY, PUBLIC])
def test_hostile_messages_have_a_verdict_and_never_a_fault(
    client: TestClient, parts: Parts, changes: dict[str, Any], key: str
) -> None:
    batch = [track(**{"messageId": kind, **changes}, type=kind, groupId="g", previousId="p") for kind in KINDS]
    body = json.dumps({"batch": [track(messageId="neighbour"), *batch], "sentAt": [1]})
    answer = client.post("/v1/batch", content=body, headers=basic(key))
    assert answer.status_code == 200
    assert all(each["index"] > 0 and each["code"] for each in answer.json().get("rejected", []))
    assert parts.accounts.answers[500] == 0


def test_signed_user_of_a_page_is_vouched_for(client: TestClient, parts: Parts) -> None:
    signature = hmac.new(AUTH_KEY.encode(), b"u-1", hashlib.sha256).hexdigest()
    for hash_, expected in ((signature, []), ("0" * 64, ["wrong_hash"])):
        identify = {
            "userId": "u-1",
            "anonymousId": "v-1",
            "messageId": hash_,
            "traits": {"plan": "pro"},
            "integrations": {"Footfall": {"user_hash": hash_}},
        }
        answer = send(client, "i", identify, {**basic(PUBLIC), **PAGE}).json()
        assert [each["code"] for each in answer.get("rejected", [])] == expected
    wait_until_stored(client)
    assert parts.store is not None
    rows = parts.store.query("select name, user_id, visitor_id, props from events order by name, user_id", {})
    assert [(row[0], row[1], row[2]) for row in rows] == [
        ("$auth", "u-1", "v-1"),
        ("$identify", None, "v-1"),
        ("$identify", None, "v-1"),
    ]
    assert signature not in repr(rows)
