"""Keeps who is who up to date: takes what the writer has moved, event by event, exactly once.

Contract
    The writer calls `take` with the events of a batch, in the queue's order, after the store has them. What they say
    about people, and how far the queue has been read, is one transaction; the events that follow from them (names that
    changed, people who were merged) are in the queue before it is committed, under ids that follow from their causes.
    Whatever dies in between, the batch is taken again and ends the same.

    Everything can be made anew from the store (`rebuild`): where the file is missing, as in a folder that was restored
    or is of an earlier version, and when somebody is erased.

    A fact that is newer than all its world has seen is added to it. With an older one the world is made anew from its
    facts, once for all that a batch brings: so the order in which facts arrive does not matter (merges.py tells what
    they mean).

    Events are removed after the retention; people go when they were not seen for so long (`expire`). What was said of
    the others before stays in the store, as the least events that say it, so that they can be made anew; when and where
    they were seen is what the store still tells (`see_again`).

Bound
    What pages say adds to the weight of a world: 1 for a fact, 1 for each of its operations and 1 for each
    WEIGHED_BYTES of those. What would take it beyond MAX_WEIGHT is ignored here, whoever sends it with a public key: it
    bounds what making a world anew can cost, and what its facts take on disk.
    The event is stored like any other. What the site's own server says is always taken in. The bound holds also where
    everything is made anew, in the order of the moments: which facts are beyond it may be others then.
"""

import logging
from collections import Counter, deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import orjson

from server.errors import EVENT_FAULTS
from server.events.head import Head, Numbered, read_event
from server.events.model import StoredEvent
from server.identity.merges import Fact, Node
from server.identity.open_worlds import OpenWorlds, Outcome
from server.identity.people_expiry import facts_before, forget_unseen, replace_sightings, seen_before
from server.identity.people_file import (
    Place,
    Sighting,
    clear,
    find_worlds,
    has_fact,
    is_known,
    new_world,
    open_people,
    position_of,
    save_position,
    save_sightings,
)
from server.ingest.facts import derive, fact_of, is_of_page, least_event, may_say
from server.ingest.stored_people import stored_facts, stored_sightings
from server.storage.base import Store
from server.storage.sqlite_log import empty_log
from server.storage.sqlite_transaction import transaction

Emit = Callable[[Sequence[StoredEvent]], None]
MAX_WEIGHT = 50_000
SEEN_AT_ONCE = 50_000
"""Ids of one question to the store, which goes through all of the events for it."""
WEIGHED_BYTES = 256
_Key = tuple[str, Literal["visitor", "user"], str]

log = logging.getLogger("footfall.people")


class _Unfit(Exception):
    """A fact cannot be taken in, by a fault of this program. Shape: key is its site and id."""

    def __init__(self, key: tuple[str, str]) -> None:
        super().__init__(*key)
        self.key = key


