"""Limits from outside: 429 with Retry-After wherever a public key is enough, and never for the secret key."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.settings import Settings
from tests.conftest import StandingClock
from tests.factories import make_batch, make_event, make_settings

Send = Callable[[TestClient], Any]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path / "data", site_events_per_minute=6)


def send_batch(client: TestClient) -> Any:
    body = orjson.dumps(make_batch(make_event(), make_event()))
    return client.post("/collect", content=body, headers={"origin": "https://shop.example"})


def send_pixel(client: TestClient) -> Any:
    return client.get("/collect?site=default&name=Opened&visitor_id=v", headers={"origin": "https://shop.example"})


def send_segment(client: TestClient) -> Any:
    body = {"event": "Opened", "anonymousId": "v", "writeKey": "default"}
    return client.post("/v1/track", json=body, headers={"origin": "https://shop.example"})


@pytest.mark.parametrize("send", [send_batch, send_pixel, send_segment])
def test_what_is_too_much_is_429_and_taken_when_it_is_told_to_come(
    client: TestClient, clock: StandingClock, send: Send
) -> None:
    answers = [send(client) for _ in range(12)]
    taken = [answer.status_code for answer in answers].index(429)
    refused = answers[-1]
    assert [answer.status_code for answer in answers] == [200] * taken + [429] * (12 - taken)
    assert taken in {3, 6}
    assert refused.headers["access-control-allow-origin"] == "https://shop.example"
    assert refused.headers["access-control-expose-headers"] == "Retry-After"
    assert refused.json()["error"]["code"] == "too_many_events_of_site"
    clock.now_ms += int(refused.headers["retry-after"]) * 1000
    assert send(client).status_code == 200
    assert 'footfall_requests_refused_total{code="too_many_events_of_site"}' in client.get("/metrics").text


def test_the_sites_own_server_is_never_refused(client: TestClient, secret: dict[str, str]) -> None:
    for _ in range(10):
        assert client.post("/api/events", json=[make_event(), make_event()], headers=secret).status_code == 200
    assert send_batch(client).status_code == 200


def test_what_cannot_be_read_counts_for_its_network_too(tmp_path: Path, clock: StandingClock) -> None:
    """Each refused body is kept, which is a write: nobody may have as many of them as he likes."""
    settings = make_settings(tmp_path / "data", network_events_per_minute=4)
    with TestClient(create_app(settings, clock=clock), client=("203.0.113.7", 4711)) as client:
        statuses = [client.post("/collect", content=b"{").status_code for _ in range(6)]
        other = TestClient(client.app, client=("198.51.100.7", 4711)).post("/collect", content=b"{")
    assert (statuses, other.status_code) == ([400] * 4 + [429] * 2, 400)


def test_messages_that_are_no_events_count_too(client: TestClient) -> None:
    """Each one is kept, which is a write."""
    body = {"batch": [{"type": "nothing"}] * 6, "writeKey": "default"}
    statuses = [client.post("/v1/batch", json=body).status_code for _ in range(2)]
    assert statuses == [400, 429]
