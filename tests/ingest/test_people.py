"""Who is who, as events arrive: each once, in any order, through repetitions and crashes."""

import random
from collections.abc import Sequence
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.events.model import StoredEvent
from server.identity.merges import Change, Fact, World, build_world
from server.identity.people_file import belongings_of, clear, find_worlds, load_world, open_people
from server.ingest.facts import fact_of, least_event
from server.ingest.people import People
from server.storage.duckdb import DuckDBStore
from tests.factories import numbered

QUEUE = "queue"


def event(number: int, name: str = "Event", time: int | None = None, **columns: Any) -> StoredEvent:
    """Return a stored event whose id tells its number."""
    when = number if time is None else time
    return {"id": f"id{number:03}", "site": "default", "name": name, "time": when, "props": {}, **columns}


def identify(number: int, *operations: dict[str, Any], **columns: Any) -> StoredEvent:
    return event(number, "$identify", props={"operations": list(operations)}, **columns)


def update(key: str, value: Any) -> dict[str, Any]:
    return {"op": "update_or_create", "key": key, "value": value}


class Kept(People):
    """People in memory, and the events that followed."""

    def __init__(self) -> None:
        self.followed: dict[str, StoredEvent] = {}
        super().__init__(":memory:", self._keep)

    def _keep(self, events: Sequence[StoredEvent]) -> None:
        self.followed |= {each["id"]: each for each in events}

    def take_each(self, *events: StoredEvent) -> None:
        """Take events one batch each."""
        for each in events:
            self.take(numbered([each]), QUEUE, self.position(QUEUE) + 1)

    def values(self, kind: str, each: str) -> dict[str, Any] | None:
        """Return the properties of whoever the id belongs to."""
        sql = (
            "select p.properties from nodes n left join people p on p.site = n.site"
            " and p.kind = n.person_kind and p.id = n.person_id where n.kind = ? and n.id = ?"
        )
        row = self._database.execute(sql, (kind, each)).fetchone()
        return orjson.loads(row[0]) if row and row[0] else None

    def everything(self) -> list[Any]:
        """Return all that questions can see."""
        nodes = self._database.execute("select kind, id, person_kind, person_id from nodes order by 1, 2").fetchall()
        people = self._database.execute("select kind, id, properties from people order by 1, 2").fetchall()
        return [nodes, [(kind, each, orjson.loads(properties)) for kind, each, properties in people]]

    def sightings(self) -> dict[str, tuple[Any, ...]]:
        """Return when and where each id was seen."""
        rows = self._database.execute("select id, first_seen, last_seen, country, region, city from nodes")
        return {each: tuple(seen) for each, *seen in rows}

    def weights(self) -> list[int]:
        """Return what pages have added to each world."""
        numbers = self._database.execute("select world from worlds").fetchall()
        return sorted(load_world(self._database, number).weight for (number,) in numbers)

    def names(self) -> list[str]:
        """Return the names of the events that followed."""
        return [each["name"] for each in self.followed.values()]


@pytest.fixture
def people() -> Kept:
    return Kept()


def test_an_identified_visitor_who_signs_in_is_the_user(people: Kept) -> None:
    people.take_each(
        event(
            1, "$session_start", visitor_id="v", country="NO", city="Oslo", props={"$referrer": "https://a.example/"}
        ),
        identify(2, update("$email", "a@example.com"), visitor_id="v"),
        event(3, "$auth", visitor_id="v", user_id="7"),
    )
    assert people.values("user", "7") == {
        "$sessions": 1,
        "$initial_referrer": "https://a.example/",
        "$email": "a@example.com",
    }
    assert people.names() == ["$email_changed"]


