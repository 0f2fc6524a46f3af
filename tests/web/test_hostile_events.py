"""Events that nobody should send: each gets a verdict, none costs its neighbours anything, none is a 500.

A corpus of known tricks, field by field, and whatever else is JSON.
"""

import json
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.factories import make_batch, make_event

TRICKS: list[Any] = [
    None,
    True,
    0,
    -1,
    2**53 + 1,
    -(2**63),
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    "",
    " ",
    "\0",
    "\ud800",
    "\udfff\ud800",
    "\u202egnp.exe",
    "\ufeff",
    "a\u0300" * 5000,
    "\n2026-11-23 INFO footfall: forged",
    "\x1b[2J\x1b]0;title\x07",
    "'; drop table events; --",
    '"><script>alert(1)</script>',
    "=cmd|' /C calc'!A0",
    "{{7*7}}${7*7}%s%n",
    "../../../../etc/passwd",
    "javascript:alert(1)",
    "http://[::1]:99999999999/\\@evil",
    "http://" + "a." * 5000,
    "9999-12-31T23:59:60Z",
    "-271821-04-20T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "00000000-0000-0000-0000-000000000000",
    "__proto__",
    "$identify",
    "x" * 100_000,
    [],
    {},
    [[[[[[[[[[[[]]]]]]]]]]]],
    {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {}}}}}}}}}},
    {"__proto__": {"x": 1}, "constructor": {"prototype": {}}},
    {"": "", "\0": "\0", "$set": {"a": 1}, "props": {"props": {}}},
    {f"property-{number}": number for number in range(1000)},
    list(range(5000)),
]
FIELDS = ["id", "name", "time", "session_id", "page", "props", "user_id", "visitor_id", "operations"]
ENVELOPE = ["site", "visitor_id", "sent_at", "context", "tracker", "user_id"]
GOOD_NAME = "Neighbour"


def send(client: TestClient, batch: Any) -> Any:
    return client.post("/collect", content=json.dumps(batch).encode("utf-8", "surrogatepass"))


def check_verdicts(answer: Any, events: int) -> None:
    """One of two neighbours and each event between them has a verdict; the neighbours' is good."""
    assert answer.status_code == 200, answer.text
    told = answer.json()
    rejected = {each["index"] for each in told["rejected"]}
    assert told["accepted"] + told["duplicate"] + len(rejected) == events
    assert not rejected & {0, events - 1}


@pytest.mark.parametrize("field", FIELDS)
def test_every_trick_in_every_field_of_an_event(client: TestClient, secret: dict[str, str], field: str) -> None:
    tricky = [make_event(name="Tricky") | {field: trick} for trick in TRICKS]
    batch = make_batch(make_event(name=GOOD_NAME), *tricky, make_event(name=GOOD_NAME))
    check_verdicts(send(client, batch), len(TRICKS) + 2)
    listed = client.get("/api/rejected", headers=secret)
    assert listed.status_code == 200


@pytest.mark.parametrize("trick", TRICKS, ids=[f"{number}" for number in range(len(TRICKS))])
def test_every_trick_as_an_event_and_in_every_field_of_the_envelope(client: TestClient, trick: Any) -> None:
    check_verdicts(send(client, make_batch(make_event(), trick, make_event())), 3)
    for field in ENVELOPE:
        answer = send(client, make_batch(make_event()) | {field: trick})
        assert answer.status_code in ({400, 404} if field == "site" else {200}), (field, answer.text)
    assert send(client, trick).status_code in {400, 413}


def test_what_was_taken_can_be_shown_and_exported_in_every_format(client: TestClient, secret: dict[str, str]) -> None:
    tricky = [make_event(name="Tricky", props={"value": trick, "text": str(trick)[:1000]}) for trick in TRICKS]
    check_verdicts(send(client, make_batch(make_event(), *tricky, make_event())), len(TRICKS) + 2)
    parts = client.app.state.parts  # type: ignore[attr-defined]  # the client's type knows only ASGI
    assert parts.writer.wait_until_idle(20)
    asked = ["/api/events?limit=1000", "/api/stats?dimensions=name", "/api/rejected?limit=1000", "/api/events/names"]
    for path in [*asked, *(f"/api/export?format={each}" for each in ("ndjson", "csv", "parquet"))]:
        answer = client.get(path, headers=secret)
        assert answer.status_code == 200, (path, answer.text[:300])
    for line in client.get("/api/export?format=ndjson", headers=secret).content.splitlines():
        orjson.loads(line)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(categories=None), max_size=30)
    | st.sampled_from(TRICKS[:30]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(fields=st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=10), JSON, max_size=6), value=JSON)
def test_whatever_is_json_gets_a_verdict(client: TestClient, fields: dict[str, Any], value: Any) -> None:
    check_verdicts(send(client, make_batch(make_event(), make_event() | fields, value, make_event())), 4)


@settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(body=st.binary(max_size=300) | st.binary(max_size=60).map(lambda end: b'{"site":"default","events":[{' + end))
def test_whatever_is_bytes_gets_an_answer(client: TestClient, body: bytes) -> None:
    assert client.post("/collect", content=body).status_code in {200, 400, 404, 413}
