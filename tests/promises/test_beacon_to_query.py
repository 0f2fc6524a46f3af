"""Beacon in, query out: what a page sends can be asked for within a second of the answer."""

import json
import statistics
import time
import uuid

import pytest

from tests.promises.conftest import StartServer
from tests.real_server import RealServer, fetch

TRIES = 5
GIVEN_UP_S = 10.0
PROMISED_S = 1.0
AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0"

pytestmark = pytest.mark.promise


def test_a_beacon_is_in_the_answer_to_a_query_within_a_second(start: StartServer) -> None:
    """The median of a few tries counts: a busy machine may stop any single one."""
    server = start()

    delays = [_seconds_until_visible(server) for _ in range(TRIES)]

    assert statistics.median(delays) <= PROMISED_S, delays


def _seconds_until_visible(server: RealServer) -> float:
    event_id = str(uuid.uuid4())
    event = {"id": event_id, "name": "Shown", "session_id": "s-1", "props": {"colour": "green"}}
    body = json.dumps({"site": "default", "visitor_id": "v-1", "events": [event]}).encode()
    answer = fetch(f"{server.base_url}/collect", headers={"user-agent": AGENT}, body=body)
    assert (answer.status, answer.json()["accepted"]) == (200, 1)
    answered_s = time.monotonic()
    while True:
        found = [each for each in server.get("/api/events?limit=10").json()["events"] if each["id"] == event_id]
        waited_s = time.monotonic() - answered_s
        if found:
            break
        assert waited_s < GIVEN_UP_S, "the event never came out"
        time.sleep(0.01)
    assert [found[0][name] for name in ("name", "visitor_id", "session_id", "browser", "os")] == [
        "Shown",
        "v-1",
        "s-1",
        "Firefox",
        "Windows",
    ]
    assert found[0]["props"] == {"colour": "green"}
    return waited_s
