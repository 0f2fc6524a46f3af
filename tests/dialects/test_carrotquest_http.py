"""Carrot quest's Web API against the running application: calls as its customers' programs make them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.errors import TooManyRequests, Unavailable
from server.sites import Site
from server.web import dialects_carrotquest
from server.web.parts import Parts
from tests.conftest import StandingClock, wait_until_stored
from tests.factories import NOW_MS, SECRET_KEY, make_batch, make_event, make_settings

Stored = Callable[..., list[dict[str, Any]]]
Secret = dict[str, str]
RECORDED = Path(__file__).parent / "recorded"
OWN = "by_user_id=true"


def perform(client: TestClient, name: str) -> Any:
    """Send a recorded call with the site's key in it."""
    text = (RECORDED / f"{name}.http").read_bytes().decode().replace("%KEY%", SECRET_KEY)
    head, _, body = text.partition("\n\n")
    line, *lines = head.split("\n")
    method, target = line.split(" ")
    headers = dict(each.split(": ", 1) for each in lines)
    return client.request(method, target, content=body.encode(), headers=headers)


def post(client: TestClient, path: str, **parameters: Any) -> Any:
    """Send a call as JSON."""
    return client.post(f"/v1/users/{path}", json={"auth_token": SECRET_KEY, **parameters})


def see(client: TestClient, visitor_id: str) -> None:
    """Let a page tell of a visitor, who is to be known at once."""
    client.post("/collect", json=make_batch(make_event(), visitor_id=visitor_id))


def told(answer: Any) -> tuple[int, str | None]:
    meta = answer.json()["meta"]
    assert meta["status"] == answer.status_code
    return meta["status"], meta.get("error")


