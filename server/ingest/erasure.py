"""Erasing somebody everywhere in the data folder: store, queue, rejected events, people, outbox. For the writer.

Order
    Tombstones come first and are on disk before anything is removed (tombstones.py). They are what a kill cannot take
    back: whatever is not yet done, after a kill, or because a restored backup is older, is done by the writer before it
    moves the next event. It compares the file with what the store has applied.
    `apply`   removes. The store says what it is about to remove while that is still there after a kill; what the queue
              knows of it goes first, on disk, then the store commits. So no step needs to know what an earlier try did.
    between   what waits in the queue is moved, which leaves the erased out (writer.py).
    `finish`  overwrites what was removed. The marker `erasing` stays until then, so that all of it is repeated.

Ids of events need nothing: the queue keeps digests of those that may name somebody. They make a duplicate of a late
repetition that has no time of its own; one that has a time meets the tombstone.
"""

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from server.ingest.queue import Queue
from server.ingest.queue_file import forget_origins
from server.ingest.reading import Waiting, read_moved
from server.ingest.telling import Telling
from server.storage.base import ErasedEvent, Store
from server.storage.export_files import remove_exports
from server.storage.tombstones import FILE_NAME, Erased, Tombstone, digest_of, read_tombstones, subjects_of

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

    def is_due(self) -> bool:
        """Return whether the file has changed since it was applied, or an erasure was interrupted."""
        return self._mark() != self._seen or self._marker.exists()

    def apply(self) -> int:
        """Erase what has not been erased; return how many stored events that were. `finish` is to follow.

        Errors: those of store and queue; the next call goes on.
        """
        mark = self._mark()
        tombstones = read_tombstones(self._file)
        known = self._store.tombstones()
        new = [each for each in dict.fromkeys(tombstones) if each not in known]
        removed = 0
        if new or self._marker.exists():
            self._marker.touch()
            removed = self._store.erase(new, lambda events: self._forget(events, tombstones))
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

    def _forget(self, events: Sequence[ErasedEvent], tombstones: Sequence[Tombstone]) -> None:
        """Have the queue forget what the store is about to remove; on disk when it returns."""
        self._queue.perform(lambda database: _forget(database, events, tombstones))

    def _mark(self) -> tuple[int, int] | None:
        try:
            status = self._file.stat()
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_size


def _forget(database: sqlite3.Connection, events: Sequence[ErasedEvent], tombstones: Sequence[Tombstone]) -> None:
    """Remove what the queue's file knows of the erased."""
    forget_origins(database, {(each.site, each.session_id) for each in events if each.session_id is not None})
    # what was answered may name them; sent again, such a request is answered anew and stores nothing twice
    database.executemany("delete from answers where site = ?", {(each.site,) for each in tombstones})
    digests = {(each.salt, each.kind, each.digest): each.erased_at for each in tombstones}
    salts = {(each.salt, each.site) for each in tombstones}
    gone = []
    for seq, received_at, payload, context in database.execute(
        "select seq, received_at, payload, context from rejected"
    ).fetchall():
        if any(
            digests.get((salt, kind, digest_of(salt, site, kind, text)), -1) >= received_at
            for text in _texts(payload, context)
            for salt, site in salts
            for kind in ("visitor", "user")
        ):
            gone.append((seq,))
    database.executemany("delete from rejected where seq = ?", gone)


def _texts(*encoded: bytes | None) -> Iterator[str]:
    """Yield every text in JSON values; what was cut off or is no JSON is split at its quotation marks."""
    for each in encoded:
        if each is None:
            continue
        try:
            yield from _texts_of(orjson.loads(each))
        except orjson.JSONDecodeError:
            yield from each.decode(errors="replace").split('"')


def _texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, int | float):
        yield str(value)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts_of(item)
