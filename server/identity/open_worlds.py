"""The worlds that one transaction reads and changes, each decoded and encoded once. Called by people.py.

A world grows with the number of its ids: a thousand visitors who become one user would else have a world of a thousand
ids read and written a thousand times (measured: 13 s in one batch, with this 1.5 s). The ids themselves are kept in the
file at once, because they tell which worlds a fact is about.

A world that is told something older than what it has seen is outdated: it is made anew from its facts, once, when
everything has been told (`settle`). Made anew for each, two requests of a stranger's took minutes.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from server.identity.merges import WATCHED, Change, Fact, Node, World, in_order
from server.identity.people_file import (
    belongings_of,
    find_worlds,
    keep_apart,
    load_facts,
    load_world,
    newest_repeat,
    properties_of,
    save_belongings,
    save_fact,
    save_people,
    save_world,
    unite_worlds,
)
from server.identity.properties import Moment

MAX_OPEN = 500

Told = Mapping[str, Any]
"""The event that a fact was in."""


class Outcome(NamedTuple):
    """What an event has done. Shape: values are the person's properties after it, at least the watched ones."""

    event: Told
    change: Change
    values: Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Outdated:
    """What a world was told since it is outdated, by the facts' moments.

    Shape:  late is what is older than something that the world had seen; following is newer than all before it.
            called are the watched properties, before, of those whom late facts are about. relinked says that repeats
            may repeat nothing any more. size is how many ids it had.
    """

    site: str
    size: int = 0
    newest: Moment = (0, "")
    weight: int = 0
    late: dict[Moment, tuple[Told, Fact]] = field(default_factory=dict)
    following: dict[Moment, Told] = field(default_factory=dict)
    called: dict[Node, Mapping[str, Any]] = field(default_factory=dict)
    is_relinked: bool = False

    def take_in(self, other: "Outdated") -> None:
        """Unite with what another world was told."""
        self.newest = max(self.newest, other.newest)
        self.weight += other.weight
        self.size += other.size
        self.late |= other.late
        self.following |= other.following
        self.called |= other.called
        self.is_relinked |= other.is_relinked


