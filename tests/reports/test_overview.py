"""The overview tells what the single questions tell, whatever is in the store."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from server.events.model import COLUMNS
from server.reports.filters import Filter
from server.reports.overview import CARDS, overview
from server.reports.stats import count_events
from server.storage.duckdb import DuckDBStore
from tests.factories import NOW_MS, make_id, numbered

METRICS = ("events", "visitors")
VALUES: dict[str, tuple[str | None, ...]] = {
    "name": ("$page_view", "$session_start", "Signed up", "$identify"),
    "site": ("default", "other"),
    "source": ("page", "server", "webhook"),
    "visitor_id": ("v1", "v2", "v3", "v4", "v5", None),
    "utm_source": ("news", None),
    "referrer_domain": ("search.example", None),
    "channel": ("direct", None),
    "browser": ("Firefox", "Chrome", "Ünïcode", None),  # also of one visitor: nobody promises that they stay
    "os": ("Linux", "iOS", None),
    "device_type": ("pc", "mobile", None),
    "bot": ("crawler-user-agents", None, None),
}


def event(source: random.Random) -> dict[str, Any]:
    """Return a stored event of values that meet often."""
    chosen = {name: source.choice(values) for name, values in VALUES.items()}
    time = NOW_MS - source.randrange(48) * 3_600_000
    return {**dict.fromkeys(COLUMNS), **chosen, "id": make_id(), "time": time, "received_at": time, "props": {}}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDBStore]:
    """Return an empty store."""
    opened = DuckDBStore(tmp_path / "events.duckdb")
    yield opened
    opened.close()


def asked_singly(store: DuckDBStore, period: dict[str, Any], limit: int, *, with_bots: bool) -> dict[str, Any]:
    """Return what the overview should be, from a question for each of its parts."""

    def ask(dimensions: list[str], *, bots: bool, **more: Any) -> list[dict[str, Any]]:
        return count_events(store, Filter(**period, with_bots=bots, **more), METRICS, dimensions, limit)

    total, people = ask([], bots=True)[0], ask([], bots=False)[0]
    only = {"traffic_source": {"name": "$session_start"}}
    return {
        "totals": total if with_bots else people,
        "bots": {"events": total["events"] - people["events"]},
        "cards": {card: ask([card], bots=with_bots, **only.get(card, {})) for card in CARDS},
    }


@pytest.mark.parametrize("with_bots", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_the_single_questions_tell(store: DuckDBStore, seed: int, with_bots: bool) -> None:
    source = random.Random(seed)  # noqa: S311 - made-up events
    store.append(numbered(event(source) for _ in range(300)), "queue", 300)
    periods: tuple[dict[str, Any], ...] = ({}, {"site": "default", "since_ms": NOW_MS - 86_400_000, "until_ms": NOW_MS})
    for period in periods:
        for limit in (2, 100):
            found = overview(store, Filter(**period), limit, with_bots=with_bots)
            assert found == asked_singly(store, period, limit, with_bots=with_bots)
            assert found["totals"]["events"] > 0
            assert all(found["cards"].values())


def test_of_nothing_it_is_nothing(store: DuckDBStore) -> None:
    expected = {"totals": {"events": 0, "visitors": 0}, "bots": {"events": 0}, "cards": {card: [] for card in CARDS}}
    assert overview(store, Filter(), 8, with_bots=False) == expected


def test_the_answer(client: TestClient, secret: dict[str, str], stored: Any) -> None:
    answer = client.post("/api/events", content=orjson.dumps({"name": "Signed up", "visitor_id": "v"}), headers=secret)
    assert answer.json()["accepted"] == 1
    stored()
    told = client.get("/api/overview", params={"since": str(NOW_MS - 1000), "limit": "1"}, headers=secret).json()
    assert (told["since"], told["until"]) == ("2026-11-23T14:03:21.000Z", None)
    assert told["totals"] == {"events": 1, "visitors": 1}
    assert told["cards"]["name"] == [{"name": "Signed up", "events": 1, "visitors": 1}]


@pytest.mark.parametrize(
    ("query", "code"), [("limit=101", "bad_limit"), ("since=soon", "bad_since"), ("site=other", "other_site")]
)
def test_wrong_questions(client: TestClient, secret: dict[str, str], query: str, code: str) -> None:
    answer = client.get(f"/api/overview?{query}", headers=secret)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_strangers_get_nothing(client: TestClient) -> None:
    assert client.get("/api/overview").status_code == 401
