"""What the tables of hours tell is what the events tell, whatever came, went and was folded in between."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.events.head import read_heads
from server.events.model import COLUMNS
from server.reports.events import list_events
from server.reports.filters import Filter
from server.reports.names import list_names
from server.reports.overview import overview
from server.reports.overview_told import told_overview
from server.reports.reach import is_told, reach_of
from server.storage import duckdb_hours
from server.storage.base import Ask, Row, Store
from server.storage.duckdb import DuckDBStore
from server.storage.tombstones import Tombstone, digest_of
from tests.factories import NOW_MS, make_id

MINUTE, HOUR = 60_000, 3_600_000
START = NOW_MS - NOW_MS % HOUR - 5 * HOUR
UUID = "0192f0c1-0000-7000-8000-00000000000a"
VISITORS = ("v1", "v2", UUID, UUID.upper(), None)

TIMES = st.integers(0, 5 * 6).map(lambda tens: START + tens * 10 * MINUTE)
EVENTS = st.fixed_dictionaries(
    {
        "time": TIMES,
        "site": st.sampled_from(["default", "default", "other"]),
        "name": st.sampled_from(["$page_view", "$session_start", "$identify", "Signed up"]),
        "visitor_id": st.sampled_from(VISITORS),
        "user_id": st.sampled_from(["u1", None, None]),
        "source": st.sampled_from(["page", "webhook"]),
        "browser": st.sampled_from(["Firefox", "Ünïcode", None]),
        "os": st.sampled_from(["Linux", None]),
        "bot": st.sampled_from([None, None, "user-agent"]),
        "utm_source": st.sampled_from(["news", None]),
        "channel": st.sampled_from(["direct", None]),
    }
)
STEPS = st.one_of(
    st.tuples(st.just("append"), st.lists(EVENTS, min_size=1, max_size=6)),
    st.tuples(st.just("append"), st.lists(EVENTS, min_size=1, max_size=6)),
    st.tuples(st.just("fold"), st.tuples(TIMES, st.integers(1, 6))),
    st.tuples(st.just("fold"), st.tuples(TIMES, st.integers(1, 6))),
    st.tuples(st.just("erase"), st.tuples(st.sampled_from(VISITORS[:3]), TIMES)),
    st.tuples(st.just("retain"), TIMES),
    st.tuples(st.just("open again"), st.none()),
)
FILTERS = st.builds(
    Filter,
    site=st.sampled_from([None, "default"]),
    since_ms=st.none() | TIMES,
    until_ms=st.none() | TIMES,
)


class Untold:
    """A store that says that nothing is folded: what it answers comes from events."""

    def __init__(self, store: DuckDBStore) -> None:
        self._store = store

    @contextmanager
    def instant(self) -> Iterator[Ask]:
        with self._store.instant() as ask:

            def ask_events(sql: str, parameters: Mapping[str, Any]) -> list[Row]:
                return [] if sql.endswith("from folded") else ask(sql, parameters)

            yield ask_events


@pytest.fixture
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that few events are folded in several steps, back and forward, and added up in between."""
    for name, value in {"FOLD_EVENTS": 1, "MOST_EVENTS": 4, "FEW_EVENTS": 2, "MERGE_ROWS": 1}.items():
        monkeypatch.setattr(duckdb_hours, name, value)


def stored(event: dict[str, Any]) -> bytes:
    """Return a line of an event."""
    known = {"id": make_id(), "received_at": event["time"], "props": {"time": 1}}
    return orjson.dumps({**dict.fromkeys(COLUMNS), **event, **known})


def append(store: DuckDBStore, lines: list[bytes], position: int = 1) -> None:
    """Store events."""
    store.append(read_heads(enumerate(lines)), "queue", position)


def compare(store: DuckDBStore, wanted: Filter, *, with_bots: bool) -> None:
    """Expect the same of every question, asked of the tables and of events."""
    untold = cast("Store", Untold(store))
    told = overview(store, wanted, 3, with_bots=with_bots)
    assert told == overview(untold, wanted, 3, with_bots=with_bots)
    asked = replace(wanted, with_bots=with_bots)
    assert list_names(store, asked) == list_names(untold, asked)
    for visitor_id in VISITORS[:4]:
        of_one = replace(wanted, visitor_id=visitor_id)
        assert list_events(store, of_one, 2, None) == list_events(untold, of_one, 2, None)


def is_as_the_events(store: DuckDBStore) -> bool:
    """Return whether the tables have every event of the stretch, and nothing else."""
    ((counted, named),) = store.query(
        "select (select coalesce(sum(events), 0) from visits), (select coalesce(sum(events), 0) from name_counts)", {}
    )
    ((events,),) = store.query(
        "select count(*) from events, folded where time >= since and time < until and name <> '$identify'", {}
    )
    return bool(counted == named == events)