class OpenWorlds:
    """For one transaction: `settle` before it is committed; thrown away with a rollback."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._open: dict[int, tuple[str, World]] = {}
        self._outdated: dict[int, Outdated] = {}

    def weight(self, site: str, numbers: Sequence[int]) -> int:
        """Return what pages have added to these worlds."""
        known = (self._outdated.get(number) or self._load(site, number) for number in numbers)
        return sum(each.weight for each in known)

    def add(self, site: str, numbers: Sequence[int], event: Told, fact: Fact, weight: int) -> Outcome | None:
        """Take in a fact about these worlds, which it makes one; return what it did, None where that is not known yet.

        Shape:  weight is what it adds to that of its world. Where nothing is to be done it adds nothing.
        """
        if len(numbers) > 1:  # the fewest ids move: the other way round a thousand worlds of one took a million moves
            numbers = sorted(numbers, key=lambda number: self._size(site, number), reverse=True)
        keep = numbers[0]
        is_outdated = any(number in self._outdated for number in numbers)
        if not is_outdated and len(numbers) == 1 and self._load(site, keep).repeats(fact):
            save_fact(self._database, site, keep, fact, is_repeat=True)
            return None
        repeat = newest_repeat(self._database, numbers) if fact.links() else None
        is_relinked = repeat is not None and repeat > fact.moment
        if is_outdated or is_relinked or fact.moment <= max(self._load(site, each).newest for each in numbers):
            self._add_late(site, numbers, event, fact, weight, is_relinked=is_relinked)
            return None
        world = self._load(site, keep)
        for number in numbers[1:]:
            world.take_in(self._load(site, number))
        self._unite(site, numbers, fact)
        change = self._apply(site, keep, world, fact)
        world.weight += weight
        self._put(site, keep, world)
        return Outcome(event=event, change=change, values=world.people[change.person].values)

    def settle(self) -> Iterator[Outcome]:
        """Make anew what is outdated and keep everything in the file; yields what the others had done."""
        self._save()
        for number, told in self._outdated.items():
            yield from _make_anew(self._database, number, told)
        self._outdated.clear()

    def _apply(self, site: str, number: int, world: World, fact: Fact) -> Change:
        """Add a fact to its world, and record whom ids belong to from then on."""
        nodes = fact.nodes()
        before = [world.person_of(node) if node in world else None for node in nodes]
        change = world.apply(fact)
        roots = {node for node, person in zip(nodes, before, strict=True) if world.person_of(node) != person}
        if roots:
            roots.update(person for person in before if person in world.leads_to)
            moved = {node: world.person_of(node) for node in world.followers_of(roots)}
            save_belongings(self._database, site, number, moved)
        return change

    def _add_late(
        self, site: str, numbers: Sequence[int], event: Told, fact: Fact, weight: int, *, is_relinked: bool
    ) -> None:
        told = Outdated(site=site, weight=weight, is_relinked=is_relinked)
        for number in numbers:
            is_new = number not in self._outdated
            told.take_in(self._outdate(site, number) if is_new else self._outdated.pop(number))
        if is_relinked or fact.moment <= told.newest:
            told.late[fact.moment] = (event, fact)
            node = fact.nodes()[-1]
            if node not in told.called:
                properties = properties_of(self._database, site, node)
                told.called[node] = {name: properties[name] for name in WATCHED if name in properties}
        else:
            told.following[fact.moment] = event
            told.newest = fact.moment
        self._unite(site, numbers, fact)
        new = {node: node for node in fact.nodes() if not find_worlds(self._database, site, [node])}
        save_belongings(self._database, site, numbers[0], new)
        self._outdated[numbers[0]] = told

    def _outdate(self, site: str, number: int) -> Outdated:
        """Let go of a world that is to be made anew; what questions see is what its people were called before."""
        world = self._load(site, number)
        save_people(self._database, site, world.people)
        del self._open[number]
        return Outdated(site=site, newest=world.newest, weight=world.weight, size=_size_of(world))

    def _size(self, site: str, number: int) -> int:
        told = self._outdated.get(number)
        return told.size if told is not None else _size_of(self._load(site, number))

    def _unite(self, site: str, numbers: Sequence[int], fact: Fact) -> None:
        """Have everything of these worlds, and the fact, be of the first one."""
        keep, *others = numbers
        unite_worlds(self._database, keep, others)
        for other in others:
            self._open.pop(other, None)
        save_fact(self._database, site, keep, fact)

    def _load(self, site: str, number: int) -> World:
        """Return a world that is not outdated, which may be changed."""
        if number not in self._open:
            self._put(site, number, load_world(self._database, number))
        return self._open[number][1]

    def _put(self, site: str, number: int, world: World) -> None:
        if number not in self._open and len(self._open) >= MAX_OPEN:
            self._save()
        self._open[number] = (site, world)

    def _save(self) -> None:
        for number, (site, world) in self._open.items():
            save_world(self._database, number, world)
            save_people(self._database, site, world.people)
        self._open.clear()


def _size_of(world: World) -> int:
    return len(world.people) + len(world.leads_to)


def _moves(database: sqlite3.Connection, number: int, world: World) -> dict[Node, Node]:
    """Return whom ids belong to where the file does not say so yet."""
    known = belongings_of(database, number)
    return {node: person for node, person in world.belongings().items() if known.get(node) != person}


def _make_anew(database: sqlite3.Connection, number: int, told: Outdated) -> Iterator[Outcome]:
    """Make a world from its facts; yield what those did that it was told last.

    What came late did nothing at a moment at which somebody looked: it has changed what is different once all of it is
    in, before what follows.
    """
    facts = in_order(load_facts(database, number, with_repeats=told.is_relinked))
    world = World()
    late = dict(told.late)
    repeats: dict[Moment, Fact] = {}
    for fact in facts:
        if world.repeats(fact):
            repeats[fact.moment] = fact
        event = told.following.get(fact.moment)
        if event is not None:
            # late, and yet newer than this, is what found its world outdated by another with which it was united
            before = {moment: late.pop(moment) for moment in list(late) if moment < fact.moment}
            yield from _changes_of_late(world, before, told.called)
        change = world.apply(fact)
        if event is not None:
            yield Outcome(event=event, change=change, values=world.people[change.person].values)
    yield from _changes_of_late(world, late, told.called)
    keep_apart(database, told.site, number, repeats.values(), anew=told.is_relinked)
    world.newest = max(fact.moment for fact in facts if fact.moment not in repeats)
    world.weight = told.weight
    save_belongings(database, told.site, number, _moves(database, number, world))
    save_people(database, told.site, world.people)
    save_world(database, number, world)


def _changes_of_late(
    world: World, late: Mapping[Moment, tuple[Told, Fact]], called: Mapping[Node, Mapping[str, Any]]
) -> Iterator[Outcome]:
    """Yield which watched properties are others with the facts that came late, each with one of them as its cause.

    What a browser told while it was another's has changed nothing for the person whose it is by now.
    """
    causes: dict[tuple[Node, str], Told] = {}
    for event, fact in late.values():
        node = fact.nodes()[-1]
        person = world.person_of(node)
        if world.person_at(node, fact.moment[0]) != person:
            continue
        values = world.people[person].values
        for name in WATCHED:
            if values.get(name) in (None, called[node].get(name)):
                continue
            is_said = any(isinstance(each, Mapping) and each.get("key") == name for each in fact.operations)
            if is_said or (person, name) not in causes:  # the last that says so, else the first
                causes[person, name] = event
    for (person, name), event in causes.items():
        # named alone: a browser may be another's before and after, and erasing the person has to reach what is told
        whose = {"visitor_id": None, "user_id": None, f"{person.kind}_id": person.id}
        told = {column: value for column, value in {**event, **whose}.items() if value is not None}
        yield Outcome(event=told, change=Change(person, (name,)), values=world.people[person].values)