def test_joining_a_known_user_is_an_event_with_its_cause(people: Kept) -> None:
    people.take_each(
        event(1, "Order", user_id="7"),
        event(2, "$session_start", visitor_id="v", session_id="s", browser="Firefox"),
        event(3, "$auth", visitor_id="v", user_id="7", session_id="s", browser="Firefox"),
    )
    [merged] = people.followed.values()
    assert merged["name"] == "$user_merged"
    assert merged["props"] == {
        "$from": "v",
        "$from_kind": "visitor",
        "$to": "7",
        "$to_kind": "user",
        "$cause": "id003",
    }
    assert (merged["time"], merged["source"], merged["browser"]) == (3, "server", "Firefox")
    people.take_each(merged)  # the writer brings it along like any other
    assert people.names() == ["$user_merged"]


def test_nobody_has_an_empty_id(people: Kept) -> None:
    people.take_each(
        identify(1, update("plan", "pro"), visitor_id=""),
        event(2, "$user_merged", props={"$from": "", "$from_kind": "visitor", "$to": "anna"}),
        event(3, "$user_merged", props={"$from": "anna", "$to": "", "$to_kind": "visitor"}),
    )
    assert people._database.execute("select count(*) from nodes").fetchone() == (0,)


@pytest.mark.parametrize("into", [("user", "7"), ("visitor", "w")])
def test_what_a_merge_changes_is_told_as_an_event_of_who_is_left(people: Kept, into: tuple[str, str]) -> None:
    """Of nobody's, it would stay when they are erased, with the address in it."""
    kind, target = into
    merge = {"$from": "8", "$from_kind": "user", "$to": target, "$to_kind": kind}
    people.take_each(
        identify(0, update("plan", "pro"), **{f"{kind}_id": target}),
        identify(1, update("$email", "a@example.com"), user_id="8"),
        event(2, "$user_merged", props=merge),
    )
    told = [(each.get(f"{kind}_id"), each["props"]) for each in people.followed.values()]
    assert told[1:] == [(target, {"$email": "a@example.com", "$cause": "id002"})]


def test_campaigns_stay_with_the_user_first_and_last(people: Kept) -> None:
    for number, source in enumerate(("a", "b", "c")):
        people.take_each(event(number, "$utm_hit", visitor_id="v", props={"$utm_source": source, "$utm_term": ""}))
    assert people.values("visitor", "v") == {"$initial_utm_source": "a", "$last_utm_source": "c"}


def test_signing_up_writes_name_and_address(people: Kept) -> None:
    people.take_each(event(1, "$registered", visitor_id="v", props={"$name": "Ann", "$email": "a@example.com"}))
    assert people.values("visitor", "v") == {"$name": "Ann", "$email": "a@example.com"}
    assert people.names() == ["$name_changed", "$email_changed"]


def test_a_batch_that_fails_is_taken_again_and_ends_the_same(people: Kept) -> None:
    first = identify(1, update("$name", "Ann"), visitor_id="v")
    keep = people._emit

    def fail(_: Sequence[StoredEvent]) -> None:
        raise OSError("no space left")

    people._emit = fail
    with pytest.raises(OSError, match="space"):
        people.take(numbered([first]), QUEUE, 1)
    assert people.position(QUEUE) == 0
    assert people.values("visitor", "v") is None
    people._emit = keep
    people.take(numbered([first, first]), QUEUE, 1)
    assert (people.position(QUEUE), people.names()) == (1, ["$name_changed"])


def test_a_late_fact_counts_at_its_own_moment(people: Kept) -> None:
    people.take_each(
        identify(5, update("plan", "pro"), visitor_id="v"), identify(2, update("plan", "free"), visitor_id="v")
    )
    assert people.values("visitor", "v") == {"plan": "pro"}


def test_sites_do_not_know_each_other(people: Kept) -> None:
    people.take_each(
        identify(1, update("plan", "pro"), user_id="7"),
        {**identify(1, update("plan", "free"), user_id="7"), "site": "other"},
    )
    assert people._database.execute("select count(*) from people").fetchone() == (2,)
    assert people._database.execute("select count(*) from worlds").fetchone() == (2,)


