"""A history is made of what is in a store, and is as different as real events are."""

from pathlib import Path

import duckdb
import pytest

from bench.history import VISITS, grow_store
from server.events.model import COLUMNS
from server.reports.events import list_events
from server.reports.filters import Filter
from server.storage.duckdb import DuckDBStore
from tests.factories import NOW_MS, make_id, numbered

SEEDS, SESSIONS, DAYS = 100, 20, 10


def seed_store(path: Path) -> None:
    """Write a store of SEEDS events in SESSIONS sessions."""
    store = DuckDBStore(path)
    events = []
    for number in range(SEEDS):
        session = f"s{number % SESSIONS}"
        event = {"id": make_id(), "site": "default", "name": "n", "session_id": session, "visitor_id": f"v{session}"}
        times = {"time": NOW_MS + number, "received_at": NOW_MS + number}
        events.append({**dict.fromkeys(COLUMNS), **event, **times, "props": {"number": number}})
    store.append(numbered(events), "queue", SEEDS)
    store.close()


def test_it_has_events_of_other_ids_over_the_days_before(tmp_path: Path) -> None:
    path = tmp_path / "events.duckdb"
    seed_store(path)
    copies = 13
    assert grow_store(path, (copies + 1) * SEEDS - 50, DAYS) == (copies + 1) * SEEDS
    with duckdb.connect(str(path), read_only=True) as database:
        found = database.execute(
            "select count(distinct id), count(distinct session_id), count(distinct visitor_id),"
            " epoch_ms(min(time)), count(distinct time::date), count(*) filter (where received_at < time) from events"
        ).fetchone()
    people = copies // VISITS
    days = DAYS + 1  # the first and the last are not whole
    assert found == (
        copies * SEEDS + SEEDS,
        (copies + 1) * SESSIONS,
        (people + 1) * SESSIONS,
        NOW_MS - DAYS * 86_400_000,
        days,
        0,
    )


def test_the_server_opens_it_and_its_own_events_are_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "events.duckdb"
    seed_store(path)
    grow_store(path, 500, DAYS)
    store = DuckDBStore(path)
    events, _ = list_events(store, Filter(), SEEDS, None)
    assert store.position("queue") == SEEDS
    store.close()
    assert [event["props"]["number"] for event in events] == list(range(SEEDS - 1, -1, -1))


def test_without_seeds_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "events.duckdb"
    DuckDBStore(path).close()
    with pytest.raises(ValueError, match="nothing"):
        grow_store(path, 500, DAYS)