def test_php_by_curl_with_a_form(client: TestClient, stored: Stored) -> None:
    see(client, "visitor-1")
    answer = perform(client, "php_curl_event")
    assert answer.status_code == 200, answer.text
    shown = answer.json()["data"]
    assert answer.json()["meta"] == {"status": 200}
    assert (shown["type"]["name"], shown["created"], shown["user"]) == ("$order_completed", NOW_MS // 1000, "visitor-1")
    event = stored(name="$order_completed")[0]
    assert (event["id"], event["visitor_id"], event["source"]) == (shown["id"], "visitor-1", "server")
    assert event["props"] == {"$order_id": "1001", "$order_amount": 4500, "$items": ["Тапки"]}


def test_php_by_curl_with_an_array(client: TestClient, stored: Stored) -> None:
    assert perform(client, "php_array_event").status_code == 200
    event = stored()[0]
    told_of = (event["name"], event["user_id"], event["time"], event["source"], event["props"])
    assert told_of == ("$order_paid", "42", "2026-11-22T14:03:22.000Z", "import", {"$order_id": "1001"})


def test_php_sets_properties(client: TestClient, secret: Secret) -> None:
    answer = perform(client, "php_curl_props").json()
    assert answer["data"] == {
        "affected_props": ["$name", "$revenue", "$ordered_items"],
        "not_changed_props": ["$cart_items"],
        "ignored_operations": [],
    }
    wait_until_stored(client)
    user = client.get("/api/users/42", headers=secret).json()
    expected = {"$name": "Анна", "$revenue": 4500, "$ordered_items": ["Тапки"]}
    assert expected.items() <= user["properties"].items()


def test_python_with_a_form_and_with_json(client: TestClient, stored: Stored) -> None:
    assert perform(client, "requests_form_event").status_code == 200
    answer = perform(client, "requests_json_event")
    assert answer.json()["data"]["created"] == 1795356202.5
    found = {each["name"]: each for each in stored(user_id="42")}
    assert found["Купил тариф"]["props"] == {"Тариф": "Pro", "price": 19.9}
    assert found["Купил тариф"]["source"] == "server"
    assert (found["$registered"]["source"], found["$registered"]["time"]) == ("import", "2026-11-22T14:03:22.500Z")


def test_operations_are_told_apart_and_in_meta_too(client: TestClient) -> None:
    expected = {
        "affected_props": ["plan"],
        "not_changed_props": [],
        "ignored_operations": [
            {"op": "add", "key": "plan", "value": 1, "reason": "wrong_type"},
            {"op": "raise", "key": "x", "value": None, "reason": "unknown_operation"},
        ],
    }
    first = perform(client, "requests_json_props").json()
    assert first == {"meta": {"status": 200, **expected}, "data": expected}
    again = perform(client, "requests_json_props").json()["data"]
    assert (again["affected_props"], again["not_changed_props"]) == ([], ["plan"])


def test_events_are_read_newest_first_in_pages(client: TestClient) -> None:
    for number in range(5):
        post(
            client,
            "42/events",
            event="$order_paid",
            params={"$order_id": str(number)},
            created=NOW_MS / 1000 - 10 + number,
            by_user_id=True,
        )
        post(client, "42/events", event="Other", by_user_id=True)
    wait_until_stored(client)
    first = perform(client, "requests_events").json()
    assert [json.loads(each["props"]) for each in first["data"]] == [{"$order_id": "4"}, {"$order_id": "3"}]
    query = f"auth_token={SECRET_KEY}&{OWN}&filter_name=$order_paid&count=50&after={quote(first['meta']['next_after'])}"
    rest = client.get(f"/v1/users/42/events?{query}").json()
    assert [each["props"]["$order_id"] for each in rest["data"]] == ["2", "1", "0"]
    assert rest["meta"] == {"status": 200, "next_after": None}
    assert set(rest["data"][0]) == {"id", "created", "type", "user", "props"}
    assert all(isinstance(each, str) for each in (rest["data"][0]["id"], rest["data"][0]["user"]))
    assert len({each["type"]["id"] for each in rest["data"]}) == 1


def test_twenty_events_make_a_page(client: TestClient) -> None:
    for _ in range(21):
        post(client, "42/events", event="E", by_user_id=True)
    wait_until_stored(client)
    answer = client.get(f"/v1/users/42/events?auth_token={SECRET_KEY}&{OWN}").json()
    assert len(answer["data"]) == 20
    assert answer["meta"]["next_after"]


def test_visitor_who_became_a_user_is_one_person(client: TestClient, secret: Secret) -> None:
    see(client, "visitor-1")
    client.post("/api/events", json={"name": "Paid", "visitor_id": "visitor-1", "user_id": "42"}, headers=secret)
    post(client, "visitor-1/events", event="By visitor")
    post(client, "42/events", event="By user", by_user_id=True)
    post(client, "visitor-1/props", operations=[{"op": "update_or_create", "key": "plan", "value": "pro"}])
    wait_until_stored(client)
    for path in ("visitor-1/events?", f"42/events?{OWN}&", "42/events?"):
        shown = client.get(f"/v1/users/{path}auth_token={SECRET_KEY}").json()["data"]
        assert {"By visitor", "By user"} <= {each["type"]["name"] for each in shown}
    assert client.get("/api/users/42", headers=secret).json()["properties"]["plan"] == "pro"


def test_unknown_own_id_makes_a_user_and_an_unknown_visitor_is_an_error(
    client: TestClient, secret: Secret, stored: Stored
) -> None:
    assert told(post(client, "new/events", event="E", by_user_id=True)) == (200, None)
    assert told(post(client, "newer/props", operations=[{"op": "nothing"}], by_user_id=True)) == (200, None)
    wait_until_stored(client)
    assert client.get("/api/users/newer", headers=secret).status_code == 200
    assert told(post(client, "nobody/events", event="E")) == (400, "LookupError")
    assert told(client.get(f"/v1/users/nobody/events?auth_token={SECRET_KEY}&{OWN}")) == (400, "LookupError")
    assert told(client.get(f"/v1/users/nobody/events?auth_token={SECRET_KEY}")) == (400, "LookupError")
    assert len(stored()) == 1


def test_event_of_an_unknown_visitor_is_kept_and_can_be_replayed(
    client: TestClient, secret: Secret, stored: Stored
) -> None:
    post(client, "late/events", event="E", params={"a": 1})
    kept = client.get("/api/rejected", headers=secret).json()["rejected"]
    assert [each["code"] for each in kept] == ["unknown_user"]
    assert client.post("/api/rejected/replay", json={"all": True}, headers=secret).json()["accepted"] == 1
    assert [(each["name"], each["visitor_id"], each["props"]) for each in stored()] == [("E", "late", {"a": 1})]


def test_call_with_a_nonce_is_done_once(client: TestClient, stored: Stored) -> None:
    call = {"event": "E", "by_user_id": True, "_nonce": "n" * 32}
    first, again = post(client, "42/events", **call).json(), post(client, "42/events", **call).json()
    assert again["data"]["id"] == first["data"]["id"]
    assert (first["meta"], again["meta"]) == ({"status": 200}, {"status": 200, "already_done": True})
    assert post(client, "43/events", **call).json()["meta"] == {"status": 200}
    assert len(stored()) == 2
    add = {"operations": [{"op": "add", "key": "n", "value": 1}], "by_user_id": True, "_nonce": "m"}
    post(client, "42/props", **add)
    assert post(client, "42/props", **add).json()["meta"]["already_done"] is True


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"event": None}, "event"),
        ({"event": ""}, "event"),
        ({"event": "x" * 256}, "event"),
        ({"event": 7}, "event"),
        ({"params": "{no json"}, "params"),
        ({"params": [1]}, "params"),
        ({"params": {"x" * 71: 1}}, "params"),
        ({"params": {"a": [[[[[[[[[1]]]]]]]]]}}, "params"),
        ({"event": "$order_paid"}, "params"),
        ({"created": "yesterday"}, "created"),
        ({"created": "nan"}, "created"),
        ({"created": {"a": 1}}, "created"),
        ({"created": 10**400}, "created"),
    ],
    ids=repr,
)
def test_wrong_event_is_a_validation_error_that_names_the_field(
    client: TestClient, stored: Stored, changes: dict[str, Any], field: str
) -> None:
    answer = post(client, "42/events", **{"event": "E", "by_user_id": True, **changes})
    assert told(answer) == (400, "ValidationError")
    assert list(answer.json()["meta"]["error_fields"]) == [field]
    assert answer.json()["meta"]["error_message"]
    assert stored() == []