def test_the_place_is_that_of_the_latest_event_which_had_one(people: Kept, tmp_path: Path) -> None:
    events = [
        event(1, visitor_id="v", time=10, country="NO", region="03", city="Oslo"),
        event(2, visitor_id="v", time=30),
        event(3, visitor_id="v", time=20, country="SE"),
        event(4, visitor_id="v", time=5, country="DK"),
    ]
    expected = {"v": (5, 30, "SE", None, None)}
    for batches in (events, reversed(events)):
        people.take_each(*batches)
        assert people.sightings() == expected
        clear(people._database)
    people.take(numbered(events), QUEUE, len(events))
    assert people.sightings() == expected
    store = DuckDBStore(tmp_path / "events.duckdb")
    store.append(numbered(events), QUEUE, len(events))
    people.rebuild(store, QUEUE, len(events))
    assert people.sightings() == expected
    store.close()


def test_a_file_of_version_1_keeps_its_places(tmp_path: Path) -> None:
    path = tmp_path / "users.sqlite"
    with closing(open_people(path)) as database:
        database.execute("alter table nodes drop column placed")
        for name, country in (("v", "NO"), ("w", None)):
            row = ("default", "visitor", name, None, "visitor", name, 1, 20, country, None, None)
            database.execute(f"insert into nodes values ({', '.join('?' * len(row))})", row)
        database.execute("pragma user_version = 1")
    people = People(path, lambda _: None)
    people.take(numbered([event(1, visitor_id=name, time=10, country="SE") for name in "vw"]), QUEUE, 2)
    rows = people._database.execute("select id, last_seen, country, placed from nodes").fetchall()
    assert rows == [("v", 20, "NO", 20), ("w", 20, "SE", 10)]
    people.close()


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> list[Fact]:
    """Return a list of the facts that worlds take in, also when they are made anew."""
    facts: list[Fact] = []
    apply = World.apply

    def note(world: World, fact: Fact) -> Change:
        facts.append(fact)
        return apply(world, fact)

    monkeypatch.setattr(World, "apply", note)
    return facts


def test_a_batch_of_old_facts_makes_their_world_anew_once(people: Kept, applied: list[Fact]) -> None:
    lot = 300
    people.take(
        numbered([identify(number, update("n", number), visitor_id="v") for number in range(lot, 2 * lot)]), QUEUE, 1
    )
    assert len(applied) == lot
    people.take(numbered([identify(number, update("n", number), visitor_id="v") for number in range(lot)]), QUEUE, 2)
    assert len(applied) == lot + 2 * lot
    assert people.values("visitor", "v") == {"n": 2 * lot - 1}


def test_browsers_that_were_known_sign_in_at_a_like_cost_each_in_any_order() -> None:
    changes = []
    for lot in (100, 200):
        people = Kept()
        people.take(numbered([identify(number, visitor_id=f"v{number}") for number in range(lot)]), QUEUE, 1)
        before = people._database.total_changes
        joins = [event(lot + number, visitor_id=f"v{lot - 1 - number}", user_id="u") for number in range(lot)]
        people.take(numbered(joins), QUEUE, 2)
        changes.append(people._database.total_changes - before)
    assert changes[1] < 2.5 * changes[0]


def test_events_that_name_both_again_are_no_work_however_late(people: Kept, applied: list[Fact]) -> None:
    lot = 300
    people.take(numbered([event(number, visitor_id="v", user_id="u") for number in range(1, 2 * lot, 2)]), QUEUE, 1)
    assert len(applied) == 1
    people.take(numbered([event(number, visitor_id="v", user_id="u") for number in range(2, 2 * lot, 2)]), QUEUE, 2)
    assert len(applied) == 1
    people.take(numbered([event(lot + 1000, visitor_id="v", user_id="u", time=0)]), QUEUE, 3)
    assert len(applied) < 3 * lot


