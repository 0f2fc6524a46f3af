"""Erasures that a data folder owes when it is opened: after a restore, or a kill in the middle of one.

A backup may be older than an erasure; its tombstones are in the folder then, and what they stand for is in the store
and the outbox again. Nobody may see that: it is paid before the first question is answered and the first webhook sent.
Where the store is away the writer pays as soon as it is back (erasure.py), and until then questions and webhooks wait.
"""

import contextlib
import logging
import sqlite3
from pathlib import Path

import duckdb

from server.errors import FootfallError
from server.ingest.erasure import MARKER, Erasure
from server.ingest.queue import Queue
from server.ingest.queue_file import open_database
from server.ingest.telling import Followers, Telling
from server.storage.base import Store
from server.storage.tombstones import FILE_NAME, read_tombstones

log = logging.getLogger("footfall.erasure")


class Owed:
    """Says whether something is owed, until nothing is. Shape: is_paid is for any thread, what blocks is for one."""

    def __init__(self, data_dir: Path, store: Store) -> None:
        self._data_dir = data_dir
        self._store = store
        self.is_paid = False

    def is_due(self) -> bool:
        """Return whether what was erased before the start may still be there; blocks while the store does.

        So it may where the store is away.
        """
        if not self.is_paid:
            with contextlib.suppress(FootfallError, duckdb.Error, OSError):
                self.is_paid = not self._is_owed()
        return not self.is_paid

    def pay(self, queue: Queue, followers: Followers) -> None:
        """Erase what is owed, but for the bytes: those are the writer's, which is not to be started before this.

        Errors: those of store, queue and followers; the writer tries again.
        """
        if not self.is_due():
            return
        with contextlib.closing(open_database(queue.path)) as database:
            telling = Telling(followers, queue, self._store, database)
            Erasure(self._data_dir, queue, self._store, telling).apply()
        self.is_paid = True

    def try_to_pay(self, queue: Queue, followers: Followers) -> None:
        """Do so; what cannot be done now is left to the writer, and stays due until then."""
        try:
            self.pay(queue, followers)
        except (FootfallError, duckdb.Error, sqlite3.Error, OSError) as error:
            log.warning("who was erased cannot be removed now; no question is answered before that: %s", error)

    def _is_owed(self) -> bool:
        tombstones = read_tombstones(self._data_dir / FILE_NAME)
        # in this order: the marker is there before the store knows them, and until the rest has forgotten them as well
        return not self._store.tombstones().issuperset(tombstones) or (self._data_dir / MARKER).exists()
