"""What is to be delivered, kept durably: takes what the writer has moved, event by event, exactly once.

Contract
    The writer calls `take` with the events of a batch, in the queue's order, after the store has them. What is due to
    subscriptions, and how far the queue has been read, is one transaction, on disk when it returns: so the queue may
    forget the events however long a target is away. What was taken is not taken again: events up to the position are
    passed over, after a crash or in a folder that was restored.

    Where nobody wants any of the events nothing is written and the position stays in memory: reading them again comes
    to the same. It is written with every change of the subscriptions, because then it might not.

    Growth is bounded: MAX_WAITING for each subscription, beyond which the oldest become dead letters, and
    MAX_DEAD of those for DEAD_KEPT_DAYS, and MAX_FILE_BYTES for all of them together; what goes beyond that is counted
    as dropped.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson

from server.clock import Clock, now_ms
from server.events.head import Numbered, read_event
from server.events.model import OPERATIONS
from server.outgoing.cloud_event import encode_cloud_event
from server.outgoing.outbox_file import (
    Subscription,
    find_position,
    insert_deliveries,
    open_outbox,
    save_position,
    select_subscriptions,
)
from server.outgoing.settling import drop_dead, shorten_line, shrink
from server.storage.sqlite_log import empty_log
from server.storage.sqlite_transaction import transaction
from server.storage.tombstones import Erased, Tombstone, subjects_of


class Outbox:
    """Owns the file. For any thread: one at a time has it.

    Errors: sqlite3.Error where the file cannot be read or written; then nothing has changed.
    """

    def __init__(self, path: Path, *, clock: Clock = now_ms) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._synced = open_outbox(path, is_synced=True)
        self._quick = open_outbox(path, is_synced=False)
        self._positions: dict[str, int] = {}
        self._subscriptions = select_subscriptions(self._synced)
        self._on_due: Callable[[], None] = lambda: None

    def on_due(self, call: Callable[[], None]) -> None:
        """Have this called when there is something new to deliver."""
        self._on_due = call

    def start_at(self, queue_id: str, stored: int, newest: int) -> int:
        """Return the position in a queue; one that was never read is begun where the store is.

        Shape:  newest is the number of the queue's last event: a queue that was restored from an older backup has given
                out less than was read, and its numbers will come again.
        """
        with self._lock:
            found = find_position(self._synced, queue_id)
            position = stored if found is None else min(found, newest)
            self._positions[queue_id] = max(position, min(self._positions.get(queue_id, 0), newest))
            return self._positions[queue_id]

    def take(self, events: Sequence[Numbered], queue_id: str, position: int) -> None:
        """Queue events for whoever wants them and record the queue's position, both or neither."""
        with self._lock:
            known = self._positions.get(queue_id, 0)
            rows = self._rows_of(events, known) if self._subscriptions else []
            if rows:
                with transaction(self._synced):
                    insert_deliveries(self._synced, rows)
                    for subscription in dict.fromkeys(row[0] for row in rows):
                        shorten_line(self._synced, subscription, self._clock())
                    shrink(self._synced)
                    save_position(self._synced, queue_id, max(known, position))
                self._subscriptions = select_subscriptions(self._synced)  # what was dropped is told at once
            self._positions[queue_id] = max(known, position)
        if rows:
            self._on_due()

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Give the file for a change of subscriptions or deliveries that is on disk afterwards, all or nothing."""
        with self._lock:
            with transaction(self._synced):
                yield self._synced
                for queue_id, position in self._positions.items():
                    save_position(self._synced, queue_id, position)
            self._subscriptions = select_subscriptions(self._synced)
        self._on_due()

    @contextmanager
    def settling(self) -> Iterator[sqlite3.Connection]:
        """Give the file for what became of an attempt: all or nothing, and cheap."""
        with self._lock:
            with transaction(self._quick):
                yield self._quick
            self._subscriptions = select_subscriptions(self._quick)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give the file for a question."""
        with self._lock:
            yield self._quick

    def subscriptions(self) -> Sequence[Subscription]:
        """Return all subscriptions as they are now."""
        return self._subscriptions

    def erase(self, tombstones: Sequence[Tombstone]) -> int:
        """Remove what is about the erased, waiting or dead, and its bytes; return how many deliveries that were.

        Errors: sqlite3.OperationalError when the log could not be emptied; calling again goes on.
        """
        erased = Erased(tombstones)
        with self._lock:
            with transaction(self._synced):
                rows = self._synced.execute(
                    "select seq, site, time, subjects from deliveries d join subscriptions s on s.id = d.subscription"
                ).fetchall()
                gone = [
                    (seq,) for seq, site, when, subjects in rows if erased.covers(site, orjson.loads(subjects), when)
                ]
                self._synced.executemany("delete from deliveries where seq = ?", gone)
            if not empty_log(self._synced):
                raise sqlite3.OperationalError("the outbox' log is in use")
        return len(gone)

    def drop_old(self) -> None:
        """Drop dead letters that are too old or too many."""
        with self.settling() as database:
            for each in self._subscriptions:
                drop_dead(database, each.id, self._clock())

    def copy(self, path: Path) -> None:
        """Copy the file as it is now to a new one, without a log beside it."""
        with self._lock, closing(sqlite3.connect(path)) as target:
            self._synced.backup(target)
            target.execute("pragma journal_mode = delete")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._quick.close()
            self._synced.close()

    def _rows_of(self, events: Sequence[Numbered], known: int) -> list[tuple[Any, ...]]:
        """Return a row for each event after a position and each subscription that wants it."""
        now, due_at = self._clock(), 0  # at once, and in order, whatever the clock does meanwhile
        rows: list[tuple[Any, ...]] = []
        for seq, head, line in events:
            if seq <= known or head.name in OPERATIONS:
                continue
            wanting = [each.id for each in self._subscriptions if each.wants(head.site, head.name)]
            if wanting:
                event = read_event(line)
                body, subjects = encode_cloud_event(event), orjson.dumps(subjects_of(event)).decode()
                told = (head.id, head.name, head.time, subjects, body, now, due_at)
                rows += [(subscription, *told) for subscription in wanting]
        return rows
