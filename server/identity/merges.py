"""Who is who: from what was said about visitors and users to the people behind them.

Rules
    Words     A visitor is a browser, a user is whom the site knows by an id of its own. A fact is one thing that was
              said about one of them at a moment (time, event id).
    Order     Facts count in the order of their moments, in whatever order they arrive and however often: the same
              facts make the same people. Nothing here reads a clock.
    Join      "Visitor V is user U", vouched for by the site. V's history becomes part of U: what U has stays, what it
              lacks is filled in (`properties.py`). If nobody knew U, V simply becomes U.
    Move      A visitor that belongs to one user and is joined to another (two people, one browser, nobody signed out)
              takes nothing along: what happened before stays with the first, what happens from then on is the second's.
    Merge     "Person A is person B": A's history becomes part of B, and A's ids lead to B from then on. To merge
              somebody with themselves, also by way of a circle, does nothing.
    Spans     Events before a visitor's first join are that user's too; later ones are whose it was joined to last.

A world holds everybody who was ever mentioned together, at the least one visitor. It can be rebuilt from its facts; a
fact that is the newest so far is added without that.

A join of two who are one person by then does nothing (`World.repeats`), as long as nothing that connects ids turns up
that was said before it. So it is kept apart and no world is rebuilt from it, unless that happens.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from server.identity.properties import Moment, Properties, Result, decode_properties

WATCHED = ("$name", "$email", "$phone")
"""Properties whose change is an event of its own."""


class Node(NamedTuple):
    """One id. Shape: a visitor's and a user's are two things, even when they are the same text."""

    kind: Literal["visitor", "user"]
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that was said.

    Shape:  subjects are the visitor and the user that it names, at least one; with both they are joined. `into` makes
            it a merge of the subject into that person. operations are for the subject, after all else. is_pages: a page
            said it, whose word has a bound (people.py).
    """

    moment: Moment
    visitor_id: str | None = None
    user_id: str | None = None
    into: Node | None = None
    operations: Sequence[Any] = ()
    is_pages: bool = False

    def nodes(self) -> list[Node]:
        """Return the ids that the fact connects."""
        named = [Node("visitor", self.visitor_id)] if self.visitor_id is not None else []
        named += [Node("user", self.user_id)] if self.user_id is not None else []
        return named + ([self.into] if self.into is not None else [])

    def links(self) -> bool:
        """Return whether it says something about two ids together."""
        return self.into is not None or (self.visitor_id is not None and self.user_id is not None)


@dataclass(slots=True)
class Change:
    """What a fact did. Shape: person is who it was about, in the end; merged is (whose history, into whom)."""

    person: Node
    changed: tuple[str, ...] = ()
    merged: tuple[Node, Node] | None = None
    result: Result = field(default_factory=Result)