@pytest.mark.parametrize("user_id", ["undefined", "[object Object]", "0", "x" * 10_000])
def test_id_that_is_none_is_refused(client: TestClient, stored: Stored, user_id: str) -> None:
    answer = post(client, f"{quote(user_id)}/events", event="E", by_user_id=True)
    assert told(answer) == (400, "ValidationError")
    assert list(answer.json()["meta"]["error_fields"]) == ["id"]
    assert stored() == []


@pytest.mark.parametrize("operations", [None, "", "[", {}, [], [{}] * 251])
def test_wrong_operations_are_a_validation_error(client: TestClient, operations: Any) -> None:
    answer = post(client, "42/props", operations=operations, by_user_id=True)
    assert told(answer) == (400, "ValidationError")
    assert list(answer.json()["meta"]["error_fields"]) == ["operations"]


@pytest.mark.parametrize("query", ["count=0", "count=51", "count=x", "count=-1", "count=٣", "count=99999", "after=x"])
def test_wrong_paging_is_a_validation_error(client: TestClient, query: str) -> None:
    post(client, "42/events", event="E", by_user_id=True)
    answer = client.get(f"/v1/users/42/events?auth_token={SECRET_KEY}&{OWN}&{query}")
    assert told(answer) == (400, "ValidationError")
    assert list(answer.json()["meta"]["error_fields"]) == [query.partition("=")[0]]


