"""The tables of hours are kept as the events are: when they arrive, late, erased, too old, or from an older file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest

from server.events.head import read_heads
from server.events.model import COLUMNS
from server.storage import duckdb_hours
from server.storage.base import StoreRefused
from server.storage.duckdb import DuckDBStore
from server.storage.duckdb_file import STEPS, open_file
from server.storage.duckdb_hours import FOLD_PAUSE_MS, LAG_MS
from server.storage.hours import TABLES
from server.storage.tombstones import Tombstone, digest_of
from tests.factories import NOW_MS, make_id
from tests.syncs import Syncs

MINUTE, HOUR = 60_000, 3_600_000
START = NOW_MS - NOW_MS % HOUR
UUID = "0192f0c1-0000-7000-8000-00000000000a"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDBStore]:
    """Return an empty store."""
    opened = DuckDBStore(tmp_path / "events.duckdb")
    yield opened
    opened.close()


def line(time_ms: int, **changes: Any) -> bytes:
    """Return a line of an event."""
    known = {"id": make_id(), "site": "default", "name": "n", "visitor_id": UUID, "source": "page", "props": {}}
    return orjson.dumps({**dict.fromkeys(COLUMNS), **known, "time": time_ms, "received_at": time_ms, **changes})


def append(store: DuckDBStore, *lines: bytes) -> None:
    """Store events."""
    store.append(read_heads(enumerate(lines)), "queue", 1)


def fold(store: DuckDBStore, until_ms: int) -> int:
    """Fold all that is due, up to an instant; return how many steps it took."""
    steps = 0
    while store.fold(until_ms + LAG_MS):
        steps += 1
    return steps


def counts(store: DuckDBStore) -> list[tuple[Any, ...]]:
    """Return when visitors were there, in hours from START, and how many events they made."""
    return store.query(
        f"select (epoch_ms(hour) - {START}) // {HOUR}, coalesce(visitor_uuid::varchar, visitor_text),"
        " sum(events)::bigint from visits group by all order by all",
        {},
    )


def changes_of(store: DuckDBStore) -> int:
    """Return how many rows there are of visits, whether they could be one or not."""
    return int(store.query("select count(*) from visits", {})[0][0])


def erase(store: DuckDBStore, visitor_id: str) -> None:
    """Erase a visitor."""
    digest = digest_of("00", "default", "visitor", visitor_id)
    stone = Tombstone(salt="00", site="default", kind="visitor", digest=digest, erased_at=START + 9 * HOUR)
    store.erase([stone], lambda _: None)


def test_what_has_arrived_is_folded_forward_and_what_was_there_back(store: DuckDBStore) -> None:
    append(store, line(START - 30 * HOUR), line(START), line(START + 1))
    fold(store, START + MINUTE)
    assert counts(store) == [(-30, UUID, 1), (0, UUID, 2)]
    append(store, line(START + 2 * MINUTE))
    store.fold(START + 2 * MINUTE + LAG_MS + FOLD_PAUSE_MS)
    assert counts(store) == [(-30, UUID, 1), (0, UUID, 3)]


def test_nothing_is_done_when_nothing_is_due(store: DuckDBStore) -> None:
    assert fold(store, START) == 1  # a look at the events
    assert fold(store, START + HOUR) == 0
    append(store, line(START + HOUR))
    assert not store.fold(START + LAG_MS + FOLD_PAUSE_MS - 1)  # few events, and little time
    assert store.fold(START + LAG_MS + FOLD_PAUSE_MS)


def test_an_operation_is_in_no_table(store: DuckDBStore) -> None:
    append(store, line(START, name="$identify"), line(START + 1))
    fold(store, START + MINUTE)
    assert counts(store) == [(0, UUID, 1)]
    assert store.query("select name from names", {}) == [("n",)]


def test_what_comes_late_is_added_again_and_again_and_folds_nothing(store: DuckDBStore) -> None:
    append(store, line(START), line(START + 3 * HOUR))
    fold(store, START + 4 * HOUR)
    for number in range(5):
        append(store, line(START + number), line(START + number, props={"time": START + 9 * HOUR}))
        assert counts(store) == [(0, UUID, 3 + 2 * number), (3, UUID, 1)]
    assert fold(store, START + 4 * HOUR) == 0


def test_what_is_older_than_all_that_is_folded_is_folded_as_well(store: DuckDBStore) -> None:
    append(store, line(START), line(START + HOUR))
    fold(store, START + 2 * HOUR)
    append(store, line(START - 9 * HOUR))
    assert counts(store) == [(0, UUID, 1), (1, UUID, 1)]
    assert fold(store, START + 2 * HOUR) > 0
    assert counts(store) == [(-9, UUID, 1), (0, UUID, 1), (1, UUID, 1)]


def test_what_is_refused_leaves_no_rows(store: DuckDBStore) -> None:
    append(store, line(START), line(START + HOUR))
    fold(store, START + 2 * HOUR)
    with pytest.raises(StoreRefused):
        append(store, line(START), line(START, received_at="soon"))
    assert counts(store) == [(0, UUID, 1), (1, UUID, 1)]


def test_a_full_disk_between_events_and_tables_leaves_neither_and_stops_nothing(
    store: DuckDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(store, line(START), line(START + HOUR))
    fold(store, START + 2 * HOUR)
    written: list[bytes] = []

    def write_bytes(path: Path, content: bytes) -> int:
        written.append(content)
        if len(written) > 1:
            raise OSError("No space left on device")
        return write(path, content)

    write = Path.write_bytes
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_bytes)
        with pytest.raises(OSError, match="No space"):
            append(store, line(START + 1))
    assert counts(store) == [(0, UUID, 1), (1, UUID, 1)]
    append(store, line(START + 1))
    assert counts(store) == [(0, UUID, 2), (1, UUID, 1)]
    assert store.query("select count(*) from events", {}) == [(3,)]


def test_late_events_of_the_erased_stay_out(store: DuckDBStore) -> None:
    append(store, line(START), line(START + HOUR, visitor_id="other"))
    fold(store, START + 2 * HOUR)
    erase(store, UUID)
    append(store, line(START + 1), line(START + 1, visitor_id="other"))
    assert counts(store) == [(0, "other", 1), (1, "other", 1)]


def test_an_erasure_takes_rows_names_and_kinds_with_it(store: DuckDBStore, tmp_path: Path) -> None:
    theirs = {"name": "Bought a canary", "browser": "Canary browser"}
    append(
        store, line(START, **theirs), line(START, visitor_id="Canary visitor", **theirs), line(START, visitor_id="v")
    )
    fold(store, START + HOUR)
    erase(store, UUID)
    erase(store, "Canary visitor")
    assert counts(store) == [(0, "v", 1)]
    assert store.query("select name from names", {}) == [("n",)]
    assert store.query("select browser from kinds", {}) == [(None,)]
    assert store.scrub()
    store.close()
    assert b"anary" not in (tmp_path / "events.duckdb").read_bytes()


def test_an_erasure_takes_no_more_memory_the_more_hours_it_concerns(store: DuckDBStore) -> None:
    """The engine gives nothing back of what a transaction has made, not even of tables that are dropped again."""
    visitors = ("every hour", "others")
    append(store, *(line(START - n * HOUR, visitor_id=each) for n in range(300) for each in visitors))
    fold(store, START + HOUR)
    taken: list[int] = []

    def look(_: object) -> None:
        sql = "select sum(memory_usage_bytes)::bigint from duckdb_memory() where tag = 'IN_MEMORY_TABLE'"
        taken.append(store.query(sql, {})[0][0])

    digest = digest_of("00", "default", "visitor", "every hour")
    store.erase([Tombstone(salt="00", site="default", kind="visitor", digest=digest, erased_at=START + HOUR)], look)
    assert counts(store) == [(-n, "others", 1) for n in reversed(range(300))]
    assert taken[0] < 4 * 1024 * 1024


def test_the_stretch_goes_on_after_the_file_was_rewritten(store: DuckDBStore) -> None:
    append(store, line(START), line(START + HOUR))
    fold(store, START + 2 * HOUR)
    assert store.scrub()
    append(store, line(START + 1), line(START + 2 * HOUR))
    fold(store, START + 3 * HOUR)
    assert counts(store) == [(0, UUID, 2), (1, UUID, 1), (2, UUID, 1)]


def test_a_rewritten_file_is_on_the_disk_when_it_is_told(store: DuckDBStore, tmp_path: Path, syncs: Syncs) -> None:
    """A power cut could bring the old one back, with the bytes of the erased, and nobody would know."""
    append(store, line(START))
    assert store.scrub()
    assert syncs.has(tmp_path)


def test_the_retention_takes_rows_and_tells_of_what_is_kept(store: DuckDBStore) -> None:
    append(store, line(START - 5 * HOUR), line(START - 2 * HOUR, id="kept"), line(START), line(START + MINUTE))
    fold(store, START + HOUR)
    store.delete_before(START + 1, [line(START - 2 * HOUR, id="kept", name="m")])
    assert counts(store) == [(-2, UUID, 1), (0, UUID, 1)]
    assert sorted(store.query("select name from names", {})) == [("m",), ("n",)]


def test_an_hour_is_added_up_when_it_has_many_rows_and_when_it_is_over(
    store: DuckDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_hours, "FOLD_EVENTS", 1)
    monkeypatch.setattr(duckdb_hours, "MERGE_ROWS", 4)
    rows = []
    for minute in range(8):
        append(store, line(START + minute * MINUTE))
        fold(store, START + minute * MINUTE + 1)
        rows.append(changes_of(store))
    assert max(rows) == 4
    append(store, line(START + HOUR))
    fold(store, START + HOUR + 1)
    assert counts(store) == [(0, UUID, 8), (1, UUID, 1)]
    assert changes_of(store) == 2


def test_one_step_takes_no_more_events_than_a_step_may(store: DuckDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_hours, "MOST_EVENTS", 10)
    append(store, *(line(START + number * MINUTE) for number in range(60)))
    before, steps = 0, 0
    while store.fold(START + HOUR + LAG_MS):
        now = sum(row[2] for row in counts(store))
        assert now - before <= 10
        before, steps = now, steps + 1
    assert (before, steps >= 6) == (60, True)


def test_a_fault_after_the_commit_is_noticed(store: DuckDBStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever does not know whether a step was committed asks the file how far it is folded."""
    append(store, line(START), line(START + HOUR))
    fold(store, START + 1)
    hours = store._hours
    assert hours is not None
    with monkeypatch.context() as patch:
        patch.setattr(duckdb_hours, "FOLD_EVENTS", 0)
        patch.setattr(type(hours), "_note", lambda *_: (_ for _ in ()).throw(OSError("gone")))
        hours._is_known = False
        with pytest.raises(OSError, match="gone"):
            store.fold(START + 2 * HOUR)
    append(store, line(START + 2))
    assert counts(store) == [(0, UUID, 2), (1, UUID, 1)]


def test_a_file_of_format_2_is_folded_bit_by_bit(tmp_path: Path) -> None:
    path = tmp_path / "events.duckdb"
    open_file(path, STEPS[:2]).close()
    with duckdb.connect(str(path)) as database:
        names = "id, site, name, time, visitor_id"
        database.execute(f"insert into events ({names}) values ('a', 's', 'n', epoch_ms({START}), 'v')")
    store = DuckDBStore(path)
    assert (tmp_path / "events.duckdb.before-v3").exists()
    assert counts(store) == []
    fold(store, START + HOUR)
    assert counts(store) == [(0, "v", 1)]
    store.close()
    with duckdb.connect(str(path)) as database:
        assert database.execute("select version from format").fetchall() == [(3,)]
        found = database.execute("select table_name from duckdb_tables()").fetchall()
    assert {name for (name,) in found} >= set(TABLES)