class People:
    """Owns the file's one writing connection; for one thread.

    Shape:  emit makes the events that follow durable before it returns. Errors: sqlite3.Error, or emit's; then nothing
            of the batch was taken.
    """

    def __init__(self, path: Path | str, emit: Emit) -> None:
        self._database = open_people(path)
        self._emit = emit
        self._ignored: Counter[str] = Counter()

    def position(self, queue_id: str) -> int:
        """Return the number of the last event taken from this queue, 0 before the first."""
        return position_of(self._database, queue_id)

    def take(self, events: Sequence[Numbered], queue_id: str, position: int) -> None:
        """Take in events and record the queue's position, both or neither."""
        database = self._database
        try:
            with transaction(database):
                worlds = OpenWorlds(database)
                # in the order of their moments: what is older than its world makes the world anew
                saying = sorted((head.time, head.id, line) for _, head, line in events if may_say(head))
                outcomes = chain((self._take_one(read_event(line), worlds) for _, _, line in saying), worlds.settle())
                # at once: the values are the world's own, and go on changing
                followed = [follower for each in outcomes if each is not None for follower in derive(*each)]
                save_sightings(database, _sightings(head for _, head, _ in events))
                save_position(database, queue_id, position)
                if followed:
                    self._emit(followed)
        finally:
            self._tell_ignored()

    def rebuild(self, store: Store, queue_id: str, position: int) -> None:
        """Forget everything and take in what the store has, all or nothing; no events follow: they are there already.

        Shape:  a fact that cannot be taken in is left out; whoever told of it first has counted it. Errors:
                sqlite3.Error, those of the store.
        """
        left_out: set[tuple[str, str]] = set()
        is_whole = False
        while not is_whole:  # begun again for each, which undoes what the fact has half done: a fault of this program
            try:
                with transaction(self._database):
                    self._make_anew(store, left_out)
                    save_position(self._database, queue_id, position)
                is_whole = True
            except _Unfit as unfit:
                left_out.add(unfit.key)
                log.exception("event %r of the site %r is left out of the file of people", *reversed(unfit.key))
            finally:
                self._tell_ignored()
        self._empty_log()

    def _make_anew(self, store: Store, left_out: Container[tuple[str, str]]) -> None:
        """Replace everything, inside a transaction. Errors: _Unfit for a fact that cannot be taken in."""
        clear(self._database)
        worlds = OpenWorlds(self._database)
        for event in stored_facts(store):
            key = (event["site"], event["id"])
            if key in left_out:
                continue
            try:
                self._take_one(event, worlds)
            except EVENT_FAULTS as error:
                raise _Unfit(key) from error
        deque(worlds.settle(), maxlen=0)
        for sightings in stored_sightings(store):
            save_sightings(self._database, sightings)

    def expire(self, before_ms: int) -> Iterator[bytes]:
        """Forget who was not seen since an instant; yield what the store has to keep of before it: the others' facts.

        Shape:  lines of JSON, each the least event that says what the fact says (facts.py). Errors: sqlite3.Error.
        """
        with transaction(self._database):
            forget_unseen(self._database, before_ms)
        self._empty_log()
        for site, fact in facts_before(self._database, before_ms):
            yield orjson.dumps(least_event(site, fact))

    def see_again(self, store: Store, before_ms: int) -> None:
        """Forget when and where ids were seen, but for what a store without all before an instant still tells.

        Errors: sqlite3.Error, those of the store.
        """
        with transaction(self._database):
            nodes = seen_before(self._database, before_ms)
            for start in range(0, len(nodes), SEEN_AT_ONCE):
                batch = nodes[start : start + SEEN_AT_ONCE]
                sightings: dict[tuple[str, Node], Sighting | None] = dict.fromkeys(batch)
                for found in stored_sightings(store, [node.id for _, node in batch]):
                    sightings |= {key: seen for key, seen in found.items() if key in sightings}
                replace_sightings(self._database, sightings)
        self._empty_log()

    def _empty_log(self) -> None:
        """Have no byte of what was removed stay in the log."""
        if not empty_log(self._database):
            log.warning("questions never paused; the file of people keeps its log until they do")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _tell_ignored(self) -> None:
        for site, number in self._ignored.items():
            log.warning("%d facts of pages of %r were ignored: too_much_history (docs/identity.md)", number, site)
        self._ignored.clear()

    def _take_one(self, event: Mapping[str, Any], worlds: OpenWorlds) -> Outcome | None:
        fact = fact_of(event)
        site = event["site"]
        if fact is None:
            user_id = event.get("user_id")
            if user_id is None or is_known(self._database, site, Node("user", user_id)):
                return None
            # the first that is heard of this user
            fact = Fact(moment=(event["time"], event["id"]), user_id=user_id, is_pages=is_of_page(event))
        if has_fact(self._database, site, fact.moment[1]):
            return None
        numbers = find_worlds(self._database, site, fact.nodes())
        weight = _weight(fact) if fact.is_pages else 0
        if weight and worlds.weight(site, numbers) + weight > MAX_WEIGHT:
            self._ignored[site] += 1
            return None
        return worlds.add(site, numbers or [new_world(self._database, site)], event, fact, weight)


def _weight(fact: Fact) -> int:
    return 1 + len(fact.operations) + len(orjson.dumps(fact.operations)) // WEIGHED_BYTES


def _sightings(heads: Iterable[Head]) -> dict[tuple[str, Node], Sighting]:
    """Return when and where each id of a batch was seen."""
    found: dict[_Key, Sighting] = {}
    for head in heads:
        place: Place = (head.country, head.region, head.city)
        if head.visitor_id:
            _see(found, (head.site, "visitor", head.visitor_id), head.time, place)
        if head.user_id:
            _see(found, (head.site, "user", head.user_id), head.time, place)
    return {(site, Node(kind, each)): seen for (site, kind, each), seen in found.items()}


def _see(found: dict[_Key, Sighting], key: _Key, time_ms: int, place: Place) -> None:
    seen = found.get(key)
    if seen is None:
        seen = found[key] = Sighting(time_ms, time_ms)
    seen.add(time_ms, place)
