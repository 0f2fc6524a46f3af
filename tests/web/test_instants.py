"""Instants that RFC 3339 cannot say in UTC: refused from outside, and told as the nearest where a store holds them."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from server.events.model import COLUMNS
from server.web.parts import Parts
from tests.conftest import wait_until_stored
from tests.factories import SECRET_KEY, make_id

BEYOND = "0001-01-01T00:00:00+14:00"
YEAR_1 = "0001-01-01T00:00:00.000Z"
OLD_MS = -(10**14)  # in the year -1199


def test_an_event_before_the_first_year_is_refused_and_its_neighbour_stands(
    client: TestClient, secret: dict[str, str], stored: Callable[..., list[dict[str, Any]]]
) -> None:
    events = [{"id": make_id(), "name": "x", "time": BEYOND}, {"id": make_id(), "name": "x"}]
    answer = client.post("/api/events", json=events, headers=secret).json()
    assert [each["code"] for each in answer["rejected"]] == ["bad_time"]
    assert [event["id"] for event in stored()] == [events[1]["id"]]


def test_a_shifted_clock_leads_to_the_first_year_at_most(client: TestClient, stored: Callable[..., Any]) -> None:
    call = {"type": "track", "event": "x", "userId": "u1", "messageId": "m1", "timestamp": "0001-01-01T00:00:00Z"}
    body = {"writeKey": SECRET_KEY, "batch": [{**call, "sentAt": "9999-12-31T23:59:59Z"}]}
    assert client.post("/v1/import", json=body).status_code == 200
    (event,) = stored()
    assert event["time"] == YEAR_1


@pytest.mark.parametrize("path", ["/api/events", "/api/stats", "/api/export", "/api/rejected", "/api/events/names"])
@pytest.mark.parametrize("name", ["since", "until"])
def test_a_question_about_such_an_instant_is_wrong(
    client: TestClient, secret: dict[str, str], path: str, name: str
) -> None:
    answer = client.get(path, params={name: BEYOND}, headers=secret)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, f"bad_{name}")


def test_a_store_that_holds_one_answers_all_questions(client: TestClient, parts: Parts, secret: dict[str, str]) -> None:
    columns = {"id": make_id(), "site": "default", "time": OLD_MS, "received_at": OLD_MS, "user_id": "anna"}
    parts.queue.put([{**dict.fromkeys(COLUMNS), "name": "x", "source": "server", "props": {}, **columns}])
    wait_until_stored(client)

    def ask(path: str) -> Any:
        answer = client.get(path, headers=secret)
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert [event["time"] for event in ask("/api/events")["events"]] == [YEAR_1]
    assert [(each["first"], each["last"]) for each in ask("/api/events/names")["names"]] == [(YEAR_1, YEAR_1)]
    assert ask("/api/users/anna")["first_seen"] == YEAR_1
    assert ask("/api/export")["time"] == YEAR_1
    assert YEAR_1 in client.get("/api/export?format=csv", headers=secret).text
    assert client.get("/api/export?format=parquet", headers=secret).content[:4] == b"PAR1"