@pytest.mark.parametrize(
    ("headers", "parameters", "expected"),
    [
        ({}, {}, (401, "NotAuthenticated")),
        ({}, {"auth_token": "wrong"}, (401, "NotAuthenticated")),
        ({}, {"auth_token": ["a"]}, (401, "NotAuthenticated")),
        ({}, {"auth_token": "default"}, (403, "PermissionDeniedError")),
        ({"authorization": "Token wrong"}, {"auth_token": SECRET_KEY}, (401, "NotAuthenticated")),
        ({"authorization": f"token {SECRET_KEY}"}, {}, (200, None)),
        ({}, {"auth_token": SECRET_KEY, "app": "$self_app"}, (200, None)),
        ({}, {"auth_token": SECRET_KEY, "app": "default"}, (200, None)),
        ({}, {"auth_token": SECRET_KEY, "app": "other"}, (403, "PermissionDeniedError")),
        ({}, {"auth_token": SECRET_KEY, "app": {"a": 1}}, (403, "PermissionDeniedError")),
    ],
)
def test_only_the_sites_secret_key_opens(
    client: TestClient, headers: dict[str, str], parameters: dict[str, Any], expected: tuple[int, str | None]
) -> None:
    body = {"event": "E", "by_user_id": True, **parameters}
    assert told(client.post("/v1/users/42/events", json=body, headers=headers)) == expected


@pytest.mark.parametrize(
    ("text", "is_own"),
    [
        ("true", True),
        ("True", True),
        ("1", True),
        ("yes", True),
        ("false", False),
        ("FALSE", False),
        ("0", False),
        ("", False),
    ],
)
def test_truth_is_read_as_the_original_reads_it(client: TestClient, text: str, is_own: bool) -> None:
    body = f"auth_token={SECRET_KEY}&event=E&by_user_id={text}"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = client.post("/v1/users/42/events", content=body, headers=headers)
    assert told(answer) == ((200, None) if is_own else (400, "LookupError"))


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{no json", 400),
        ("application/json", b"[1]", 400),
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=b", b"no form", 400),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name=a; filename=f\r\n\r\nx", 400),
        ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 1001), 400),
        ("application/x-www-form-urlencoded", b"\xff\x00=%ff", 400),
        ("", b"x" * (1024 * 1024 + 1), 413),
    ],
)
def test_broken_bodies_have_an_error_in_the_envelope(
    client: TestClient, parts: Parts, content_type: str, body: bytes, status: int
) -> None:
    headers = {"authorization": f"Token {SECRET_KEY}", "content-type": content_type}
    answer = client.post("/v1/users/42/events", content=body, headers=headers)
    assert told(answer)[0] == status
    assert parts.accounts.answers[500] == 0


