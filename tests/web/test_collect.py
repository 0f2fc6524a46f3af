"""`/collect` from outside: verdicts, errors, limits, CORS, and the account that always balances."""

import asyncio
import gc
import gzip
import json
import sqlite3
import weakref
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Scope

from server.app import close_parts, create_app
from server.ingest.queue_file import QUEUE_FILE, Submission
from server.ingest.replay_context import encode_context
from server.ingest.values import clean_text
from server.settings import Settings
from server.sites import Site
from server.web.answers import AnswerHead
from server.web.collect import PIXEL, take_batch
from server.web.parts import Parts
from tests.factories import NOW_MS, make_batch, make_event, make_id, make_settings

Stored = Callable[..., list[dict[str, Any]]]


def post(client: TestClient, body: Any, **headers: str) -> Any:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return client.post("/collect", content=content, headers={"content-type": "text/plain", **headers})


def accepted(count: int) -> dict[str, Any]:
    return {"accepted": count, "duplicate": 0, "rejected": [], "warnings": []}


def test_an_event_in_comes_out(client: TestClient, stored: Stored) -> None:
    event = make_event(name="$page_view", props={"$url": "https://shop.example/"})
    answer = post(client, make_batch(event, context={"resolution": "1920x1080", "language": "de-DE"}))
    assert (answer.status_code, answer.json()) == (200, accepted(1))
    (found,) = stored()
    assert found["id"] == event["id"]
    assert found["time"] == "2026-11-23T14:03:22.000Z"
    assert {name: found[name] for name in ("name", "visitor_id", "session_id", "browser", "os", "resolution")} == {
        "name": "$page_view",
        "visitor_id": "visitor-1",
        "session_id": "session-1",
        "browser": "Firefox",
        "os": "Linux",
        "resolution": "1920x1080",
    }


def test_the_same_batch_again_is_all_duplicates(client: TestClient, stored: Stored) -> None:
    batch = make_batch(make_event(), make_event())
    post(client, batch)
    assert post(client, batch).json() == {"accepted": 0, "duplicate": 2, "rejected": [], "warnings": []}
    assert len(stored()) == 2


def test_one_bad_event_never_harms_its_neighbours(client: TestClient, stored: Stored) -> None:
    bad = make_event(name="")
    answer = post(client, make_batch(make_event(), bad, make_event())).json()
    assert (answer["accepted"], answer["rejected"]) == (
        2,
        [
            {
                "index": 1,
                "id": bad["id"],
                "code": "bad_name",
                "message": "An event's name is a text of 1 to 255 characters.",
            }
        ],
    )
    assert len(stored()) == 2


def test_corrections_are_warnings(client: TestClient) -> None:
    answer = post(client, make_batch(make_event(), make_event(time="2100-01-01T00:00:00Z"))).json()
    assert [(each["index"], each["code"]) for each in answer["warnings"]] == [(1, "time_in_future")]


@pytest.mark.parametrize("suffix", ["", "/", "?site=default", "/?x=1"])
def test_with_and_without_a_slash_and_without_a_redirect(client: TestClient, suffix: str) -> None:
    answer = client.post(f"/collect{suffix}", content=orjson.dumps(make_batch(make_event())), follow_redirects=False)
    assert answer.status_code == 200


def test_gzip_is_recognised_by_content(client: TestClient) -> None:
    assert post(client, gzip.compress(orjson.dumps(make_batch(make_event())))).json() == accepted(1)


def test_an_empty_batch_is_fine(client: TestClient) -> None:
    assert post(client, make_batch()).json() == accepted(0)


WHOLE: list[tuple[str, Any, int, str]] = [
    ("broken JSON", b'{"site": "default", "events": [', 400, "invalid_json"),
    ("empty", b"", 400, "invalid_json"),
    ("a text", b'"hello"', 400, "invalid_batch"),
    ("a number", b"7", 400, "invalid_batch"),
    ("null", b"null", 400, "invalid_batch"),
    ("no site", {"events": []}, 400, "missing_site"),
    ("site of a wrong type", {"site": {"a": 1}, "events": []}, 400, "missing_site"),
    ("unknown site", {"site": "nobody", "events": [make_event()]}, 404, "unknown_site"),
    ("no events", {"site": "default"}, 400, "invalid_batch"),
    ("events of a wrong type", {"site": "default", "events": "x"}, 400, "invalid_batch"),
    ("too many events", make_batch(*[{"name": "x"}] * 1001), 413, "too_many_events"),
    ("2 MB", b" " * 2_000_000, 413, "body_too_large"),
    ("gzip bomb", gzip.compress(b" " * 50_000_000), 413, "body_too_large"),
    ("broken gzip", gzip.compress(b"{}")[:-3], 400, "invalid_gzip"),
]