@pytest.mark.parametrize("first", ["old", "new"])
@pytest.mark.parametrize("again", ["old", "new"])
def test_a_merged_user_who_signs_in_again_is_no_work(people: Kept, applied: list[Fact], first: str, again: str) -> None:
    people.take_each(event(1, "$user_merged", props={"$from": "old", "$to": "new"}))
    people.take_each(*(event(number, visitor_id="v", user_id=first, source="page") for number in (2, 3)))
    people.take_each(*(event(number, visitor_id="v", user_id=again, source="page") for number in range(4, 9)))
    assert len(applied) == 2
    assert people._database.execute("select count(*) from repeats").fetchone() == (6,)
    people.take_each(event(9, visitor_id="v", user_id="other"))
    people.take_each(identify(10, update("said", 7), visitor_id="v", time=7))
    assert people.values("user", "new") == {"said": 7}


def test_repeated_joins_count_again_once_something_comes_between(people: Kept) -> None:
    people.take_each(*(event(number, visitor_id="v", user_id="u") for number in (1, 5, 9)))
    people.take_each(identify(7, update("said", 7), visitor_id="v"), event(6, visitor_id="v", user_id="w"))
    assert people.values("user", "w") == {"said": 7}
    people.take_each(identify(10, update("said", 10), visitor_id="v"))
    assert people.values("user", "u") == {"said": 10}


def test_a_change_that_came_late_is_told_of_the_event_that_made_it(people: Kept) -> None:
    people.take_each(identify(9, update("plan", "pro"), visitor_id="v"))
    late = [identify(1, update("n", 1), visitor_id="v"), identify(2, update("$name", "Ann"), visitor_id="v")]
    people.take(numbered([*late, identify(12, update("$name", "Eve"), visitor_id="v")]), QUEUE, 9)
    told = {(each["name"], each["props"]["$name"], each["props"]["$cause"]) for each in people.followed.values()}
    assert told == {("$name_changed", "Ann", "id002"), ("$name_changed", "Eve", "id012")}


def test_a_change_that_came_late_names_only_whom_it_is_about(people: Kept) -> None:
    """Ann had the browser before Ben: what it told late, of her time, is no cause of his, though both are about `v`."""
    people.take_each(
        event(10, "$auth", visitor_id="v", user_id="ann"), event(90, "$auth", visitor_id="v", user_id="ben")
    )
    hers = identify(50, update("$email", "ann@shop.example"), visitor_id="v", session_id="hers")
    his = identify(40, update("$email", "ben@shop.example"), user_id="ben", session_id="his")
    people.take(numbered([his, hers]), QUEUE, 3)
    (told,) = people.followed.values()
    assert told["props"] == {"$email": "ben@shop.example", "$cause": "id040"}
    assert (told["user_id"], told.get("visitor_id"), told["session_id"]) == ("ben", None, "his")


def test_what_a_browser_told_late_of_anothers_time_is_no_change_of_whose_it_is_now(people: Kept) -> None:
    known = identify(95, update("$email", "ann@shop.example"), user_id="ann")
    people.take_each(event(30, "$auth", visitor_id="v", user_id="ben"), known)
    people.followed.clear()
    late = event(20, "$session_start", visitor_id="v"), event(90, "$auth", visitor_id="v", user_id="ann")
    people.take(numbered(late), QUEUE, 3)
    assert people.values("visitor", "v") == {"$email": "ann@shop.example"}
    assert people.followed == {}


