"""Erasing somebody everywhere in the data folder: store, queue, rejected events, ids, people, outbox. For the writer.

Tombstones come first and are on disk before anything is removed (tombstones.py). Whatever is then not yet done, after a
kill, or because a restored backup is older, is done by the writer before it moves the next event: it compares the file
with what the store has applied. Events that wait in the queue are left out when they reach the store. The marker
`erasing` stays until no byte is left, so that the slow part is repeated as well.
"""

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from server.ingest.queue import Queue
from server.ingest.queue_file import id_key
from server.ingest.telling import Followers
from server.storage.base import ErasedEvent, Store
from server.storage.tombstones import FILE_NAME, Tombstone, digest_of, read_tombstones

MARKER = "erasing"
_FORGOTTEN = b"forgotten"  # what the marker holds once only bytes are left to be overwritten

log = logging.getLogger("footfall.erasure")


class Erasure:
    """Applies tombstones. For the writer's thread only."""

    def __init__(self, data_dir: Path, queue: Queue, store: Store, followers: Followers) -> None:
        self._data_dir = data_dir
        self._file = data_dir / FILE_NAME
        self._queue = queue
        self._store = store
        self._followers = followers
        self._seen: tuple[int, int] | None = None

    def is_due(self) -> bool:
        """Return whether the file has changed since it was applied, or an erasure was interrupted."""
        return self._mark() != self._seen or (self._data_dir / MARKER).exists()

    def apply(self) -> int:
        """Erase what has not been erased, and its bytes; return how many stored events that were.

        Errors: those of store and queue; the next call goes on. When questions never pause, the bytes stay until
        a later call, and `is_due` says so.
        """
        mark = self._mark()
        tombstones = read_tombstones(self._file)
        new = [each for each in dict.fromkeys(tombstones) if each not in self._store.tombstones()]
        marker = self._data_dir / MARKER
        was_begun = marker.exists()
        if not new and not was_begun:
            self._seen = mark
            return 0
        was_cut_short = was_begun and marker.read_bytes() != _FORGOTTEN
        if new:
            marker.write_bytes(b"")
        removed = self._store.erase(new)
        self._queue.perform(lambda database: _forget(database, removed, tombstones))
        if was_cut_short:
            self._queue.perform(lambda database: _forget_origins(database, tombstones))
        marker.write_bytes(_FORGOTTEN)
        people, outbox = self._followers.people, self._followers.outbox
        if people is not None:
            queue_id = self._queue.queue_id
            people.rebuild(self._store, queue_id, self._store.position(queue_id))
        if outbox is not None:
            outbox.erase(tombstones)
        for copy in self._data_dir.glob("*.before-v*"):  # as old as the last upgrade, and they hold everything
            copy.unlink()
        self._queue.scrub()
        if self._store.scrub():
            marker.unlink()
        else:
            log.warning("questions never paused; the bytes of what was erased are overwritten later")
        self._seen = mark
        return len(removed)

    def _mark(self) -> tuple[int, int] | None:
        try:
            status = self._file.stat()
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_size


def _forget(database: sqlite3.Connection, removed: Sequence[ErasedEvent], tombstones: Sequence[Tombstone]) -> None:
    """Remove what the queue's file knows of the erased.

    Ids that are UUIDs stay: they say nothing of anybody, and make a duplicate of a late repetition that has no time of
    its own. That of any other id meets the tombstone, if its time is of before.
    """
    keys = [(each.site, id_key(each.event_id)) for each in removed]
    texts = [(site, key) for site, key in keys if isinstance(key, str)]
    database.executemany("delete from ids where site = ? and id = ?", texts)
    sessions = {(each.site, each.session_id) for each in removed if each.session_id is not None}
    database.executemany("delete from session_origins where site = ? and session_id = ?", sessions)
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


def _forget_origins(database: sqlite3.Connection, tombstones: Sequence[Tombstone]) -> None:
    """Remove all origins of the sites: after a kill nobody knows any more which sessions were the erased person's.

    A session of somebody else that goes on takes its next event's origin; that is all it costs.
    """
    database.executemany("delete from session_origins where site = ?", {(each.site,) for each in tombstones})


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
