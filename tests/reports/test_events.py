"""Lists of events: the order is whole, whatever the order of their arrival."""

from pathlib import Path

import duckdb
import pytest

from server.reports.events import stream_events, write_events
from server.reports.filters import Filter
from server.storage.duckdb import DuckDBStore
from tests.factories import NOW_MS, make_id, numbered


@pytest.mark.parametrize("sites", [("a", "b"), ("b", "a")])
def test_two_sites_events_of_one_id_and_instant_have_an_order(tmp_path: Path, sites: tuple[str, str]) -> None:
    store = DuckDBStore(tmp_path / "events.duckdb")
    shared = make_id()
    events = [{"id": shared, "site": site, "name": "x", "time": NOW_MS, "received_at": NOW_MS} for site in sites]
    store.append(numbered(events), "queue", 2)
    file = tmp_path / "events.parquet"
    write_events(store, Filter(), file)
    assert duckdb.read_parquet(str(file)).project("site").fetchall() == [("a",), ("b",)]
    assert [each["site"] for events in stream_events(store, Filter()) for each in events] == ["b", "a"]
    store.close()