def test_what_comes_behind_a_repeat_of_the_same_millisecond_is_not_late() -> None:
    """In one batch two such facts were late together, and the change was told of the first, which made none."""
    itself = {"$from": "v", "$from_kind": "visitor", "$to": "v", "$to_kind": "visitor"}
    events = [
        identify(0, update("$name", "Ann"), visitor_id="w"),
        event(1, visitor_id="v", user_id="7"),
        event(2, visitor_id="v", user_id="7", time=6),
        event(3, "$user_merged", time=6, props=itself),
        event(4, visitor_id="w", user_id="7", time=6),
    ]
    people = Kept()
    people.take(numbered(events), QUEUE, 1)
    told = [(each["name"], each["props"]["$cause"]) for each in people.followed.values()]
    assert told == [("$name_changed", "id000"), ("$user_merged", "id004"), ("$name_changed", "id004")]
    assert people.followed == in_order(events).followed


def test_late_for_one_world_is_later_than_what_follows_in_another(people: Kept) -> None:
    """The world of v is made anew from 1, 2 and 4; that of w has seen 9, so that what unites the two is late."""
    people.take_each(identify(3, update("n", 3), visitor_id="v"), identify(9, update("n", 9), visitor_id="w"))
    merge = {"$from": "v", "$from_kind": "visitor", "$to": "new", "$to_kind": "user"}
    late = identify(1, update("$name", "Ann"), visitor_id="v")
    follows = identify(4, update("$name", "Eve"), visitor_id="v")
    into_new = event(5, "$user_merged", props=merge)
    people.take(numbered([late, follows, into_new, event(6, visitor_id="w", user_id="new")]), QUEUE, 9)
    assert people.values("visitor", "v") == {"n": 3, "$name": "Eve"} | {"n": 9}
    causes = {(each["name"], each["props"].get("$name"), each["props"]["$cause"]) for each in people.followed.values()}
    assert {("$name_changed", "Ann", "id001"), ("$name_changed", "Eve", "id004")} <= causes


