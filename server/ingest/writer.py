"""From the queue to the store: one thread, batches, the cursor in the store's own transaction.

What is in the queue stays there until the store has committed it. When the store is away the writer tries again
with growing pauses; an event that the store refuses for good moves aside into `rejected`, its neighbours go on.
"""

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from server.clock import Clock, now_ms
from server.ingest.expiry import expire_ids
from server.ingest.queue import IDS_KEPT_DAYS, Queue
from server.ingest.queue_file import insert_rejected, open_database
from server.ingest.rejected import RejectedEvent
from server.storage.base import Store, StoreRefused

MAX_BATCH_EVENTS = 10_000
MAX_BATCH_BYTES = 12 * 1024 * 1024
GATHER_S = 0.2
GATHER_BUSY_S = 0.5
BUSY_ROWS = 500
POLL_S = 0.5
IDLE_CHECK_S = 0.005
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
CHECKPOINT_BYTES = 16 * 1024 * 1024
_HOUR_MS = 3600 * 1000
_DAY_MS = 24 * _HOUR_MS

log = logging.getLogger("footfall.writer")

Waiting = tuple[int, bytes]


@dataclass(slots=True)
class WriterState:
    """What the writer tells metrics and health: counts since the start, and the fault it is in."""

    stored: int = 0
    set_aside: int = 0
    last_error: str | None = None


class Writer:
    """Owns the thread that moves events. `close` moves what is left and stops it."""

    def __init__(
        self,
        queue: Queue,
        path: Path,
        store: Store,
        *,
        retention_days: int | None = None,
        clock: Clock = now_ms,
    ) -> None:
        self._queue = queue
        self._store = store
        self._clock = clock
        self._retention_days = retention_days
        self._log_file = path.with_name(path.name + "-wal")
        self._database = open_database(path)
        self._position = -1
        self._last_rows = 0
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._housekeeping_due_ms = 0
        self._expiry: Iterator[None] = iter(())
        self.state = WriterState()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        """Start moving; what an earlier process left in the queue comes first."""
        self._queue.on_commit(self._wake.set)
        self._wake.set()
        self._thread.start()

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Return True once everything committed before this call is in the store, False after the time-out."""
        last = self._queue.last_seq()
        deadline = time.monotonic() + timeout_s
        self._wake.set()
        while self._position < last:
            if time.monotonic() > deadline:
                return False
            time.sleep(IDLE_CHECK_S)
        return True

    def close(self) -> None:
        """Move what is left, then stop. A store that is away leaves it in the queue for the next start."""
        self._stop.set()
        self._wake.set()
        self._thread.join()
        self._database.close()

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            self._wake.wait(POLL_S)  # the time-out finds what other processes put into the queue
            self._wake.clear()
            try:
                while self._move_batch():
                    pass
                self._keep_house()
            except Exception as error:  # noqa: BLE001 - the one catch-all: rows stay queued, the thread lives
                self.state.last_error = f"{type(error).__name__}: {error}"
                self._position = -1  # only the store knows whether its commit went through
                log.warning("the store cannot be written, trying again in %.1f s: %s", pause_s, error)
                if self._stop.wait(pause_s):
                    return
                self._wake.set()
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            pause_s = FIRST_PAUSE_S
            self.state.last_error = None
            if self._stop.is_set():
                return
            # each transaction costs the store the same 6 ms, be it small or large
            self._stop.wait(GATHER_BUSY_S if self._last_rows > BUSY_ROWS else GATHER_S)

    def _move_batch(self) -> bool:
        """Move one batch; return whether there may be more."""
        if self._position < 0:
            self._position = self._store.position(self._queue.queue_id)
            self._forget(self._position)  # moved by a process that died before it could say so here
        rows, is_full = self._read()
        if not rows:
            return False
        self._last_rows = len(rows)
        self._append(rows)
        self._forget(self._position)
        return is_full

    def _read(self) -> tuple[list[Waiting], bool]:
        """Return the next rows, and whether a limit cut them off."""
        rows: list[Waiting] = []
        size_bytes = 0
        cursor = self._database.execute(
            "select seq, event from waiting where seq > ? order by seq limit ?",
            (self._position, MAX_BATCH_EVENTS),
        )
        with contextlib.closing(cursor):
            for seq, event in cursor:
                rows.append((seq, event))
                size_bytes += len(event)
                if size_bytes > MAX_BATCH_BYTES:
                    break
        return rows, len(rows) == MAX_BATCH_EVENTS or size_bytes > MAX_BATCH_BYTES

    def _append(self, rows: Sequence[Waiting]) -> None:
        """Add rows to the store; halve what it refuses until the one bad event is alone."""
        last = rows[-1][0]
        try:
            self._store.append([event for _, event in rows], self._queue.queue_id, last)
        except StoreRefused as error:
            if len(rows) == 1:
                self._set_aside(rows[0], str(error))
                self._position = last
                return
            middle = len(rows) // 2
            self._append(rows[:middle])
            self._append(rows[middle:])
            return
        self._position = last
        self.state.stored += len(rows)

    def _set_aside(self, row: Waiting, reason: str) -> None:
        seq, event = row
        fields = _fields_of(event)
        rejected = RejectedEvent(
            received_ms=self._clock(),
            site=fields.get("site"),
            event_id=fields.get("id"),
            source=fields.get("source") or "page",
            code="store_refused",
            message=reason[:1000],
            payload=event,
        )

        def move(database: sqlite3.Connection) -> None:
            insert_rejected(database, [rejected])
            database.execute("delete from waiting where seq = ?", (seq,))

        self._queue.change(move)
        self.state.set_aside += 1
        log.error("event %s was refused by the store and set aside: %s", fields.get("id"), reason)

    def _forget(self, position: int) -> None:
        self._queue.change(lambda database: _delete_waiting(database, position))

    def _keep_house(self) -> None:
        """Keep the log short; once an hour forget old ids and events beyond the retention."""
        with contextlib.suppress(OSError):
            if self._log_file.stat().st_size > CHECKPOINT_BYTES:
                self._database.execute("pragma wal_checkpoint(passive)").fetchone()
        next(self._expiry, None)
        now = self._clock()
        if now < self._housekeeping_due_ms:
            return
        self._housekeeping_due_ms = now + _HOUR_MS
        day = now // _DAY_MS - IDS_KEPT_DAYS
        self._expiry = expire_ids(self._database, self._queue, day)
        self._queue.change(lambda database: _delete_old_origins(database, day))
        if self._retention_days is not None:
            self._store.delete_before(now - self._retention_days * _DAY_MS)


def _delete_waiting(database: sqlite3.Connection, position: int) -> None:
    database.execute("delete from waiting where seq <= ?", (position,))


def _delete_old_origins(database: sqlite3.Connection, day: int) -> None:
    database.execute("delete from session_origins where day < ?", (day,))


def _fields_of(event: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(event)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
