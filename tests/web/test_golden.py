"""The tracker's own beacon, written by the tracker's tests, understood by the server: the two cannot drift."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from server.events.wire import read_instant
from tests.conftest import StandingClock
from tests.factories import CHROME

GOLDEN = Path(__file__).parent.parent / "golden" / "beacon.json"


def test_every_event_of_the_trackers_beacon_is_understood(
    client: TestClient, clock: StandingClock, stored: Callable[..., list[dict[str, Any]]]
) -> None:
    beacon = json.loads(GOLDEN.read_text(encoding="utf-8"))

    sent_ms = read_instant(beacon["sent_at"])
    assert sent_ms is not None
    clock.now_ms = sent_ms + 150
    answer = client.post("/collect", content=GOLDEN.read_bytes(), headers={"user-agent": CHROME}).json()

    sent = {event["id"]: event for event in beacon["events"]}
    assert [each["code"] for each in answer["rejected"]] == ["wrong_hash"]
    assert answer["warnings"] == []
    assert answer["accepted"] == len(sent) - 1
    found = {event["id"]: event for event in stored()}
    shown = {key for key, event in sent.items() if event["name"] not in {"$identify", "$auth"}}
    assert set(found) == shown
    for key, event in found.items():
        given = sent[key]
        assert (event["name"], event["time"], event["session_id"]) == (
            given["name"],
            given["time"],
            given["session_id"],
        )
        assert event["visitor_id"] == beacon["visitor_id"]
        assert event["url"] == given["page"]["url"]
        assert given["props"].items() <= event["props"].items()
        for column in ("resolution", "language", "timezone"):
            assert event[column] == beacon["context"][column]
    names = [event["name"] for event in stored()]
    assert names[:3] == ["$session_start", "$utm_hit", "$page_view"]
