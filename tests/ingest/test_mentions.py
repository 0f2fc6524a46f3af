"""Rejected events and bodies that name the erased go with them, in whatever writing; those of others stay."""

import sqlite3
from collections import Counter
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from starlette.testclient import TestClient

from server.ingest.mentions import Mentions
from server.settings import Settings
from server.storage.tombstones import Tombstone
from server.web.parts import Parts
from tests.factories import NOW_MS, make_batch, make_event

MINUTE_MS = 60_000


def rejected(settings: Settings) -> list[bytes]:
    with sqlite3.connect(settings.data_dir / "queue.sqlite") as database:
        return [row[0] for row in database.execute("select payload from rejected order by seq")]


def erase(client: TestClient, secret: dict[str, str], person_id: str) -> None:
    assert client.delete(f"/api/users/{quote(person_id)}", headers=secret).status_code == 200


TORN = [
    ("v1", b"{'site': 'default', 'visitor_id': 'v1', 'events': [{'name': 'x'}]}"),
    ("v1", b'{"site": "default", "visitor_id": "v1", "events": [{"name": "x"'),
    ("77", b'{"site": "default", "visitor_id": 77, "events": [{"name": "x"'),
    ("77", b'{"events":[{"user_id":77},{"name":'),
    ("J\u00f6rg", b'{"site": "default", "visitor_id": "J\\u00f6rg", "events": [{"name": "x"'),
    ("J\u00f6rg", "visitor_id=J\u00f6rg&name=x".encode()),
    ("a\U0001f600", b'{"visitor_id": "a\\ud83d\\ude00", "events": ['),
    ("a/b", b'{"visitor_id": "a\\/b", "events": ['),
    ("v1", b'{"data": {"body": "{\\"visitor_id\\":\\"v1\\"}", "cut'),
    ("v1", b"site=default&visitor_id=v1&name=x"),
    ("v1", b"name=x&visitor_id=v1"),
    ("ann smith", b"visitor_id=ann+smith&name=x"),
    ("ann smith", b"visitor_id=ann%20smith&name=x"),
    ("ann smith", b"{'visitor_id': 'ann smith', 'name': 'x'}"),
    ("ann@shop.example", b"user_id=ann%40shop.example&name=x"),
    ("ann+1@shop.example", b"user_id=ann%2B1%40shop.example&name=x"),
    ("a=b", b"{'visitor_id': 'a=b', 'name': 'x'}"),
    ("O'Hara", b'{"visitor_id": "O\'Hara", "events": ['),
    ("v1", b"data=%7B%22visitor_id%22%3A%22v1%22%7D"),
    ("v1", b"visitor_id: v1\nname: x\n"),
    ("\u00e4" * 255, b"visitor_id=" + b"%C3%A4" * 255 + b"&name=x"),
]


@pytest.mark.parametrize(("visitor_id", "body"), TORN)
def test_a_body_that_is_no_json_goes_with_whom_it_names(
    client: TestClient, parts: Parts, settings: Settings, visitor_id: str, body: bytes
) -> None:
    other = b"site=default&visitor_id=other&name=x"
    for each in (body, other):
        assert client.post("/collect", content=each, headers={"content-type": "text/plain"}).status_code >= 400
    assert len(rejected(settings)) == 2
    assert parts.writer is not None
    parts.writer.erase("default", [("visitor", visitor_id), ("user", visitor_id)])
    assert rejected(settings) == [other]


@pytest.mark.parametrize("body", [b'"' * 999, b"\\" * 999, b"%" * 999, b"\\ud800\\", b"\xff%ff", b"\\u00", b"=&'"])
def test_a_body_of_nothing_but_marks_names_nobody(
    client: TestClient, secret: dict[str, str], settings: Settings, body: bytes
) -> None:
    client.post("/collect", content=body, headers={"content-type": "text/plain"})
    erase(client, secret, "somebody")
    assert rejected(settings) == [body]


def test_each_text_of_a_torn_body_is_looked_up_once(
    client: TestClient, secret: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = Counter[bytes]()
    look_up = Mentions._look_up

    def note(self: Mentions, text: bytes) -> list[Tombstone]:
        texts[text] += 1
        return look_up(self, text)

    monkeypatch.setattr(Mentions, "_look_up", note)
    for number in range(3):
        body = "&".join(f"a%20{each}=b+{each}" for each in range(500)) + f"&end={number}"
        client.post("/collect", content=body.encode(), headers={"content-type": "text/plain"})
    erase(client, secret, "somebody")
    assert texts[b"a 7"] == texts[b"b 7"] == texts[b"b+7"] == 1
    assert set(texts.values()) == {1}


@pytest.fixture
def shared(client: TestClient, secret: dict[str, str]) -> None:
    """Have a browser be ann's, and bob's from ten minutes ago until now."""
    joins = [
        {"name": "Join", "visitor_id": "v1", "user_id": user, "time": NOW_MS - ago * MINUTE_MS}
        for user, ago in (("ann", 90), ("bob", 10))
    ]
    assert client.post("/api/events", json=joins, headers=secret).json()["accepted"] == 2


def reject(client: TestClient, *, event: dict[str, Any], **changes: Any) -> None:
    answer = client.post("/collect", json=make_batch(make_event(name="", **event), visitor_id="v1", **changes))
    assert len(answer.json()["rejected"]) == 1


BY_ANN = [NOW_MS - 50 * MINUTE_MS, "2026-11-23T13:13:22Z", (NOW_MS - 50 * MINUTE_MS) / 1000]
BY_BOB = [NOW_MS - 5 * MINUTE_MS, "2026-11-23T13:58:22Z", NOW_MS + MINUTE_MS]
UNKNOWN = [None, "yesterday", True, [1]]


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize(
    ("times", "goes_with"), [(BY_ANN, {"ann"}), (BY_BOB, {"bob"}), (UNKNOWN, {"ann", "bob"})], ids=["ann", "bob", "?"]
)
@pytest.mark.parametrize("erased", ["ann", "bob"])
def test_what_came_late_from_a_shared_browser_goes_with_whose_it_was_when_it_happened(
    client: TestClient, secret: dict[str, str], settings: Settings, times: list[Any], goes_with: set[str], erased: str
) -> None:
    for each in times:
        reject(client, event={"time": each})
    erase(client, secret, erased)
    assert len(rejected(settings)) == (0 if erased in goes_with else len(times))


@pytest.mark.usefixtures("shared")
def test_a_page_s_wrong_clock_is_corrected_here_too(
    client: TestClient, secret: dict[str, str], settings: Settings
) -> None:
    hour_ms = 60 * MINUTE_MS
    reject(client, event={"id": "by-ann", "time": NOW_MS - 50 * MINUTE_MS + hour_ms}, sent_at=NOW_MS + hour_ms)
    reject(client, event={"id": "by-bob", "time": NOW_MS - 5 * MINUTE_MS - hour_ms}, sent_at=NOW_MS - hour_ms)
    erase(client, secret, "ann")
    assert [orjson.loads(each)["id"] for each in rejected(settings)] == ["by-bob"]
