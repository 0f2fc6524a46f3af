"""`/api/events`, names, export: in with the secret key, out with filters."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.events.model import COLUMNS
from server.reports.events import write_events
from server.reports.filters import Filter
from server.settings import Settings
from server.sites import Site
from server.storage.base import Store
from tests.conftest import StandingClock, wait_until_stored
from tests.factories import NOW_MS, make_batch, make_event, make_id

Stored = Callable[..., list[dict[str, Any]]]
Secret = dict[str, str]
FULL_EVENTS: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "events" / "full_events.json").read_text(encoding="utf-8")
)


def send(client: TestClient, secret: Secret, body: Any) -> Any:
    return client.post("/api/events", content=orjson.dumps(body), headers=secret)


def test_all_48_system_events_go_in_and_come_out_unchanged(client: TestClient, secret: Secret, stored: Stored) -> None:
    events = [{"name": name, "props": props} for name, props in FULL_EVENTS.items()]
    answer = send(client, secret, {"events": events}).json()
    assert answer == {"accepted": 48, "duplicate": 0, "rejected": [], "warnings": []}
    assert {each["name"]: each["props"] for each in stored()} == FULL_EVENTS


@pytest.mark.parametrize(
    ("name", "given", "kept", "code"),
    [
        ("$order_completed", {"$order_id": 12345678901234567}, {"$order_id": "12345678901234567"}, "number_as_text"),
        ("$product_viewed", {"$amount": 99.5}, {"$amount": 100}, "rounded"),
        ("$product_viewed", {"$amount": -99.5}, {"$amount": -100}, "rounded"),
        ("$cart_viewed", {"$name": "A", "$amount": 1}, {"$name": ["A"], "$amount": [1]}, None),
        (
            "$conversation_user_started",
            {"$conversation_id": 7, "$body": "x" * 300},
            {"$conversation_id": "7", "$body": "x" * 255},
            "truncated",
        ),
        (
            "$message_sended",
            {"$message_id": "1", "$type": "sms"},
            {"$message_id": "1", "$type": "sms"},
            "unknown_value",
        ),
    ],
)
def test_or_corrected_as_the_catalogue_says(
    client: TestClient, secret: Secret, stored: Stored, name: str, given: Any, kept: Any, code: str | None
) -> None:
    answer = send(client, secret, {"name": name, "props": given}).json()
    assert answer["accepted"] == 1
    assert [each["code"] for each in answer["warnings"]] == ([code] if code else [])
    assert stored()[0]["props"] == kept


@pytest.mark.parametrize("shape", ["one", "list", "events"])
def test_takes_one_a_list_or_an_object(client: TestClient, secret: Secret, shape: str) -> None:
    event = {"name": "x"}
    body: Any = {"one": event, "list": [event, event], "events": {"events": [event]}}[shape]
    assert send(client, secret, body).json()["accepted"] == (2 if shape == "list" else 1)


def test_a_server_may_set_everything(client: TestClient, secret: Secret, stored: Stored) -> None:
    given = {
        "id": make_id(),
        "name": "Bought",
        "time": "2001-02-03T04:05:06.789Z",
        "user_id": "u1",
        "visitor_id": "v1",
        "session_id": "s1",
        "ip": "81.2.69.142",
        "user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "url": "https://shop.example/x?utm_source=a",
    }
    assert send(client, secret, given).json()["warnings"] == []
    (found,) = stored()
    for name in ("id", "name", "time", "user_id", "visitor_id", "session_id", "ip", "url"):
        assert found[name] == given[name]
    assert (found["browser"], found["country"], found["source"], found["utm_source"]) == (
        "Firefox",
        "GB",
        "server",
        "a",
    )


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "missing_key"),
        ({"authorization": "Bearer wrong"}, "wrong_key"),
        ({"authorization": "Bearer "}, "missing_key"),
        ({"authorization": "Basic !!!"}, "missing_key"),
        ({"authorization": "Bearer wr\xf6ng"}, "wrong_key"),
        ({"cookie": "footfall_session=forged"}, "missing_key"),
    ],
)
@pytest.mark.parametrize(
    "path", ["/api/events", "/api/events/names", "/api/export", "/api/stats", "/api/rejected", "/api/live"]
)
def test_strangers_get_nothing(client: TestClient, path: str, headers: dict[str, str], code: str) -> None:
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = client.get(path, headers=encoded)  # type: ignore[arg-type]  # bytes are what the wire carries
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)
    assert "www-authenticate" in answer.headers


def test_a_wrong_key_cannot_send(client: TestClient) -> None:
    answer = client.post("/api/events", content=b'{"name":"x"}', headers={"authorization": "Bearer nope"})
    assert answer.status_code == 401


def test_basic_is_the_same_key(client: TestClient, secret: Secret) -> None:
    key = secret["authorization"].removeprefix("Bearer ")
    assert client.get("/api/events", auth=(key, "")).status_code == 200


class TestQuestions:
    """Filters, order, cursor."""

    @pytest.fixture(autouse=True)
    def _ten(self, client: TestClient, stored: Stored, clock: StandingClock) -> None:
        for number in range(10):
            clock.now_ms = NOW_MS + number * 1000
            event = make_event(name=f"n{number % 3}", session_id=f"s{number % 2}", props={"number": number})
            client.post("/collect", content=orjson.dumps(make_batch(event, visitor_id=f"v{number % 5}")))
        stored()

    def numbers(self, client: TestClient, secret: Secret, **query: str) -> list[int]:
        answer = client.get("/api/events", params=query, headers=secret)
        assert answer.status_code == 200, answer.text
        return [each["props"]["number"] for each in answer.json()["events"]]

    def test_newest_first(self, client: TestClient, secret: Secret) -> None:
        assert self.numbers(client, secret) == list(range(9, -1, -1))

    @pytest.mark.parametrize(
        ("query", "numbers"),
        [
            ({"name": "n1"}, [7, 4, 1]),
            ({"visitor_id": "v3"}, [8, 3]),
            ({"session_id": "s1", "name": "n0"}, [9, 3]),
            ({"since": "2026-11-23T14:03:29Z"}, [9, 8, 7]),
            ({"until": "2026-11-23T14:03:24Z"}, [1, 0]),
            ({"since": str(NOW_MS + 4000), "until": str(NOW_MS + 6000)}, [5, 4]),
            ({"site": "default", "limit": "2"}, [9, 8]),
            ({"user_id": "nobody"}, []),
            ({"name": "' or 1=1 --"}, []),
        ],
    )
    def test_filters(self, client: TestClient, secret: Secret, query: dict[str, str], numbers: list[int]) -> None:
        assert self.numbers(client, secret, **query) == numbers

    def test_the_cursor_walks_through_everything_once(self, client: TestClient, secret: Secret) -> None:
        found: list[int] = []
        query = {"limit": "3"}
        while True:
            answer = client.get("/api/events", params=query, headers=secret).json()
            found += [each["props"]["number"] for each in answer["events"]]
            if answer["next"] is None:
                break
            query["cursor"] = answer["next"]
        assert found == list(range(9, -1, -1))

    def test_the_cursor_tells_two_sites_events_apart_that_have_one_id_and_instant(
        self, settings: Settings, tmp_path: Path
    ) -> None:
        keys = {"one": "s" * 40, "two": "t" * 40}
        sites = {name: Site(key=name, secret_key=key, auth_key=name * 20) for name, key in keys.items()}
        with TestClient(create_app(replace(settings, data_dir=tmp_path / "two", sites=sites))) as client:
            for key in keys.values():
                event = {"id": "order-1", "name": "Paid", "user_id": "u", "time": "2026-11-20T00:00:00Z"}
                answer = client.post("/api/events", json=[event], headers={"authorization": f"Bearer {key}"})
                assert answer.json()["accepted"] == 1
            wait_until_stored(client)
            client.post("/login", data={"password": "test-password"})
            first = client.get("/api/events", params={"limit": 1}).json()
            second = client.get("/api/events", params={"limit": 1, "cursor": first["next"]}).json()
        assert [each["site"] for each in first["events"] + second["events"]] == ["two", "one"]

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ({"limit": "0"}, "bad_limit"),
            ({"limit": "1001"}, "bad_limit"),
            ({"limit": "x"}, "bad_limit"),
            ({"limit": "\u0663"}, "bad_limit"),
            ({"cursor": "x"}, "bad_cursor"),
            ({"cursor": "WzEsMl0"}, "bad_cursor"),
            ({"cursor": "WzEsMiwzXQ"}, "bad_cursor"),
            ({"since": "soon"}, "bad_since"),
            ({"until": "later"}, "bad_until"),
            ({"site": "other"}, "other_site"),
        ],
    )
    def test_wrong_questions(self, client: TestClient, secret: Secret, query: dict[str, str], code: str) -> None:
        answer = client.get("/api/events", params=query, headers=secret)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)

    def test_names(self, client: TestClient, secret: Secret) -> None:
        assert client.get("/api/events/names", headers=secret).json()["names"] == [
            {"name": "n0", "count": 4, "first": "2026-11-23T14:03:22.000Z", "last": "2026-11-23T14:03:31.000Z"},
            {"name": "n1", "count": 3, "first": "2026-11-23T14:03:23.000Z", "last": "2026-11-23T14:03:29.000Z"},
            {"name": "n2", "count": 3, "first": "2026-11-23T14:03:24.000Z", "last": "2026-11-23T14:03:30.000Z"},
        ]

    def test_stats(self, client: TestClient, secret: Secret) -> None:
        query = {"metrics": "events,visitors,sessions", "dimensions": "browser,name", "limit": "1"}
        assert client.get("/api/stats", params=query, headers=secret).json()["rows"] == [
            {"browser": "Firefox", "name": "n0", "events": 4, "visitors": 4, "sessions": 2}
        ]
        assert client.get("/api/stats", headers=secret).json()["rows"] == [{"events": 10}]

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ({"metrics": "revenue; drop table events"}, "unknown_metric"),
            ({"metrics": ","}, "no_metric"),
            ({"dimensions": "props"}, "unknown_dimension"),
            ({"dimensions": "name,name,name,name"}, "too_many_dimensions"),
        ],
    )
    def test_wrong_stats(self, client: TestClient, secret: Secret, query: dict[str, str], code: str) -> None:
        answer = client.get("/api/stats", params=query, headers=secret)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)

    def test_as_lines(self, client: TestClient, secret: Secret) -> None:
        answer = client.get("/api/events", headers={**secret, "accept": "application/x-ndjson"})
        assert answer.headers["content-type"] == "application/x-ndjson"
        assert [json.loads(line)["props"]["number"] for line in answer.text.splitlines()] == list(range(9, -1, -1))

    def test_export_as_csv(self, client: TestClient, secret: Secret) -> None:
        answer = client.get("/api/export?format=csv&name=n1", headers=secret)
        head, *rows = csv.reader(io.StringIO(answer.text))
        assert head == list(COLUMNS)
        assert [json.loads(row[-1])["number"] for row in rows] == [7, 4, 1]

    def test_export_as_parquet(self, client: TestClient, secret: Secret, tmp_path: Path) -> None:
        file = tmp_path / "events.parquet"
        file.write_bytes(client.get("/api/export?format=parquet&name=n1", headers=secret).content)
        found = duckdb.execute(f"select props->>'number' from '{file}' order by 1").fetchall()
        assert found == [("1",), ("4",), ("7",)]
        assert list((tmp_path / "data").glob("export-*")) == []

    def test_an_export_as_parquet_that_an_erasure_removes_is_asked_for_again(
        self, client: TestClient, secret: Secret, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        def write_and_lose(store: Store, wanted: Filter, path: Path) -> None:
            write_events(store, wanted, path)
            assert client.delete("/api/users/somebody", headers=secret).status_code == 200

        monkeypatch.setattr("server.web.events.write_events", write_and_lose)
        answer = client.get("/api/export?format=parquet", headers=secret)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "erased_meanwhile")
        assert list((tmp_path / "data").glob("export-*")) == []

    def test_export_in_an_unknown_format(self, client: TestClient, secret: Secret) -> None:
        assert client.get("/api/export?format=xml", headers=secret).json()["error"]["code"] == "unknown_format"


def test_csv_cells_do_not_run_as_formulas(client: TestClient, secret: Secret, stored: Stored) -> None:
    send(client, secret, {"name": "=HYPERLINK(1)", "visitor_id": "@x", "title": "-1"})
    stored()
    row = next(iter(csv.DictReader(io.StringIO(client.get("/api/export?format=csv", headers=secret).text))))
    assert (row["name"], row["visitor_id"], row["title"]) == ("'=HYPERLINK(1)", "'@x", "'-1")


def test_operations_on_the_user_are_stored_but_not_shown(client: TestClient, secret: Secret, stored: Stored) -> None:
    operations = [{"op": "update_or_create", "key": "$name", "value": "Ada"}]
    answer = send(client, secret, {"name": "$identify", "user_id": "u1", "props": {"operations": operations}})
    assert answer.json()["accepted"] == 1
    assert stored() == []


def test_events_of_bots_are_kept_but_not_counted(client: TestClient, secret: Secret, stored: Stored) -> None:
    bot = {"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
    client.post("/collect", content=orjson.dumps(make_batch(make_event())), headers=bot)
    assert stored()[0]["bot"] == "crawler-user-agents"
    assert client.get("/api/stats", headers=secret).json()["rows"] == [{"events": 0}]
    assert client.get("/api/stats?bots=include", headers=secret).json()["rows"] == [{"events": 1}]
    assert client.get("/api/events/names", headers=secret).json()["names"] == []
    names = client.get("/api/events/names?bots=include", headers=secret).json()["names"]
    assert [(each["name"], each["count"]) for each in names] == [("Signed up", 1)]
