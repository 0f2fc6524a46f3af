"""Keeps who is who up to date: takes what the writer has moved, event by event, exactly once.

Contract
    The writer calls `take` with the events of a batch, in the queue's order, after the store has them. What they say
    about people, and how far the queue has been read, is one transaction; the events that follow from them (names that
    changed, people who were merged) are in the queue before it is committed, under ids that follow from their causes.
    Whatever dies in between, the batch is taken again and ends the same.

    Everything can be made anew from the store (`rebuild`): where the file is missing, as in a folder that was restored
    or is of an earlier version, and when somebody is erased.

    A fact that is newer than all its world has seen is added to it. An older one makes the world anew from its facts:
    so the order in which facts arrive does not matter (merges.py tells what they mean).
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from server.errors import EVENT_FAULTS
from server.events.model import StoredEvent
from server.identity.merges import WATCHED, Change, Fact, Node, World, build_world
from server.identity.open_worlds import OpenWorlds
from server.identity.people_file import (
    Place,
    Sighting,
    clear,
    empty_log,
    find_worlds,
    has_fact,
    is_known,
    load_facts,
    new_world,
    open_people,
    position_of,
    save_belongings,
    save_fact,
    save_people,
    save_position,
    save_sightings,
)
from server.ingest.facts import derive, fact_of
from server.ingest.stored_people import stored_facts, stored_sightings
from server.storage.base import Store

Emit = Callable[[Sequence[StoredEvent]], None]
LOG_TRIES = 50
_KINDS: tuple[Literal["visitor", "user"], ...] = ("visitor", "user")
_ID_COLUMNS = {"visitor": "visitor_id", "user": "user_id"}
LOG_PAUSE_S = 0.1

log = logging.getLogger("footfall.people")


class People:
    """Owns the file's one writing connection; for one thread.

    Shape:  emit makes the events that follow durable before it returns. Errors: sqlite3.Error, or emit's; then nothing
            of the batch was taken.
    """

    def __init__(self, path: Path | str, emit: Emit) -> None:
        self._database = open_people(path)
        self._emit = emit

    def position(self, queue_id: str) -> int:
        """Return the number of the last event taken from this queue, 0 before the first."""
        return position_of(self._database, queue_id)

    def take(self, events: Sequence[Mapping[str, Any]], queue_id: str, position: int) -> None:
        """Take in events and record the queue's position, both or neither."""
        database = self._database
        database.execute("begin immediate")
        try:
            worlds = OpenWorlds(database)
            # in the order of their moments: one that is older than its world makes the world anew
            ordered = sorted(events, key=lambda event: (event["time"], event["id"]))
            followed = [each for event in ordered for each in self._take_one(event, worlds)]
            worlds.save()
            save_sightings(database, _sightings(events))
            save_position(database, queue_id, position)
            if followed:
                self._emit(followed)
            database.execute("commit")
        except BaseException:
            database.execute("rollback")
            raise

    def rebuild(self, store: Store, queue_id: str, position: int) -> None:
        """Forget everything and take in what the store has, all or nothing; no events follow: they are there already.

        Shape:  a fact that cannot be taken in is left out; whoever told of it first has counted it. Errors:
                sqlite3.Error, those of the store.
        """
        left_out: set[tuple[str, str]] = set()
        while (unfit := self._rebuild_without(left_out, store, queue_id, position)) is not None:
            left_out.add(unfit)
            log.error("event %r of the site %r is left out of the file of people", unfit[1], unfit[0])
        for _ in range(LOG_TRIES):
            if empty_log(self._database):
                return
            time.sleep(LOG_PAUSE_S)
        log.warning("questions never paused; the file of people keeps its log until they do")

    def _rebuild_without(
        self, left_out: Container[tuple[str, str]], store: Store, queue_id: str, position: int
    ) -> tuple[str, str] | None:
        """Make everything anew; return the site and id of a fact that could not be taken in, and then nothing changed.

        Begun again for each, which is for faults of this program only: what a fact has half done is undone that way.
        """
        database = self._database
        database.execute("begin immediate")
        try:
            clear(database)
            worlds = OpenWorlds(database)
            for event in stored_facts(store):
                found = (event["site"], event["id"])
                if found in left_out:
                    continue
                try:
                    self._take_one(event, worlds)
                except EVENT_FAULTS:
                    log.exception("a fact cannot be taken in")
                    database.execute("rollback")
                    return found
            worlds.save()
            for sightings in stored_sightings(store):
                save_sightings(database, sightings)
            save_position(database, queue_id, position)
            database.execute("commit")
        except BaseException:
            database.execute("rollback")
            raise
        return None

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _take_one(self, event: Mapping[str, Any], worlds: OpenWorlds) -> Sequence[StoredEvent]:
        fact = fact_of(event)
        site = event["site"]
        if fact is None:
            user_id = event.get("user_id")
            if user_id is None or is_known(self._database, site, Node("user", user_id)):
                return ()
            fact = Fact(moment=(event["time"], event["id"]), user_id=user_id)  # the first that is heard of this user
        if has_fact(self._database, site, fact.moment[1]):
            return ()
        change, values = add_fact(self._database, worlds, site, fact)
        return list(derive(event, change, values))


def add_fact(
    database: sqlite3.Connection, worlds: OpenWorlds, site: str, fact: Fact
) -> tuple[Change, Mapping[str, Any]]:
    """Take in one new fact; return what it changed and the properties that its person has now."""
    numbers = find_worlds(database, site, fact.nodes())
    number = numbers[0] if numbers else new_world(database, site)
    found = [worlds.load(each) for each in numbers]
    worlds.unite(number, numbers[1:])
    save_fact(database, site, number, fact)
    world = World()
    for each in found:
        world.take_in(each)
    known = world.belongings()
    if fact.moment > world.newest:
        change = world.apply(fact)
    else:
        before = _watched(world, fact)
        world = build_world(load_facts(database, number))
        person = world.person_of(fact.nodes()[-1])
        after = _watched(world, fact)
        changed = [name for name in WATCHED if after.get(name) not in (None, before.get(name))]
        change = Change(person, tuple(changed))
    moved = {node: person for node, person in world.belongings().items() if known.get(node) != person}
    save_belongings(database, site, number, moved)
    save_people(database, site, world.people)
    worlds.put(number, world)
    return change, world.people[change.person].values


def _watched(world: World, fact: Fact) -> Mapping[str, Any]:
    properties = world.people.get(world.person_of(fact.nodes()[-1]))
    return properties.values if properties is not None else {}


def _sightings(events: Sequence[Mapping[str, Any]]) -> dict[tuple[str, Node], Sighting]:
    """Return when and where each id of a batch was seen."""
    found: dict[tuple[str, Literal["visitor", "user"], str], Sighting] = {}
    for event in events:
        site, time_ms = event["site"], event["time"]
        place: Place = (event.get("country"), event.get("region"), event.get("city"))
        for kind in _KINDS:
            each = event.get(_ID_COLUMNS[kind])
            if not each:
                continue
            seen = found.get((site, kind, each))
            if seen is None:
                found[site, kind, each] = Sighting(time_ms, time_ms, place)
            else:
                seen.add(time_ms, place)
    return {(site, Node(kind, each)): seen for (site, kind, each), seen in found.items()}
