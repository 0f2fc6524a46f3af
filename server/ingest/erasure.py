"""Erasing somebody everywhere in the data folder: store, queue, rejected events, people, outbox. For the writer.

Order
    Who asks may have ids found first, once what waits is moved (asked.py); that changes nothing here.
    Tombstones come first and are on disk before anything is removed (tombstones.py). They are what a kill cannot take
    back: whatever is not yet done, after a kill, or because a restored backup is older, is done by the writer before it
    moves the next event. It compares the file with what the store has applied.
    `apply`   removes. The store says what it is about to remove while that is still there after a kill; what the queue
              knows of it goes first, on disk, then the store commits. So no step needs to know what an earlier try did.
              Which rejected events name them is found before, outside the committer's transaction (mentions.py).
    between   what waits in the queue is moved, which leaves the erased out (writer.py).
    `finish`  overwrites what was removed. The marker `erasing` stays until then, so that all of it is repeated.

Ids of events need nothing: the queue keeps digests of those that may name somebody. They make a duplicate of a late
repetition that has no time of its own; one that has a time meets the tombstone.
"""

import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import orjson

from server.ingest.mentions import Mentions
from server.ingest.queue import Queue
from server.ingest.queue_file import forget_origins
from server.ingest.reading import Waiting, read_moved
from server.ingest.telling import Telling
from server.storage.base import ErasedEvent, Store
from server.storage.export_files import remove_exports
from server.storage.tombstones import FILE_NAME, Erased, Tombstone, read_tombstones, subjects_of

MARKER = "erasing"

log = logging.getLogger("footfall.erasure")


class Erasure:
    """Applies tombstones. For the writer's thread only."""

    def __init__(self, data_dir: Path, queue: Queue, store: Store, telling: Telling) -> None:
        self._data_dir = data_dir
        self._file = data_dir / FILE_NAME
        self._marker = data_dir / MARKER
        self._queue = queue
        self._store = store
        self._telling = telling
        self._seen: tuple[int, int] | None = None
        self._mentions: Mentions | None = None

    def is_due(self) -> bool:
        """Return whether the file has changed since it was applied, or an erasure was interrupted."""
        return _mark_of(self._file) != self._seen or self._marker.exists()

    def apply(self) -> int:
        """Erase what has not been erased; return how many stored events that were. `finish` is to follow.

        Errors: those of store and queue; the next call goes on.
        """
        mark = _mark_of(self._file)
        tombstones = read_tombstones(self._file)
        known = self._known()
        new = [each for each in dict.fromkeys(tombstones) if each not in known]
        removed = 0
        if new or self._marker.exists():
            self._marker.touch()
            # an erasure that was cut off is the latest
            mentions = Mentions(new or _newest(tombstones))
            named = mentions.find(self._queue.path)
            sites = {each.site for each in new}
            removed = self._store.erase(new, lambda events: self._forget(events, sites, named, mentions))
            self._mentions = mentions
            self._telling.forget(self._store.position(self._queue.queue_id), tombstones)
            for copy in self._data_dir.glob("*.before-v*"):  # as old as the last upgrade, and they hold everything
                copy.unlink()
            remove_exports(self._data_dir)
        self._seen = mark
        return removed

    def finish(self) -> None:
        """Leave no byte of what was removed.

        Errors: those of store and queue. When questions never pause, the bytes stay until a later call, and `is_due`
        says so.
        """
        if not self._marker.exists():
            return
        if self._mentions is not None and (named := self._mentions.find(self._queue.path)):
            self._queue.perform(lambda database: _drop_rejected(database, named))  # that were on their way
        self._queue.scrub()
        if self._store.scrub():
            self._marker.unlink()
        else:
            log.warning("questions never paused; the bytes of what was erased are overwritten later")

    def forget_left_out(self, rows: Sequence[Waiting]) -> None:
        """Have the queue forget the sessions of what the store leaves out of these rows, which are still in the queue.

        On disk when it returns, so that whoever dies before finds the rows again: `forget_moved`. Errors: Unavailable.
        """
        tombstones = self._store.tombstones()
        if not tombstones:
            return
        erased = Erased(tombstones)
        sessions = {
            (each["site"], each["session_id"])
            for each in (orjson.loads(event) for _, event in rows)
            if each.get("session_id") is not None and erased.covers(each["site"], subjects_of(each), each["time"])
        }
        if sessions:
            self._queue.perform(lambda database: forget_origins(database, sessions))

    def forget_moved(self, database: sqlite3.Connection, stored: int) -> None:
        """Do so for what an earlier process moved, up to the store's position, and did not live to forget."""
        for rows in read_moved(database, 0, stored, self._queue.last_seq):
            self.forget_left_out(rows)

    def _known(self) -> set[Tombstone]:
        """Return the tombstones that the store has applied. Errors: the store's, when it is still away."""
        try:
            return self._store.tombstones()
        except Exception:  # noqa: BLE001 - away, or given up by the engine: only `position` opens it again
            self._store.position(self._queue.queue_id)
            return self._store.tombstones()

    def _forget(self, events: Sequence[ErasedEvent], sites: set[str], named: Sequence[int], mentions: Mentions) -> None:
        """Have the queue forget what the store is about to remove; on disk when it returns."""
        self._queue.perform(lambda database: _forget(database, events, sites, named, mentions))


def erasure_state(data_dir: Path) -> tuple[object, bool]:
    """Return what changes whenever somebody is erased, and whether that is under way; for every process."""
    return _mark_of(data_dir / FILE_NAME), (data_dir / MARKER).exists()


def _mark_of(file: Path) -> tuple[int, int] | None:
    """Return what differs whenever the file does, None without one."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size


def _forget(
    database: sqlite3.Connection,
    events: Sequence[ErasedEvent],
    sites: set[str],
    named: Sequence[int],
    mentions: Mentions,
) -> None:
    """Remove what the queue's file knows of the erased. Shape: named are rejected events, beside what came since."""
    forget_origins(database, {(each.site, each.session_id) for each in events if each.session_id is not None})
    # what was answered may name them; sent again, such a request is answered anew and stores nothing twice
    database.executemany("delete from answers where site = ?", [(site,) for site in sites])
    _drop_rejected(database, [*named, *mentions.find_more(database)])


def _drop_rejected(database: sqlite3.Connection, numbers: Sequence[int]) -> None:
    database.executemany("delete from rejected where seq = ?", [(seq,) for seq in numbers])


def _newest(tombstones: Sequence[Tombstone]) -> list[Tombstone]:
    """Return the tombstones of the latest erasure."""
    newest_ms = max((each.erased_at for each in tombstones), default=0)
    return [each for each in tombstones if each.erased_at == newest_ms]
