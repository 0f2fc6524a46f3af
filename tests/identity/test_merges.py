"""What facts make of visitors and users. That their order does not matter is tested in tests/ingest/test_people.py."""

from itertools import product
from typing import Any, Final

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.identity.merges import Fact, Node, World, build_world, decode_world, in_order

VISITOR: Final = "visitor"
USER: Final = "user"


def update(key: str, value: Any) -> dict[str, Any]:
    return {"op": "update_or_create", "key": key, "value": value}


def fact(time_ms: int, visitor: str | None = None, user: str | None = None, **more: Any) -> Fact:
    return Fact(moment=(time_ms, f"id {time_ms}"), visitor_id=visitor, user_id=user, **more)


def values(world: World, kind: Any, each: str) -> dict[str, Any]:
    return world.people[world.person_of(Node(kind, each))].values


def test_a_visitor_becomes_a_user_whom_nobody_knew() -> None:
    world = World()
    world.apply(fact(1, "v", operations=[update("plan", "free")]))
    change = world.apply(fact(2, "v", "u"))
    assert change.person == Node(USER, "u")
    assert change.merged is None
    assert values(world, VISITOR, "v") == {"plan": "free"}
    assert world.members_of(Node(USER, "u")) == [Node(USER, "u"), Node(VISITOR, "v")]


def test_a_visitor_s_history_joins_a_known_user_whose_values_win() -> None:
    world = World()
    world.apply(fact(1, user="u", operations=[update("$name", "Ann")]))
    world.apply(fact(2, "v", operations=[update("$name", "Bob"), update("city", "Oslo")]))
    change = world.apply(fact(3, "v", "u"))
    assert change.merged == (Node(VISITOR, "v"), Node(USER, "u"))
    assert change.changed == ()
    assert values(world, USER, "u") == {"$name": "Ann", "city": "Oslo"}
    assert world.apply(fact(4, "v", "u")).merged is None


def test_what_a_visitor_says_after_joining_is_the_user_s() -> None:
    world = build_world([fact(1, "v", "u"), fact(2, "v", operations=[update("plan", "pro")])])
    assert values(world, USER, "u") == {"plan": "pro"}


def test_two_people_in_one_browser_stay_two() -> None:
    world = build_world(
        [
            fact(1, "v", operations=[update("plan", "free")]),
            fact(2, "v", "ann"),
            fact(3, "v", "bob"),
            fact(4, "v", operations=[update("plan", "pro")]),
        ]
    )
    assert values(world, USER, "ann") == {"plan": "free"}
    assert values(world, USER, "bob") == {"plan": "pro"}
    assert world.spans["v"] == [(2, Node(USER, "ann")), (3, Node(USER, "bob"))]


@pytest.mark.parametrize("pairs", [[("a", "a")], [("a", "b"), ("b", "a")], [("a", "b"), ("b", "c"), ("c", "a")]])
def test_merging_somebody_with_themselves_or_in_a_circle_ends(pairs: list[tuple[str, str]]) -> None:
    facts = [fact(number, user=name, operations=[update(name, 1)]) for number, name in enumerate("abc")]
    facts += [fact(10 + number, user=a, into=Node(USER, b)) for number, (a, b) in enumerate(pairs)]
    world = build_world(facts)
    merged = {name for pair in pairs for name in pair}
    assert len({world.person_of(Node(USER, name)) for name in merged}) == 1
    assert set(values(world, USER, "a")) == merged


def test_a_thousand_visitors_are_one_user() -> None:
    facts = [fact(number, f"v{number}", operations=[update(f"p{number % 7}", number)]) for number in range(1000)]
    facts += [fact(2000 + number, f"v{number}", "u") for number in range(1000)]
    world = build_world(facts)
    assert len(world.people) == 1
    assert len(world.members_of(Node(USER, "u"))) == 1001


def test_a_name_that_changes_is_noticed_and_one_that_stays_is_not() -> None:
    world = World()
    assert world.apply(fact(1, "v", operations=[update("$name", "Ann")])).changed == ("$name",)
    assert world.apply(fact(2, "v", operations=[update("$name", "Ann")])).changed == ()
    assert world.apply(fact(3, "v", "new user")).changed == ()
    assert world.apply(fact(4, user="new user", operations=[update("$email", "a@example.com")])).changed == ("$email",)
    world.apply(fact(5, user="known"))
    world.apply(fact(6, "w", operations=[update("$phone", "+1")]))
    assert world.apply(fact(7, "w", "known")).changed == ("$phone",)


IDS = st.sampled_from(["1", "2", "3"])
OPERATION = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["update_or_create", "set_once", "add", "append", "union", "exclude", "delete"]),
        "key": st.sampled_from(["$name", "$initial_utm_source", "$last_utm_source", "$sessions", "n", "list"]),
        "value": st.sampled_from([1, 2, "x", ["x", "y"]]),
    }
)


@st.composite
def many_facts(draw: st.DrawFn) -> list[Fact]:
    """Return facts with distinct moments; some at the same millisecond."""
    facts = []
    for number in range(draw(st.integers(1, 14))):
        visitor, user = draw(st.one_of(st.tuples(IDS, st.none()), st.tuples(st.none(), IDS), st.tuples(IDS, IDS)))
        kind = draw(st.sampled_from([VISITOR, USER]))
        into = Node(kind, draw(IDS)) if draw(st.integers(0, 3)) == 0 else None  # type: ignore[arg-type]
        operations = draw(st.lists(OPERATION, max_size=3))
        moment = (draw(st.integers(1, 6)), f"{number:02}")
        facts.append(Fact(moment=moment, visitor_id=visitor, user_id=user, into=into, operations=operations))
    return facts


@settings(max_examples=300, deadline=None)
@given(many_facts())
def test_every_id_leads_to_one_living_person_and_the_stored_form_holds_everything(facts: list[Fact]) -> None:
    world = build_world(facts)
    for node in {node for each in facts for node in each.nodes()}:
        assert world.person_of(node) in world.people
    decoded = decode_world(orjson.loads(orjson.dumps(world.encode())))
    assert decoded == world
    for person, each in product({*world.people, *world.leads_to}, (world, decoded)):
        led = {node for node in world.leads_to if leads_through(world, node, person)}
        assert each.followers_of({person}) == {person} | led


def leads_through(world: World, node: Node, person: Node) -> bool:
    while node in world.leads_to:
        node = world.leads_to[node]
        if node == person:
            return True
    return False


def test_who_follows_one_of_many_is_found_without_looking_at_all() -> None:
    class Counted(dict[Node, Node]):
        steps = 0

        def items(self) -> Any:
            Counted.steps += len(self)
            return super().items()

    world = World(leads_to=Counted())
    for number in range(500):
        world.apply(fact(number, f"v{number}", "u"))
        assert world.followers_of({Node(VISITOR, f"v{number}")}) == {Node(VISITOR, f"v{number}")}
    assert Counted.steps <= 500


@settings(max_examples=300, deadline=None)
@given(many_facts())
def test_without_what_is_only_said_again_the_world_is_the_same(facts: list[Fact]) -> None:
    whole, lean = World(), World()
    for fact in in_order(facts):
        whole.apply(fact)
        if not lean.repeats(fact):
            lean.apply(fact)
    lean.newest = whole.newest
    assert lean == whole