def test_pages_cannot_add_without_end(
    people: Kept, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("server.ingest.people.MAX_WEIGHT", 10)
    page = [identify(number, update("n", number), visitor_id="v", source="page") for number in range(20)]
    people.take_each(*page)
    assert people.values("visitor", "v") == {"n": 4}, "of weight 2 each"
    assert "too_much_history" in caplog.text
    people.take_each(page[-1] | {"id": "elsewhere", "visitor_id": "w"})
    assert people.values("visitor", "w") == {"n": 19}, "others are not concerned"
    people.take_each(identify(30, update("n", 30), visitor_id="v", source="server"))
    assert people.values("visitor", "v") == {"n": 30}, "the site's server is taken in always"


@pytest.mark.parametrize("before_ms", [0, 100], ids=["as told", "kept by the retention"])
def test_the_bound_holds_when_people_are_made_anew(
    people: Kept, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, before_ms: int
) -> None:
    monkeypatch.setattr("server.ingest.people.MAX_WEIGHT", 10)
    page = [
        event(0, visitor_id="v", user_id="u", source="page"),
        *(identify(number, update("n", number), visitor_id="v", source="page") for number in range(1, 20)),
        event(30, user_id="told", source="page"),
        identify(40, update("n", 40), user_id="u", source="server"),
        event(200, visitor_id="v", source="page"),
        event(201, user_id="told", source="page"),
    ]
    people.take_each(*page)
    weights = people.weights()
    assert weights == [1, 9], "u's join and four operations; of told the first mention"
    store = DuckDBStore(tmp_path / "events.duckdb")
    store.append(numbered(page), QUEUE, len(page))
    store.delete_before(before_ms, list(people.expire(before_ms)))
    expected = people.everything()
    people.rebuild(store, QUEUE, len(page))
    assert (people.weights(), people.everything()) == (weights, expected)
    store.close()


def test_of_before_the_retention_only_stays_when_and_where_somebody_was_seen_that_the_store_tells(
    people: Kept, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("server.ingest.people.SEEN_AT_ONCE", 2)
    oslo: dict[str, Any] = {"country": "NO", "region": "03", "city": "Oslo"}
    events = [
        event(1, visitor_id="looked", **oslo),
        identify(2, visitor_id="told", **oslo),
        event(3, visitor_id="told", **oslo),
        event(4, visitor_id="told", user_id="u", **oslo),
        event(5, visitor_id="other", user_id="u"),
        event(6, visitor_id="other", **oslo),
        event(7, "$user_merged", props={"$from": "old", "$to": "u"}),
        event(8, visitor_id="gone", **oslo),
        event(60, visitor_id="looked"),
        event(61, user_id="u", country="SE"),
        event(62, visitor_id="new", **oslo),
    ]
    people.take_each(*events)
    store = DuckDBStore(tmp_path / "events.duckdb")
    store.append(numbered(events), QUEUE, len(events))
    store.delete_before(50, list(people.expire(50)))
    people.see_again(store, 50)
    seen = people.sightings()
    assert seen == {
        "looked": (60, 60, None, None, None),
        "told": (2, 4, None, None, None),
        "other": (5, 5, None, None, None),
        "old": (None,) * 5,
        "u": (4, 61, "SE", None, None),
        "new": (62, 62, "NO", "03", "Oslo"),
    }
    people.rebuild(store, QUEUE, len(events))
    assert people.sightings() == seen
    store.close()


def test_large_operations_of_pages_weigh_more(people: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.ingest.people.MAX_WEIGHT", 10)
    sizes = {"small": 10, "large": 2000, "as large": 2000}
    page = [
        identify(number, update(key, "x" * sizes[key]), visitor_id="v", source="page")
        for number, key in enumerate(sizes)
    ]
    people.take_each(*page)
    assert list(people.values("visitor", "v") or {}) == ["small"], "2,000 bytes weigh 7 more, which is beyond it"


IDS = ("1", "2", "3")
KINDS = ("visitor", "user")
# each is one choice of many and not many choices: half of the time went into drawing them
NAMED = st.sampled_from(
    [*((visitor, None) for visitor in IDS), *((None, user) for user in IDS)] * len(IDS) + [*product(IDS, IDS)]
)
OPERATION = st.sampled_from(
    [
        {"op": op, "key": key, "value": value}
        for op in ("update_or_create", "set_once", "add", "append", "union", "exclude", "delete")
        for key in ("$name", "$initial_utm_source", "$last_utm_source", "$sessions", "n", "list")
        for value in (1, 2, "x", ["x", "y"])
    ]
)
MERGE = st.sampled_from(
    [
        {"$from": source, "$from_kind": source_kind, "$to": target, "$to_kind": target_kind}
        for source, source_kind, target, target_kind in product(IDS, KINDS, IDS, KINDS)
    ]
)


@st.composite
def many_joins(draw: st.DrawFn) -> list[StoredEvent]:
    """Return what connects ids, most of it again and again, among operations."""
    events = []
    pairs = draw(st.lists(st.sampled_from([*product(IDS, IDS)]), min_size=1, max_size=3))
    for number, time in enumerate(draw(st.lists(st.integers(1, 15), min_size=2, max_size=16))):
        visitor, user = draw(st.sampled_from(pairs))
        kind = draw(st.sampled_from(["join"] * 6 + ["merge", "visitor", "user"]))
        if kind == "merge":
            events.append(event(number, "$user_merged", time, props=draw(MERGE)))
        elif kind == "join":
            events.append(event(number, time=time, visitor_id=visitor, user_id=user))
        else:
            columns = {"visitor_id": visitor} if kind == "visitor" else {"user_id": user}
            events.append(identify(number, draw(OPERATION), time=time, **columns))
    return events


@st.composite
def many_events(draw: st.DrawFn) -> list[StoredEvent]:
    """Return operations, joins and merges with distinct ids; some at the same millisecond."""
    events = []
    for number in range(draw(st.integers(1, 12))):
        visitor, user = draw(NAMED)
        columns: dict[str, Any] = {"time": draw(st.integers(1, 6)), "visitor_id": visitor, "user_id": user}
        if draw(st.integers(0, 3)) == 0:
            events.append(event(number, "$user_merged", props=draw(MERGE), **columns))
        else:
            events.append(identify(number, *draw(st.lists(OPERATION, max_size=3)), **columns))
    return events


def in_order(events: Sequence[StoredEvent]) -> Kept:
    people = Kept()
    people.take_each(*events)
    return people


def check_any_order(events: list[StoredEvent], shuffle: random.Random) -> None:
    expected = in_order(sorted(events, key=lambda each: (each["time"], each["id"]))).everything()
    arrived = [*events, *shuffle.choices(events, k=len(events) // 2)]
    shuffle.shuffle(arrived)
    assert in_order(arrived).everything() == expected
    people = Kept()
    people.take(numbered(arrived), QUEUE, 1)
    assert people.everything() == expected


@settings(max_examples=300, deadline=None)
@given(many_events(), st.randoms(use_true_random=False))
def test_any_order_any_repetition_and_any_interleaving_ends_in_the_same_users(
    events: list[StoredEvent], shuffle: random.Random
) -> None:
    check_any_order(events, shuffle)


@settings(max_examples=300, deadline=None)
@given(many_joins(), st.randoms(use_true_random=False))
def test_any_order_of_what_is_said_again_ends_in_the_same_users(
    events: list[StoredEvent], shuffle: random.Random
) -> None:
    check_any_order(events, shuffle)
    every = build_world(fact for each in events if (fact := fact_of(each)) is not None)
    shuffle.shuffle(events)
    people = in_order(events)
    kept = [load_world(people._database, number) for (number,) in people._database.execute("select world from worlds")]
    assert {visitor: spans for world in kept for visitor, spans in world.spans.items()} == every.spans


@settings(max_examples=100, deadline=None)
@given(many_events(), st.sampled_from([20, 40, 80]), st.randoms(use_true_random=False))
def test_any_order_ends_in_the_same_users_where_not_all_has_room(
    events: list[StoredEvent], room: int, shuffle: random.Random
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("server.identity.properties.MAX_BYTES", room)
        check_any_order(events, shuffle)


@settings(max_examples=200, deadline=None)
@given(st.one_of(many_events(), many_joins()))
def test_what_follows_is_the_same_in_one_batch_and_in_many(events: list[StoredEvent]) -> None:
    events.sort(key=lambda each: (each["time"], each["id"]))
    people = Kept()
    people.take(numbered(events), QUEUE, 1)
    assert people.followed == in_order(events).followed


@pytest.mark.promise
@pytest.mark.long
@pytest.mark.timeout(600)
@settings(max_examples=10_000, deadline=None)
@given(many_events(), st.randoms(use_true_random=False))
def test_any_order_ends_in_the_same_users_ten_thousand_times(events: list[StoredEvent], shuffle: random.Random) -> None:
    check_any_order(events, shuffle)


@settings(max_examples=100, deadline=None)
@given(many_events())
def test_the_least_event_says_what_the_fact_says(events: list[StoredEvent]) -> None:
    for fact in filter(None, map(fact_of, events)):
        assert fact_of(least_event("default", fact)) == fact


@settings(max_examples=200, deadline=None)
@given(st.one_of(many_events(), many_joins()))
def test_what_is_kept_is_what_the_facts_make(events: list[StoredEvent]) -> None:
    people = in_order(events)
    facts = [fact for each in events if (fact := fact_of(each)) is not None]
    for node in {node for fact in facts for node in fact.nodes()}:
        [number] = find_worlds(people._database, "default", [node])
        world = load_world(people._database, number)
        inhabitants = world.people.keys() | world.leads_to.keys()
        built = build_world(fact for fact in facts if {*fact.nodes()} <= inhabitants)
        assert world.newest <= built.newest  # a join that says again what is known is no news
        built.newest = world.newest
        assert built == world
        assert belongings_of(people._database, number) == world.belongings()