@pytest.mark.parametrize(("body", "status", "code"), [row[1:] for row in WHOLE], ids=[row[0] for row in WHOLE])
def test_what_cannot_be_accepted_as_a_whole(
    client: TestClient, parts: Parts, body: Any, status: int, code: str
) -> None:
    answer = post(client, body, origin="https://shop.example")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert set(error) == {"code", "message", "hint"}
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert parts.accounts.refused_requests[code] == 1
    metrics = client.get("/metrics").text
    assert f'footfall_requests_refused_total{{code="{code}"}} 1.0' in metrics


ODD: list[tuple[str, str]] = [
    ("NaN", '{"name": "odd", "props": {"a": NaN}}'),
    ("infinity", '{"name": "odd", "props": {"a": -Infinity}}'),
    ("lone surrogate", '{"name": "odd", "props": {"\\ud800": "\\udc00"}}'),
    ("surrogate in the name", '{"name": "\\ud800", "id": "\\ud800"}'),
    ("NUL", '{"name": "a\\u0000b", "id": "i\\u0000d", "props": {"\\u0000a": "\\u0000"}}'),
    ("NUL alone", '{"name": "\\u0000", "session_id": "\\u0000", "page": {"url": "\\u0000"}}'),
    ("huge number", '{"name": "odd", "props": {"a": 1e400, "b": 123456789012345678901234567890}}'),
    ("depth 1,000", '{"name": "odd", "props": {"a": ' + "[" * 1000 + "]" * 1000 + "}}"),
    ("depth 100,000", '{"name": "odd", "props": {"a": ' + "[" * 100_000 + "]" * 100_000 + "}}"),
    ("name of 256 characters", json.dumps({"name": "x" * 256})),
    ("from 1970", '{"name": "odd", "time": "1970-01-01T00:00:00Z"}'),
    ("from 2100", '{"name": "odd", "time": 4102444800000}'),
    ("wrong types", '{"name": "odd", "time": [], "session_id": {}, "page": 7, "props": {"a": {}}}'),
    ("all wrong types", '{"name": [], "id": {}, "time": {}, "props": "x"}'),
    ("an event that is none", "[[]]"),
    ("null", "null"),
    ("formula", '{"name": "=cmd()", "props": {"a": "<script>alert(1)</script>"}}'),
]


@pytest.mark.parametrize("event", [row[1] for row in ODD], ids=[row[0] for row in ODD])
def test_odd_events_have_a_defined_outcome_and_their_neighbours_are_stored(
    client: TestClient, stored: Stored, parts: Parts, event: str
) -> None:
    before, after = make_event(), make_event()
    batch = f'{{"site": "default", "events": [{json.dumps(before)}, {event}, {json.dumps(after)}]}}'
    answer = post(client, batch.encode())
    assert answer.status_code == 200
    told = answer.json()
    assert told["accepted"] + len(told["rejected"]) == 3
    assert {before["id"], after["id"]} <= {each["id"] for each in stored()}
    accounts = parts.queue.counts()
    assert accounts.received == 3 == accounts.accepted + accounts.duplicate + sum(accounts.rejected.values())


def test_broken_utf_8_costs_no_neighbour(client: TestClient, stored: Stored) -> None:
    body = orjson.dumps(make_batch(make_event(props={"a": "PLACE"}), make_event())).replace(b"PLACE", b"\xff\xfe")
    assert post(client, body).json()["accepted"] == 2
    assert stored()[0]["props"] == {"a": "\ufffd\ufffd"}


def test_rejected_events_are_kept_with_reason_and_payload(client: TestClient, secret: dict[str, str]) -> None:
    bad = make_event(name="$order_paid", props={"$order_id": "17"})
    post(client, make_batch(bad))
    post(client, b"{broken")
    rejected = client.get("/api/rejected", headers=secret).json()["rejected"]
    assert [(each["code"], each["site"]) for each in rejected] == [
        ("invalid_json", None),
        ("reserved_for_server", "default"),
    ]
    assert rejected[0]["payload"] == "{broken"
    assert json.loads(rejected[1]["payload"]) == bad
    assert rejected[1]["id"] == bad["id"]


