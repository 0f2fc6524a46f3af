"""Keeps in step with the store what follows it: the file of people, and the outbox. For the writer's thread only.

Each has a position of its own and may be behind, after a crash: it is told again what it has missed, from the queue,
which forgets an event only when everyone has it.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from server.errors import EVENT_FAULTS
from server.events.head import Numbered, read_heads
from server.ingest.people import People
from server.ingest.queue import Queue
from server.ingest.queue_file import add_count
from server.ingest.reading import read_moved
from server.outgoing.outbox import Outbox
from server.storage.base import Store
from server.storage.tombstones import Tombstone

SLICE_ROWS = 2_000  # those that say something are all decoded at once

Take = Callable[[Sequence[Numbered], str, int], None]

log = logging.getLogger("footfall.writer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Followers:
    """Who is told what the store has taken. Shape: None where nobody keeps them."""

    people: People | None = None
    outbox: Outbox | None = None


class Telling:
    """Tells what the store has taken, once each. An event that one of them cannot take is left out there, and counted.

    Errors: sqlite3.Error, Unavailable, and those of the store; then the same is to be told again.
    """

    def __init__(self, followers: Followers, queue: Queue, store: Store, database: sqlite3.Connection) -> None:
        self._people = followers.people
        self._outbox = followers.outbox
        self._queue = queue
        self._store = store
        self._database = database
        self._has_gaps = True

    def expect_gaps(self) -> None:
        """Say that the store has left out events of the rows that are told next: of the erased."""
        self._has_gaps = True

    def tell(self, events: Sequence[Numbered]) -> None:
        """Have the events taken."""
        if self._people is None and self._outbox is None:
            return
        for start in range(0, len(events), SLICE_ROWS):
            part = events[start : start + SLICE_ROWS]
            stored = self._stored(part)
            self._tell_people(stored, part[-1][0])
            self._tell_outbox(stored, part[-1][0])
        self._has_gaps = False

    def pass_over(self, seq: int) -> None:
        """Have people know that an event is never told, before the queue forgets it; they have all that is before it.

        Where they were behind it and the queue no longer has it, they would be made anew for whatever they miss next,
        and nothing follows from that. The outbox asks for what there is, and passes over what there is not.
        Errors: sqlite3.Error.
        """
        if self._people is not None:
            self._people.take([], self._queue.queue_id, seq)

    def catch_up(self, stored: int) -> None:
        """Tell what the store has up to a position: somebody died between the two, or a file is new."""
        self._has_gaps = True
        queue_id = self._queue.queue_id
        if self._outbox is not None:  # what it has missed is in the queue, or was for nobody
            self._replay(self._outbox.start_at(queue_id, stored, self._queue.last_seq()), stored, self._tell_outbox)
        if self._people is not None:
            self._catch_up_people(self._people, stored)

    def forget(self, stored: int, tombstones: Sequence[Tombstone]) -> None:
        """Have the erased forgotten, once the store has forgotten them. Shape: stored is the store's position."""
        self._has_gaps = True
        people, outbox = self._people, self._outbox
        # first what they have missed: of others' events others follow, which making everything anew would not bring
        if people is not None and not self._catch_up_people(people, stored):
            people.rebuild(self._store, self._queue.queue_id, stored)
        if outbox is not None:
            outbox.erase(tombstones)

    def expire(self, before_ms: int) -> Iterator[bytes]:
        """Have people forgotten who were not seen since an instant; yield the events that the store has to keep."""
        return iter(()) if self._people is None else self._people.expire(before_ms)

    def see_again(self, before_ms: int) -> None:
        """Have forgotten when and where people were seen, but for what the store still tells of before an instant."""
        if self._people is not None:
            self._people.see_again(self._store, before_ms)

    def _catch_up_people(self, people: People, stored: int) -> bool:
        """Tell them what they have missed; return whether they had to be made anew for that."""
        queue_id = self._queue.queue_id
        position = people.position(queue_id)
        if position < stored and position < self._first_waiting() - 1:
            people.rebuild(self._store, queue_id, stored)
            return True
        self._replay(position, stored, self._tell_people)
        return False

    def _replay(self, position: int, stored: int, tell: Callable[[Sequence[Numbered], int], None]) -> None:
        """Tell one of them what is between its position and the store's."""
        for rows in read_moved(self._database, position, stored, self._queue.last_seq):
            tell(self._stored(read_heads(rows)), rows[-1][0])

    def _tell_people(self, events: Sequence[Numbered], position: int) -> None:
        if self._people is not None:
            self._give("people", self._people.take, events, position)

    def _tell_outbox(self, events: Sequence[Numbered], position: int) -> None:
        if self._outbox is not None:
            self._give("webhooks", self._outbox.take, events, position)

    def _give(self, follower: str, take: Take, events: Sequence[Numbered], position: int) -> None:
        """Have a follower take events; halve what it cannot take until the one bad event is alone.

        One event must not stop the others: it stays in the store, and only this follower does not know it.
        """
        queue_id = self._queue.queue_id
        try:
            take(events, queue_id, position)
        except EVENT_FAULTS:
            if not events:
                raise
            if len(events) > 1:
                middle = len(events) // 2
                self._give(follower, take, events[:middle], events[middle - 1][0])
                self._give(follower, take, events[middle:], position)
                return
            ((_, head, _),) = events
            # counted before it is passed over: a kill in between may count it twice, and never not at all
            self._queue.perform(lambda database: add_count(database, "untold", follower, 1))
            take([], queue_id, position)
            log.exception("event %r was left out for %s", head.id, follower)

    def close(self) -> None:
        """Close the file of people, which nobody else writes."""
        if self._people is not None:
            self._people.close()

    def _first_waiting(self) -> int:
        """Return the number of the oldest event in the queue, or of the next where there is none."""
        row = self._database.execute("select min(seq) from waiting").fetchone()
        return int(row[0]) if row[0] is not None else self._queue.last_seq() + 1

    def _stored(self, events: Sequence[Numbered]) -> Sequence[Numbered]:
        """Return the events that the store has, where there may be gaps."""
        if not self._has_gaps:
            return events
        sql = "select site, id from events where id in (select unnest($ids))"
        stored = set(self._store.query(sql, {"ids": [head.id for _, head, _ in events]}))
        return [each for each in events if (each[1].site, each[1].id) in stored]