@pytest.mark.usefixtures("_small_steps")
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, min_size=2, max_size=8), FILTERS, st.booleans())
def test_the_tables_tell_what_the_events_do(
    tmp_path: Path, steps: list[tuple[str, Any]], wanted: Filter, with_bots: bool
) -> None:
    path = tmp_path / f"{make_id()}.duckdb"
    store = DuckDBStore(path)
    for position, (kind, what) in enumerate(steps):
        if kind == "append":
            append(store, [stored(each) for each in what], position)
        elif kind == "fold":
            _ = [store.fold(what[0] + duckdb_hours.LAG_MS) for _ in range(what[1])]
        elif kind == "erase":
            stone = {"salt": "00", "site": "default", "kind": "visitor", "erased_at": what[1]}
            digest = digest_of("00", "default", "visitor", what[0])
            store.erase([Tombstone(**stone, digest=digest)], lambda _: None)
        elif kind == "retain":
            kept = store.query(
                "select id, site, time from events where time < epoch_ms($time) and user_id = 'u1'", {"time": what}
            )
            lines = [stored({"site": site, "name": "$page_view", "time": what - 1}) for _, site, _ in kept[:1]]
            store.delete_before(what, lines)
        else:
            store.close()
            store = DuckDBStore(path)
        assert is_as_the_events(store)
    compare(store, wanted, with_bots=with_bots)
    store.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDBStore]:
    """Return an empty store."""
    opened = DuckDBStore(tmp_path / "events.duckdb")
    yield opened
    opened.close()


@pytest.mark.parametrize("limit", [500, 3])
def test_names_beyond_one_block_of_masks(store: DuckDBStore, limit: int) -> None:
    source = random.Random(1)  # noqa: S311 - made-up events
    events = [
        {
            "time": START + source.randrange(300) * MINUTE,
            "site": "default",
            "name": f"event {source.randrange(200)}",
            "visitor_id": source.choice(VISITORS),
            "source": "page",
        }
        for _ in range(2_000)
    ]
    append(store, [stored(each) for each in events])
    while store.fold(START + 4 * HOUR):
        pass
    untold = cast("Store", Untold(store))
    told = overview(store, Filter(), limit, with_bots=True)
    assert len(told["cards"]["name"]) == min(limit, 200)
    assert told == overview(untold, Filter(), limit, with_bots=True)


def test_no_more_names_and_sources_are_read_than_are_shown(store: DuckDBStore) -> None:
    """Both are free text: a question must not take the more memory the more there are of them."""
    events = [
        {
            "time": START + number,
            "site": "default",
            "name": name,
            "visitor_id": f"v{number}",
            "utm_source": f"s{number}",
        }
        for number in range(300)
        for name in ("$session_start", f"event {number}")
    ]
    append(store, [stored(each) for each in events])
    while store.fold(START + HOUR):
        pass
    read = []
    with store.instant() as ask:

        def ask_and_count(sql: str, parameters: Mapping[str, Any]) -> list[Row]:
            rows = ask(sql, parameters)
            read.append(len(rows))
            return rows

        reach = reach_of(ask, Filter())
        assert reach is not None
        rows = told_overview(ask_and_count, reach, Filter(), 8, with_bots=True)
    assert next(value for card, value, *_ in rows if card == "name") == "$session_start"
    assert read[0] < 50


def test_a_visitor_of_many_hours_is_found_in_all_of_them(store: DuckDBStore) -> None:
    events = [{"time": START - n * HOUR, "site": "default", "name": "n", "visitor_id": "v1"} for n in range(40)]
    append(store, [stored(each) for each in events])
    while store.fold(START + HOUR):
        pass
    wanted, cursor = Filter(visitor_id="v1"), None
    found: list[Any] = []
    while len(found) < 40:
        page, cursor = list_events(store, wanted, 7, cursor)
        found += page
    assert cursor is None
    assert found == list_events(cast("Store", Untold(store)), wanted, 100, None)[0]


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (Filter(), (START, START + 3 * HOUR + 1)),
        (Filter(since_ms=START + 1, until_ms=START + 2 * HOUR + 1), (START + HOUR, START + 2 * HOUR)),
        (Filter(since_ms=START + 1, until_ms=START + HOUR + 1), None),
        (Filter(until_ms=START), None),
        (Filter(since_ms=START + 4 * HOUR), None),
    ],
)
def test_whole_hours_of_the_period_are_told(store: DuckDBStore, wanted: Filter, told: tuple[int, int] | None) -> None:
    event = {"site": "default", "name": "n"}
    append(store, [stored({**event, "time": START + n * HOUR}) for n in range(4)])
    while store.fold(START + 9 * HOUR):
        pass
    with store.instant() as ask:
        reach = reach_of(ask, wanted)
    assert (reach and (reach.since_ms, reach.until_ms)) == told


@pytest.mark.parametrize("wanted", [Filter(session_id="s"), Filter(user_id="u"), Filter(visitor_id="v")])
def test_other_questions_are_asked_of_events(wanted: Filter) -> None:
    assert not is_told(wanted)