def test_a_refused_body_is_shown_to_the_site_that_it_names(settings: Settings) -> None:
    keys = {"default": "s" * 40, "other": "t" * 40}
    sites = {name: Site(key=name, secret_key=key, auth_key=name * 20) for name, key in keys.items()}
    sites["other"] = replace(sites["other"], origins=frozenset({"https://other.example"}))
    with TestClient(create_app(replace(settings, sites=sites))) as client:
        foreign = {"origin": "https://elsewhere.example"}
        assert client.post("/collect", json=make_batch(make_event(), site="other"), headers=foreign).status_code == 403
        assert client.post("/collect", json=make_batch(make_event(), site="unknown")).status_code == 404
        shown = {
            name: client.get("/api/rejected", headers={"authorization": f"Bearer {key}"}).json()["rejected"]
            for name, key in keys.items()
        }
    codes = {name: [each["code"] for each in rows] for name, rows in shown.items()}
    assert codes == {"default": ["unknown_site"], "other": ["origin_not_allowed"]}


def test_what_a_request_says_of_all_its_events_is_encoded_once_and_kept_short(
    client: TestClient, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[bytes] = []

    def encode(*arguments: Any) -> bytes:
        encoded.append(encode_context(*arguments))
        return encoded[-1]

    monkeypatch.setattr("server.ingest.receive.encode_context", encode)
    batch = make_batch(*[{}] * 50, visitor_id="v" * 50_000, user_id="u" * 50_000, context={"language": "x" * 60_000})
    assert len(client.post("/collect", json=batch).json()["rejected"]) == 50
    [one] = encoded
    assert len(one) < 4096
    with closing(sqlite3.connect(parts.settings.data_dir / QUEUE_FILE)) as database:
        assert database.execute("select distinct context from rejected").fetchall() == [(one,)]


def test_a_text_is_cut_before_it_is_cleaned(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []

    def clean(text: str) -> str:
        lengths.append(len(text))
        return clean_text(text)

    monkeypatch.setattr("server.ingest.values.clean_text", clean)
    body = orjson.dumps(make_batch(make_event(), make_event(), visitor_id="\0" + "v" * 100_000))
    assert client.post("/collect", content=body).json()["accepted"] == 2
    assert 0 < max(lengths) <= 8192


def test_an_answer_can_be_read_by_the_page_and_gives_its_budget_back(client: TestClient) -> None:
    answer = post(client, make_batch(make_event()), origin="https://shop.example")
    headers = answer.headers
    assert headers["access-control-allow-origin"] == "https://shop.example"
    assert headers["access-control-allow-credentials"] == "true"
    assert headers["access-control-expose-headers"] == "Retry-After"
    assert headers["vary"] == "Origin"
    assert "no-store" not in headers.get("cache-control", "")
    assert answer.content
    assert "set-cookie" not in headers


def test_preflight(client: TestClient) -> None:
    headers = {"origin": "https://shop.example", "access-control-request-headers": "content-type,x-a"}
    answer = client.options("/collect", headers=headers)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-headers"] == "content-type,x-a"
    assert "POST" in answer.headers["access-control-allow-methods"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods(client: TestClient, method: str) -> None:
    answer = client.request(method, "/collect", headers={"origin": "https://shop.example"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (405, "https://shop.example")
    assert set(answer.json()["error"]) == {"code", "message", "hint"}


class TestPixel:
    """GET /collect."""

    def test_stores_and_answers_an_image(self, client: TestClient, stored: Stored) -> None:
        answer = client.get(
            "/collect",
            params={
                "site": "default",
                "name": "Mail opened",
                "mail": "7",
                "url": "https://shop.example/m?utm_source=m",
            },
        )
        assert (answer.status_code, answer.content) == (200, PIXEL)
        assert len(PIXEL) == 43
        assert answer.headers["content-type"] == "image/gif"
        assert answer.headers["cache-control"] == "no-store"
        (found,) = stored()
        assert (found["name"], found["props"], found["path"], found["utm_source"]) == (
            "Mail opened",
            {"mail": "7"},
            "/m",
            "m",
        )

    def test_takes_the_page_from_the_referer(self, client: TestClient, stored: Stored) -> None:
        client.get("/collect?site=default&name=x", headers={"referer": "https://shop.example/a"})
        assert stored()[0]["url"] == "https://shop.example/a"

    def test_says_in_a_header_why_it_rejected(self, client: TestClient) -> None:
        answer = client.get("/collect?site=default&name=$order_paid&$order_id=1")
        assert (answer.content, answer.headers["x-footfall-rejected"]) == (PIXEL, "reserved_for_server")

    @pytest.mark.parametrize(("query", "status"), [("", 400), ("?site=nobody&name=x", 404), ("?site=default", 200)])
    def test_without_site_or_name(self, client: TestClient, query: str, status: int) -> None:
        assert client.get(f"/collect{query}").status_code == status

    def test_hostile_query(self, client: TestClient, stored: Stored) -> None:
        rest = "a=%FF%ED%A0%80&" + "&".join(f"p{i}=1" for i in range(100))
        assert client.get(f"/collect?site=default&name=%00&{rest}").headers["x-footfall-rejected"] == "bad_name"
        assert client.get(f"/collect?site=default&name=%00x&{rest}").status_code == 200
        assert [each["name"] for each in stored()] == ["x"]


def test_received_is_accepted_duplicate_and_rejected(client: TestClient) -> None:
    same = make_event(id=make_id())
    post(client, make_batch(same, same, make_event(name="")))
    post(client, b"nonsense")
    lines = dict(line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines() if not line.startswith("#"))
    assert float(lines["footfall_events_received_total"]) == 4
    assert float(lines["footfall_events_accepted_total"]) == 1
    assert float(lines["footfall_events_duplicate_total"]) == 1
    assert float(lines['footfall_events_rejected_total{code="bad_name"}']) == 1
    assert float(lines['footfall_events_rejected_total{code="invalid_json"}']) == 1


def test_a_pages_forwarded_header_is_not_believed(client: TestClient, stored: Stored) -> None:
    post(client, make_batch(make_event()), **{"x-forwarded-for": "81.2.69.142"})
    assert stored()[0]["ip"] != "81.2.69.142"


def test_client_hints_of_the_headers_count(client: TestClient, stored: Stored) -> None:
    post(
        client,
        make_batch(make_event()),
        **{
            "user-agent": "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/131.0.0.0 Mobile Safari/537.36",
            "sec-ch-ua": '"Brave";v="131", "Chromium";v="131", "Not_A Brand";v="24"',
            "sec-ch-ua-mobile": "?1",
            "sec-ch-ua-platform": '"Android"',
        },
    )
    (found,) = stored()
    assert (found["browser"], found["os"], found["device_type"]) == ("Brave", "Android", "mobile")


def test_the_clock_of_the_page_is_corrected_by_sent_at(client: TestClient, stored: Stored) -> None:
    event = make_event(time="2026-11-24T14:03:20.000Z")
    answer = post(client, make_batch(event, sent_at="2026-11-24T14:03:22.000Z"))
    assert answer.json()["warnings"][0]["code"] == "clock_skew"
    assert stored()[0]["time"] == "2026-11-23T14:03:20.000Z"
    assert NOW_MS == 1_795_442_602_000


@pytest.mark.parametrize("arrived", [[], [b'{"site":"def', b'ault"']], ids=["at once", "half way"])
async def test_a_body_cut_off_by_the_client_is_counted_and_stores_nothing(
    settings: Settings, arrived: list[bytes]
) -> None:
    app = create_app(settings)
    parts = app.start()
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in arrived]
    messages.append({"type": "http.disconnect"})
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": "/collect",
        "query_string": b"",
        "headers": [],
        "client": None,
    }
    await app(scope, receive, send)
    assert sent == []
    assert parts.accounts.refused_requests == {"client_gone": 1}
    assert parts.queue.counts().received == 0
    close_parts(parts)


async def test_a_fault_is_500_and_not_an_acknowledgement(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("server.web.collect.page_beacon", fail)
    with TestClient(create_app(settings)) as client:
        answer = post(client, make_batch(make_event()), origin="https://shop.example")
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
        assert "unforeseen" not in answer.text
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"


async def test_a_queue_that_cannot_promise_is_503_with_retry_after(settings: Settings) -> None:
    with TestClient(app := create_app(settings)) as client:
        app.state.parts.queue.close()
        answer = post(client, make_batch(make_event()), origin="https://shop.example")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "queue_unavailable")
        assert answer.headers["retry-after"] == "1"
        assert app.state.parts.queue.counts().received == 0


async def test_a_refused_body_is_let_go_without_the_garbage_collector(tmp_path: Path) -> None:
    """Whatever holds the body holds the one who waits for the answer: when he is gone, so is it."""
    parts = create_app(make_settings(tmp_path / "data", network_events_per_minute=1)).start()
    scope = {"headers": [], "client": ("203.0.113.7", 4711), "query_string": b""}
    statuses: list[int] = []

    def send() -> "weakref.ref[Any]":
        def answer(head: AnswerHead, _: bytes) -> None:
            statuses.append(head.status)

        take_batch(parts, scope, b"{", asyncio.get_running_loop(), answer)
        return weakref.ref(answer)

    gc.disable()
    try:
        waiting = [send(), send()]  # the second is beyond the limit
        for _ in range(2):  # what is submitted later ends later, and the committer has forgotten what was before
            await parts.queue.submit(Submission(()))
        assert [each() for each in waiting] == [None, None]
    finally:
        gc.enable()
        await asyncio.to_thread(close_parts, parts)
    assert sorted(statuses) == [400, 429]