@pytest.mark.parametrize(
    ("headers", "query", "body"),
    [
        ({}, "", b'{"event": "E"}'),
        ({}, "", b'{"auth_token": "wrong", "params": {"auth_token": ["a"]}}'),
        ({}, "", b'{"auth_token": "\\ud800", "auth_token"'),
        ({}, "", b'{"auth_token": "' + b"a" * 10_000),
        ({}, "", b'{"auth_token": "a", ' * 1000 + f'{{"auth_token": "{SECRET_KEY}"}}'.encode()),
        ({}, "", b"event=E&auth_token=wrong&auth_token"),
        ({"content-type": "multipart/form-data; boundary=b"}, "", b'--b\r\nContent-Disposition: name="auth_token"\r\n'),
        ({"authorization": "Token wrong"}, "", f"auth_token={SECRET_KEY}".encode()),
        ({}, "auth_token=wrong", f"auth_token={SECRET_KEY}".encode()),
    ],
)
def test_body_without_a_key_is_not_read(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], query: str, body: bytes
) -> None:
    monkeypatch.setattr(dialects_carrotquest, "read_parameters", None)
    answer = client.post(f"/v1/users/42/events?{query}", content=body, headers=headers)
    assert told(answer) == (401, "NotAuthenticated")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", ' {"params": {"auth_token": "x"}, "auth_token" :\n"%s", "event": "E"}'),
        ("application/json", '{"event": "E", "auth_token": "\\u0074%.0sest-secret-key-0123456789"}'),
        ("application/x-www-form-urlencoded", "my_auth_token=x&event=E&auth_token=%s"),
        ("application/x-www-form-urlencoded", "event=E&auth_token=%%74%.0sest-secret-key-0123456789"),
        (
            "multipart/form-data; boundary=b",
            (
                "--b\r\nContent-Disposition: form-data; name=event\r\n\r\nE\r\n--b\r\nContent-Disposition: form-data; "
                'name="auth_token"\r\nContent-Type: text/plain\r\n\r\n%s\r\n--b--\r\n'
            ),
        ),
    ],
)
def test_key_is_found_in_every_kind_of_body(client: TestClient, content_type: str, body: str) -> None:
    headers = {"content-type": content_type}
    answer = client.post(f"/v1/users/42/events?{OWN}", content=(body % SECRET_KEY).encode(), headers=headers)
    assert told(answer) == (200, None)


@pytest.mark.parametrize(
    "body",
    [
        '{"event": "\\udfff", "params": {"\\udfff": "\\udfff"}}',
        '{"event": "E", "params": {"x": NaN, "y": 1e999, "z": 123456789012345678901234567890}}',
        '{"event": "E", "params": "{\\"x\\": \\"\\\\udfff\\", \\"y\\": NaN}"}',
        '{"operations": [{"op": "\\udfff", "key": "\\udfff", "value": {"a": [[[[[[[[[["\\udfff"]]]]]]]]]]}}, 7, null]}',
        '{"operations": [{"op": "append", "key": "k", "value": ' + "[" * 150 + "]" * 150 + "}]}",
        '{"operations": [{"op": ["add"], "key": {"a": 1}, "value": NaN}]}',
        '{"event": "E", "_nonce": "\\udfff"}',
    ],
)
def test_hostile_values_are_answered_and_never_a_fault(client: TestClient, parts: Parts, body: str) -> None:
    kind = "props" if "operations" in body else "events"
    headers = {"authorization": f"Token {SECRET_KEY}", "content-type": "application/json"}
    for user_id in ("42", "%00%ff%ed%a0%80"):
        answer = client.post(f"/v1/users/{user_id}/{kind}?{OWN}", content=body, headers=headers)
        assert told(answer) in {(200, None), (400, "ValidationError")}
    assert parts.accounts.answers[500] == 0


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (Unavailable("queue_unavailable", "Later.", retry_after_s=1), 503, "Error503"),
        (TooManyRequests("slow_down", "Later.", retry_after_s=1), 429, "TooManyRequests"),
    ],
)
def test_what_may_be_sent_again_says_so(
    client: TestClient, parts: Parts, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, name: str
) -> None:
    async def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(type(parts.receiver), "receive", fail)
    answer = post(client, "42/events", event="E", by_user_id=True)
    assert told(answer) == (status, name)
    assert answer.headers["retry-after"] == "1"


def test_key_of_one_site_reaches_no_other(tmp_path: Path, clock: StandingClock) -> None:
    sites = {key: Site(key=key, secret_key=key * 10) for key in ("shop", "blog")}
    with TestClient(create_app(make_settings(tmp_path / "data", sites=sites), clock=clock)) as client:
        client.post("/v1/users/42/events", json={"auth_token": "shop" * 10, "event": "E", "by_user_id": True})
        wait_until_stored(client)
        assert told(client.get(f"/v1/users/42/events?{OWN}&auth_token={'blog' * 10}")) == (400, "LookupError")