@dataclass(slots=True)
class World:
    """Shape: people by their ids; leads_to says whom an id belongs to that is nobody's own any more; spans are a
    visitor's joins in their order; newest is the moment of the latest fact that is no repeat; weight is what pages
    have added (people.py).
    """  # noqa: D205 - the shape is all there is to say

    people: dict[Node, Properties] = field(default_factory=dict)
    leads_to: dict[Node, Node] = field(default_factory=dict)
    spans: dict[str, list[tuple[int, Node]]] = field(default_factory=dict)
    newest: Moment = (0, "")
    weight: int = 0
    _led_here: dict[Node, set[Node]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Note who leads to whom the other way round: with a thousand browsers each join would else look at all."""
        for node, target in self.leads_to.items():
            self._led_here.setdefault(target, set()).add(node)

    def __contains__(self, node: Node) -> bool:
        """Return whether somebody has this id."""
        return node in self.people or node in self.leads_to

    def repeats(self, fact: Fact) -> bool:
        """Return whether a fact only joins those who are one person at its moment.

        Of what is older than the world's newest it is known where the visitor's last join before it has said the same:
        from that on the visitor leads to the very user, whatever becomes of that user, until it is joined to another.
        A span that a merge made tells no moment, 0, and is no such join; nor is one of the same millisecond.
        """
        if fact.visitor_id is None or fact.user_id is None or fact.into is not None or fact.operations:
            return False
        user = Node("user", fact.user_id)
        if fact.moment > self.newest:
            return self.person_of(Node("visitor", fact.visitor_id)) == self.person_of(user)
        joins = self.spans.get(fact.visitor_id, [])
        last = bisect_right(joins, fact.moment[0], key=lambda join: join[0]) - 1
        return last >= 0 and 0 < joins[last][0] < fact.moment[0] and joins[last][1] == user

    def person_of(self, node: Node) -> Node:
        """Return whom an id belongs to; follows every lead."""
        while node in self.leads_to:
            node = self.leads_to[node]
        return node

    def person_at(self, node: Node, time_ms: int) -> Node:
        """Return whose the events are that an id had at an instant; see `Spans`."""
        joins = self.spans.get(node.id, ()) if node.kind == "visitor" else ()
        if joins:
            node = joins[max(0, bisect_right(joins, time_ms, key=lambda join: join[0]) - 1)][1]
        return self.person_of(node)

    def belongings(self) -> dict[Node, Node]:
        """Return whom each id belongs to."""
        return {node: self.person_of(node) for node in (*self.people, *self.leads_to)}

    def apply(self, fact: Fact) -> Change:
        """Take in a fact that is newer than all before it."""
        self.newest = fact.moment
        before = self._watched(fact)
        merged = None
        if fact.visitor_id is not None and fact.user_id is not None:
            merged = self._join(fact.visitor_id, fact.user_id, fact.moment)
        person = self.person_of(fact.nodes()[0])
        if fact.into is not None:
            merged = self._merge(person, self.person_of(fact.into))
            person = self.person_of(person)
        properties = self.people.setdefault(person, Properties())
        result = properties.apply(fact.operations, fact.moment)
        after = [properties.values.get(name) for name in WATCHED]
        changed = [name for name, old, new in zip(WATCHED, before, after, strict=True) if new not in (None, old)]
        return Change(person, tuple(changed), merged, result)

    def _watched(self, fact: Fact) -> list[Any]:
        """Return what the person, whom the fact will be about, is called so far."""
        known = (self.people.get(self.person_of(node)) for node in reversed(fact.nodes()))
        properties = next((each for each in known if each is not None), Properties())
        return [properties.values.get(name) for name in WATCHED]

    def take_in(self, other: "World") -> None:
        """Unite with a world that has nobody in common with this one."""
        self.people |= other.people
        for node, target in other.leads_to.items():
            self._lead(node, target)
        self.spans |= other.spans
        self.newest = max(self.newest, other.newest)
        self.weight += other.weight

    def followers_of(self, nodes: AbstractSet[Node]) -> set[Node]:
        """Return these ids and all that lead to one of them, also by way of others."""
        found, latest = set(nodes), set(nodes)
        while latest:
            latest = {node for target in latest for node in self._led_here.get(target, ())} - found
            found |= latest
        return found

    def members_of(self, person: Node) -> list[Node]:
        """Return all ids that lead to a person, its own first."""
        return [person, *sorted(node for node in self.leads_to if self.person_of(node) == person)]

    def _join(self, visitor_id: str, user_id: str, moment: Moment) -> tuple[Node, Node] | None:
        visitor, user = Node("visitor", visitor_id), self.person_of(Node("user", user_id))
        if self.person_of(visitor) == user:
            return None
        is_known = user in self.people
        history = self.people.pop(visitor, None)
        known = self.people.setdefault(user, Properties())
        if history is not None:
            known.absorb(history)
        self._lead(visitor, user)
        self.spans.setdefault(visitor_id, []).append((moment[0], user))
        return (visitor, user) if history is not None and is_known else None

    def _merge(self, person: Node, into: Node) -> tuple[Node, Node] | None:
        if person == into:
            return None
        self.people.setdefault(into, Properties()).absorb(self.people.pop(person, Properties()))
        self._lead(person, into)
        if person.kind == "visitor":
            self.spans.setdefault(person.id, []).append((0, into))
        return person, into

    def _lead(self, node: Node, target: Node) -> None:
        before = self.leads_to.get(node)
        if before is not None:
            self._led_here[before].discard(node)
        self.leads_to[node] = target
        self._led_here.setdefault(target, set()).add(node)

    def encode(self) -> list[Any]:
        """Return the stored form: JSON values only."""
        return [
            [[*node, *properties.encode()] for node, properties in self.people.items()],
            [[*node, *target] for node, target in self.leads_to.items()],
            {visitor_id: [[time_ms, *node] for time_ms, node in spans] for visitor_id, spans in self.spans.items()},
            self.newest,
            self.weight,
        ]


def decode_world(encoded: Sequence[Any]) -> World:
    """Return a world from its stored form."""
    people, leads_to, spans, newest, *weight = encoded  # earlier versions kept no weight
    return World(
        {Node(kind, each): decode_properties(properties) for kind, each, *properties in people},
        {Node(kind, each): Node(*target) for kind, each, *target in leads_to},
        _decode_spans(spans),
        (newest[0], newest[1]),
        *weight,
    )


def _decode_spans(spans: Mapping[str, Sequence[Sequence[Any]]]) -> dict[str, list[tuple[int, Node]]]:
    return {visitor_id: [(time_ms, Node(*node)) for time_ms, *node in all_of] for visitor_id, all_of in spans.items()}


def in_order(facts: Iterable[Fact]) -> list[Fact]:
    """Return facts in the order in which they count, each once."""
    return sorted({fact.moment: fact for fact in facts}.values(), key=lambda fact: fact.moment)


def build_world(facts: Iterable[Fact]) -> World:
    """Return the world that facts make, in whatever order they are given; a repeated one counts once."""
    world = World()
    for fact in in_order(facts):
        world.apply(fact)
    return world
