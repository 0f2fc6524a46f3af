"""Which events are a person's: those of each browser while it was theirs, however often it changed hands."""

from collections.abc import Iterator

import pytest

from server.identity.merges import Node
from server.identity.person import Person, VisitorSpan
from server.reports.filters import Filter
from server.storage.duckdb import DuckDBStore
from tests.factories import numbered

TIMES = range(12)


def person(*visitors: VisitorSpan) -> Person:
    return Person(node=Node("user", "ann"), user_ids=("ann",), visitors=visitors, properties={})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBStore]:
    """Return a store in which two browsers do something each millisecond, and `v` also for a user."""
    store = DuckDBStore(tmp_path_factory.mktemp("store") / "events.duckdb")
    named = [("v", None), ("w", None), ("v", "ben"), (None, "ann")]
    events = [
        {"id": f"{visitor} {user} {time}", "site": "default", "name": "x", "time": time, "props": {}}
        | {name: value for name, value in (("visitor_id", visitor), ("user_id", user)) if value is not None}
        for visitor, user in named
        for time in TIMES
    ]
    store.append(numbered(events), "queue", 1)
    yield store
    store.close()


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], {}),
        ([("v", None, None)], {"v": TIMES}),
        ([("v", None, 3)], {"v": range(3)}),
        ([("v", 9, None), ("w", None, None)], {"v": range(9, 12), "w": TIMES}),
        ([("v", None, 2), ("v", 4, 6), ("v", 10, None), ("w", 5, 7)], {"v": [0, 1, 4, 5, 10, 11], "w": [5, 6]}),
        ([("v", 4, 4), ("v", 4, 6), ("v", 6, 6)], {"v": [4, 5]}),
    ],
)
def test_a_browser_s_events_are_a_person_s_while_it_is_theirs(
    store: DuckDBStore, spans: list[VisitorSpan], expected: dict[str, list[int]]
) -> None:
    where, parameters = Filter(site="default", person=person(*spans)).where()
    found = store.query(f"select visitor_id, epoch_ms(time), user_id from events where {where}", parameters)
    theirs = [(visitor, time, None) for visitor, times in expected.items() for time in times]
    assert set(found) == {*theirs, *((None, time, "ann") for time in TIMES)}
    assert len(found) == len(theirs) + len(TIMES)


def test_the_clause_is_as_long_for_many_spans_as_for_one() -> None:
    one, many = (person(*(("v", 2 * each, 2 * each + 1) for each in range(number))) for number in (1, 1000))
    assert Filter(person=one).where()[0] == Filter(person=many).where()[0]
