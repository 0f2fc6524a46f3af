"""Questions that nobody means well: wrong ones are answered with 400, and without a key nothing is looked at."""

import base64
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from server.errors import TooLarge
from server.reports.users import MAX_PROPERTIES_ASKED
from server.web.queries import read_whole
from server.web.requests import RequestHead, read_sent_body

ENDLESS = "9" * 5_000  # more digits than int() reads
CURSORS = [ENDLESS, str(2**63), "-1", "\u0661", "1.0", " 1"]


def cursor_of(*place: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture
def webhook(client: TestClient, secret: dict[str, str]) -> str:
    """Return the id of a webhook."""
    answer = client.post("/api/webhooks", json={"url": "https://8.8.8.8/", "events": "*"}, headers=secret)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.mark.parametrize(
    ("text", "largest", "found"),
    [
        ("0", 9, 0),
        ("9", 9, 9),
        ("10", 9, None),
        ("1000", 1000, 1000),
        ("1001", 1000, None),
        (str(2**63 - 1), 2**63 - 1, 2**63 - 1),
        (str(2**63), 2**63 - 1, None),
        *((text, 2**63 - 1, None) for text in ("", "-1", "+1", "1_0", " 1", "\u0661", "\u00b2", "1.0", ENDLESS)),
    ],
)
def test_read_whole_takes_whole_numbers_up_to_the_largest(text: str, largest: int, found: int | None) -> None:
    assert read_whole(text, largest) == found


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "many", ENDLESS])
@pytest.mark.parametrize("path", ["/api/events", "/api/users", "/api/rejected"])
def test_a_wrong_limit_is_told(client: TestClient, secret: dict[str, str], path: str, limit: str) -> None:
    assert told(client.get(path, params={"limit": limit}, headers=secret)) == (400, "bad_limit")


@pytest.mark.parametrize("cursor", CURSORS)
def test_a_wrong_position_is_told(client: TestClient, secret: dict[str, str], webhook: str, cursor: str) -> None:
    for path in ("/api/rejected", f"/api/webhooks/{webhook}/deliveries"):
        assert told(client.get(path, params={"cursor": cursor}, headers=secret)) == (400, "bad_cursor")
    answer = client.post("/api/rejected/replay", json={"all": True, "cursor": cursor}, headers=secret)
    assert told(answer) == (400, "bad_cursor")


def test_the_largest_position_is_the_end(client: TestClient, secret: dict[str, str], webhook: str) -> None:
    answer = client.get(f"/api/webhooks/{webhook}/deliveries", params={"cursor": str(2**63 - 1)}, headers=secret)
    assert (answer.status_code, answer.json()) == (200, {"deliveries": [], "next": None})


@pytest.mark.parametrize(
    ("sort", "cursor"),
    [
        *(("-last_seen", each) for each in (*CURSORS, "0", "100", "!", cursor_of(), cursor_of(1, "a"))),
        *(("-last_seen", cursor_of("-last_seen", each, "a", "user")) for each in (2**63, "1", None, True, [1])),
        *(("-last_seen", cursor_of("-last_seen", 1, *each)) for each in ((1, "user"), ("a", "other"), ("a", ["user"]))),
        ("last_seen", cursor_of("-last_seen", 1, "a", "user")),
        ("id", cursor_of("id", 1, "a", "user")),
    ],
)
def test_a_wrong_cursor_of_people_is_told(client: TestClient, secret: dict[str, str], sort: str, cursor: str) -> None:
    answer = client.get("/api/users", params={"sort": sort, "cursor": cursor}, headers=secret)
    assert told(answer) == (400, "bad_cursor")


@pytest.mark.parametrize("place", [2**63 - 1, -(2**63) + 1, 1e308])
def test_a_cursor_at_the_end_of_people_is_answered(client: TestClient, secret: dict[str, str], place: float) -> None:
    cursor = cursor_of("sessions", place, "a\0", "user")
    answer = client.get("/api/users", params={"sort": "sessions", "cursor": cursor}, headers=secret)
    assert (answer.status_code, answer.json()) == (200, {"users": [], "next": None})


@pytest.mark.parametrize(
    "cursor",
    [
        *(cursor_of(each, "x", "s") for each in (10**18, -(10**18), 2**63, 9 * 10**15 + 1, True, 1.5, "1", None)),
        *(cursor_of(1, *each) for each in ((None, "s"), (1, "s"), ("x", None), ("x",), ("x", "s", ""))),
        "WzEs",
        "!",
    ],
)
def test_a_wrong_cursor_of_events_is_told(client: TestClient, secret: dict[str, str], cursor: str) -> None:
    assert told(client.get("/api/events", params={"cursor": cursor}, headers=secret)) == (400, "bad_cursor")


@pytest.mark.parametrize("time_ms", [9 * 10**15, -9 * 10**15])
def test_a_cursor_at_the_end_of_time_is_answered(client: TestClient, secret: dict[str, str], time_ms: int) -> None:
    answer = client.get("/api/events", params={"cursor": cursor_of(time_ms, "x", "default")}, headers=secret)
    assert (answer.status_code, answer.json()) == (200, {"events": [], "next": None})


def test_properties_that_cannot_be_asked_for_are_told(client: TestClient, secret: dict[str, str]) -> None:
    for name in ('a"b', "a\0b"):
        assert told(client.get("/api/users", params={f"props.{name}": "1"}, headers=secret)) == (400, "bad_property")
    many = {f"props.a{number}": "1" for number in range(MAX_PROPERTIES_ASKED)}
    assert client.get("/api/users", params=many, headers=secret).json()["users"] == []
    answer = client.get("/api/users", params={**many, "props.one_more": "1"}, headers=secret)
    assert told(answer) == (400, "too_many_properties")


@pytest.mark.parametrize("odd", ['"\\ud800"', '"\\u0000"', "NaN", "1e999", "[" * 2000 + "]" * 2000])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/rejected/replay", '{"ids": [%s]}'),
        ("/api/rejected/replay", '{"code": %s}'),
        ("/api/users/anna/merge", '{"into": %s}'),
        ("/api/users/anna/properties", '{"properties": {"a": %s}}'),
    ],
)
def test_values_that_no_text_or_number_is_are_told(
    client: TestClient, secret: dict[str, str], path: str, body: str, odd: str
) -> None:
    client.post("/api/users/anna/properties", json={"properties": {"plan": "pro"}}, headers=secret)
    assert told(client.post(path, content=body % odd, headers=secret)) == (400, "invalid_json")


def test_without_a_key_nothing_is_looked_at(client: TestClient) -> None:
    wrong = {"limit": ENDLESS, "cursor": ENDLESS, "since": "soon", "props.\0": "1", "site": "nobody"}
    paths = [route.path for route in client.app.routes if route.path.startswith("/api/") and "GET" in route.methods]  # type: ignore[attr-defined]
    asked = [path.replace("{id}", "x") for path in paths if not path.startswith("/api/catalogue")]
    assert len(asked) > 10
    for path in asked:
        # which names a path knows is no secret, what is in them is not looked at
        known = {name: value for name, value in wrong.items() if told(client.get(path, params={name: "1"}))[0] == 401}
        assert (path, told(client.get(path, params=known))) == (path, (401, "missing_key"))


async def test_an_endless_length_is_too_large() -> None:
    async def receive() -> dict[str, Any]:
        raise AssertionError("the body is not read")

    head = RequestHead({"headers": [(b"content-length", ENDLESS.encode())]})
    with pytest.raises(TooLarge):
        await read_sent_body(head, receive)
