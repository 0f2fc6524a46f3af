"""What is covered by a tombstone: the same for the store's SQL and for everybody else, with bounds and without."""

import contextlib
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import duckdb
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.storage.duckdb import DuckDBStore
from server.storage.duckdb_erasure import erase_events, known_tombstones
from server.storage.duckdb_file import STEPS, open_file
from server.storage.tombstones import (
    Erased,
    ErasedId,
    Tombstone,
    add_tombstones,
    digest_of,
    merge_tombstones,
    read_tombstones,
    subjects_of,
)
from tests.factories import numbered
from tests.syncs import Syncs

IDS = st.sampled_from(["a", "b"])
TIMES = st.integers(1, 6)
BOUND = st.none() | TIMES


@st.composite
def tombstones(draw: st.DrawFn) -> Tombstone:
    kind = draw(st.sampled_from(["visitor", "user"]))
    digest = digest_of("salt", "default", kind, draw(IDS))
    bounds = (draw(BOUND), draw(BOUND)) if kind == "visitor" else (None, None)
    return Tombstone(
        salt="salt",
        site="default",
        kind=kind,
        digest=digest,
        erased_at=draw(TIMES),
        since=bounds[0],
        until=bounds[1],
    )


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    known = {"visitor_id": draw(st.none() | IDS), "user_id": draw(st.none() | IDS)}
    event = {name: value for name, value in known.items() if value is not None} | {"name": "x", "props": {}}
    if draw(st.integers(0, 4)) == 0:
        kinds = st.sampled_from(["visitor", "user"])
        props = {"$from": draw(IDS), "$from_kind": draw(kinds), "$to": draw(IDS), "$to_kind": draw(kinds)}
        event |= {"name": "$user_merged", "props": props}
    return {**event, "site": draw(st.sampled_from(["default"] * 3 + ["other"])), "time": draw(TIMES)}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(tombstones(), max_size=4), st.lists(events(), min_size=1, max_size=12))
def test_the_store_removes_and_leaves_out_what_the_others_do(
    bare_store: DuckDBStore, stones: list[Tombstone], given_events: list[dict[str, Any]]
) -> None:
    store = bare_store
    told = numbered({**event, "id": str(number)} for number, event in enumerate(given_events))
    with store._opened().cursor() as cursor:
        for table in ("events", "erased"):
            cursor.execute(f"delete from {table}")
    erased = Erased(stones)
    expected = {
        str(number)
        for number, event in enumerate(given_events)
        if not erased.covers(event["site"], subjects_of(event), event["time"])
    }
    store.erase([], lambda _: None)
    store.append(told, "queue", 1)
    removed = store.erase(stones, lambda _: None)
    assert {each for (each,) in store.query("select id from events", {})} == expected
    assert removed == len(told) - len(expected)
    with store._opened().cursor() as cursor:
        cursor.execute("delete from events")
    assert store.append(told, "queue", 2) == removed
    assert {each for (each,) in store.query("select id from events", {})} == expected
    assert store.tombstones() == set(stones)


def test_many_tombstones_take_as_many_statements_as_one(tmp_path: Path) -> None:
    class Counted:
        """A connection whose statements are counted."""

        def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
            self.execute = Mock(wraps=database.execute)

    statements = set()
    for number in (1, 300):
        with contextlib.closing(open_file(tmp_path / f"{number}.duckdb")) as database:
            stones = add_tombstones(
                tmp_path / f"{number}.jsonl", "default", [("user", f"{n}") for n in range(number)], 1
            )
            counted = Counted(database)
            erase_events(cast("duckdb.DuckDBPyConnection", counted), stones, lambda _: None)
            statements.add(counted.execute.call_count)
            assert known_tombstones(database) == set(stones)
    assert len(statements) == 1


@pytest.fixture(scope="module")
def bare_store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    store = DuckDBStore(tmp_path_factory.mktemp("store") / "events.duckdb")
    yield store
    store.close()


def test_a_line_has_bounds_only_where_there_are_any_and_lines_of_before_are_read(tmp_path: Path) -> None:
    path = tmp_path / "erased.jsonl"
    path.write_bytes(
        b'\n{"salt":"5a","site":"default","kind":"user","digest":"d1","erased_at":7}\n{"salt":"5a","site":"def'
    )
    made = add_tombstones(path, "default", [("user", "u"), ErasedId("visitor", "v", None, 9)], 10)
    old, *new = read_tombstones(path)
    assert new == made
    assert (old.digest, old.since, old.until) == ("d1", None, None)
    assert [set(orjson.loads(line)) - set(old.__slots__[:5]) for line in path.read_bytes().splitlines()[-2:]] == [
        set(),
        {"until"},
    ]
    merge_tombstones(path, [old, *made])
    assert read_tombstones(path) == [old, *made]


def test_a_store_of_before_there_were_bounds_keeps_its_tombstones(tmp_path: Path) -> None:
    path = tmp_path / "events.duckdb"
    open_file(path, STEPS[:1]).close()
    with duckdb.connect(str(path)) as database:
        database.execute("insert into erased values ('salt', 'default', 'user', 'digest', 7)")
    store = DuckDBStore(path)
    assert store.tombstones() == {
        Tombstone(salt="salt", site="default", kind="user", digest="digest", erased_at=7),
    }
    store.close()


def test_tombstones_are_on_the_disk_when_they_are_told(tmp_path: Path, syncs: Syncs) -> None:
    """What was removed cannot be removed again from a backup by what a power cut has taken."""
    path = tmp_path / "erased.jsonl"
    for number in range(2):
        add_tombstones(path, "default", [("visitor", f"v{number}")], number)
        assert syncs.has(path)
        assert syncs.has(tmp_path), "the file's name as well"
    merge_tombstones(tmp_path / "others", read_tombstones(path))
    assert syncs.missing(tmp_path) == []
