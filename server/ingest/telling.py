"""Keeps the file of people in step with the store. For the writer's thread only."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import orjson

from server.ingest.people import People
from server.ingest.queue import Queue
from server.ingest.reading import Damaged, Waiting, read_waiting
from server.storage.base import Store

SLICE_ROWS = 2_000  # decoded events take five times the room of encoded ones


class TellPeople:
    """Tells what the store has taken, once each. Shape: people is None where nobody keeps them.

    Errors: sqlite3.Error, Unavailable, and those of the store; then the same is to be told again.
    """

    def __init__(self, people: People | None, queue: Queue, store: Store, database: sqlite3.Connection) -> None:
        self._people = people
        self._queue = queue
        self._store = store
        self._database = database
        self._has_gaps = True

    def expect_gaps(self) -> None:
        """Say that the store has left out events of the rows that are told next: of the erased, or refused ones."""
        self._has_gaps = True

    def tell(self, rows: Sequence[Waiting]) -> None:
        """Have the events taken."""
        if self._people is None:
            return
        has_gaps = self._has_gaps
        for start in range(0, len(rows), SLICE_ROWS):
            part = rows[start : start + SLICE_ROWS]
            events = [orjson.loads(event) for _, event in part]
            if has_gaps:
                events = self._only_stored(events)
            self._people.take(events, self._queue.queue_id, part[-1][0])
        self._has_gaps = False

    def catch_up(self, stored: int) -> None:
        """Tell what the store has up to a position: somebody died between the two, or the file is new."""
        if self._people is None:
            return
        position = self._people.position(self._queue.queue_id)
        if position < stored and position < self._first_waiting() - 1:
            self._people.rebuild(self._store, self._queue.queue_id, stored)
            return
        while position < stored:
            try:
                rows, _ = read_waiting(self._database, position, self._queue.last_seq)
            except Damaged as damaged:  # its turn to be set aside comes
                position = damaged.seq
                continue
            rows = [row for row in rows if row[0] <= stored]
            if not rows:
                return
            self.expect_gaps()
            self.tell(rows)
            position = rows[-1][0]

    def close(self) -> None:
        """Close the file."""
        if self._people is not None:
            self._people.close()

    def _first_waiting(self) -> int:
        """Return the number of the oldest event in the queue, or of the next where there is none."""
        row = self._database.execute("select min(seq) from waiting").fetchone()
        return int(row[0]) if row[0] is not None else self._queue.last_seq() + 1

    def _only_stored(self, events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the events that the store has."""
        sql = "select site, id from events where id in (select unnest($ids))"
        stored = set(self._store.query(sql, {"ids": [event.get("id") for event in events]}))
        return [event for event in events if (event.get("site"), event.get("id")) in stored]
