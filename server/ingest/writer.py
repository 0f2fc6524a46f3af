"""From the queue to the store: one thread, batches, the cursor in the store's own transaction.

What is in the queue stays there until the store has committed it. When the store is away the writer tries again
with growing pauses; an event that the store refuses for good, or that the disk has damaged, moves aside into
`rejected`, its neighbours go on. Everything that changes the store happens in this thread.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from server.background import step_back
from server.clock import Clock, now_ms
from server.errors import Unavailable
from server.events.head import HeadError, read_heads
from server.ingest.accounts import received_ms
from server.ingest.asked import Asked, FindIds, Ids
from server.ingest.erasure import Erasure
from server.ingest.expiry import expire_ids, forget_old
from server.ingest.histogram import SECONDS, SIZES, Histogram
from server.ingest.queue import IDS_KEPT_DAYS, Queue
from server.ingest.queue_file import add_count, forget_some, open_database, set_aside
from server.ingest.reading import Damaged, Waiting, read_waiting
from server.ingest.rejected import RejectedEvent
from server.ingest.telling import Followers, Telling
from server.ingest.values import clean_text
from server.storage.base import Store, StoreRefused
from server.storage.tombstones import FILE_NAME

GATHER_S = 0.2
GATHER_BUSY_S = 0.5
BUSY_ROWS = 500
FORGET_ROWS = 256  # at once: 4,000 took 14 ms or more, which every answer that was due meanwhile waited for
FAR_BEHIND = 200_000
"""Events, which are moved in ten seconds: beyond so many requests wait for the writer (queue.py)."""
HOLD_BACK_S = 2.0  # each batch says so anew, and takes less; nobody is to wait for an erasure or a long checkpoint
POLL_S = 0.5
SHARED_POLL_S = 0.1  # nobody tells of what other processes commit
IDLE_CHECK_S = 0.005
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 4.0
_HOUR_MS = 3600 * 1000
_DAY_MS = 24 * _HOUR_MS

log = logging.getLogger("footfall.writer")


@dataclass(slots=True)
class WriterState:
    """What the writer tells metrics and health: counts since the start, and the fault it is in.

    Units:  lag_ms is how long the first event of the last batch had been waiting when it was stored.
    """

    stored: int = 0
    set_aside: int = 0
    lag_ms: int | None = None
    last_error: str | None = None
    batch_events: Histogram = field(default_factory=lambda: Histogram(SIZES))
    batch_seconds: Histogram = field(default_factory=lambda: Histogram(SECONDS))


class Writer:
    """Owns the thread that moves events. `close` moves what is left and stops it."""

    def __init__(
        self,
        queue: Queue,
        path: Path,
        store: Store,
        *,
        followers: Followers | None = None,
        retention_days: int | None = None,
        clock: Clock = now_ms,
    ) -> None:
        self._queue = queue
        self._store = store
        self._clock = clock
        self._retention_days = retention_days
        self._poll_s = SHARED_POLL_S if queue.is_shared else POLL_S
        self._database = open_database(path)
        self._telling = Telling(followers or Followers(), queue, store, self._database)
        self._position = -1
        self._told = -1
        self._last_rows = 0
        self._is_far_behind = False
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._housekeeping_due_ms = 0
        self._erasure = Erasure(path.parent, queue, store, self._telling)
        self._asked = Asked(path.with_name(FILE_NAME), self._erased_ms)
        self._newest_ms: int | None = None
        self._keeping = threading.Lock()
        self._keepers = 0
        self._expiry: Iterator[None] = iter(())
        self.state = WriterState()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        """Start moving; what an earlier process left in the queue comes first."""
        self._queue.on_commit(self._wake.set)
        self._wake.set()
        self._thread.start()

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Return True once everything committed before this call can be asked for, False after the time-out."""
        last = self._queue.last_seq()
        deadline = time.monotonic() + timeout_s
        self._wake.set()
        while self._told < last:
            if time.monotonic() > deadline:
                return False
            time.sleep(IDLE_CHECK_S)
        return True

    @contextlib.contextmanager
    def keeping(self) -> Iterator[None]:
        """Have the queue forget nothing meanwhile, for a backup. Errors: Unavailable."""
        with self._keeping:
            self._keepers += 1
        try:
            self._queue.perform(lambda _: None)  # what was to be forgotten before is forgotten now
            yield
        finally:
            with self._keeping:
                self._keepers -= 1
            if self._told >= 0:  # what is stored and not told yet may have to be told again, from the queue
                self._forget(self._told)

    def erase(self, site: str, ids: Ids | FindIds) -> int:
        """Erase visitors and users of a site everywhere; return how many stored events that were.

        Shape:  a function is called in the writer's thread for the ids, once everything accepted so far is moved. The
                count is of all who were erased at once. Blocks.

        Errors: OSError when the tombstones cannot be kept; what the function raises; whatever the store says when it
        is away: once the tombstones are on disk, the erasure then goes on by itself as soon as it is back. Of ids that
        were still to be found nothing is erased then.
        """
        done = self._asked.add(site, ids)
        self._wake.set()
        return done.result()

    def close(self) -> None:
        """Move what is left, then stop. A store that is away leaves it in the queue for the next start."""
        self._stop.set()
        self._wake.set()
        self._thread.join()
        self._asked.close()
        self._database.close()
        self._telling.close()

    def _run(self) -> None:
        step_back()
        pause_s = FIRST_PAUSE_S
        while True:
            self._wake.wait(self._poll_s)  # the time-out finds what other processes put into the queue
            self._wake.clear()
            is_last = self._stop.is_set()  # asked before moving: what was accepted before the stop is moved after it
            try:
                self._erase()  # before anything: a restored folder may hold what must not be seen
                while self._move_batch():
                    pass
                self._keep_house()
            except Exception as error:  # noqa: BLE001 - the one catch-all: rows stay queued, the thread lives
                self.state.last_error = f"{type(error).__name__}: {error}"
                self._position = -1  # only the store knows whether its commit went through
                self._hold_back(is_far_behind=False)
                log.warning("the store cannot be written, trying again in %.1f s: %s", pause_s, error)
                if self._stop.wait(pause_s):
                    return
                self._wake.set()
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            pause_s = FIRST_PAUSE_S
            self.state.last_error = None
            if is_last:
                return
            # each transaction costs the store the same 6 ms, be it small or large
            self._stop.wait(GATHER_BUSY_S if self._last_rows > BUSY_ROWS else GATHER_S)

    def _move_batch(self) -> bool:
        """Move one batch; return whether there may be more."""
        if self._position < 0:
            self._position = self._store.position(self._queue.queue_id)
            self._newest_ms = self._newest_stored_ms()
            self._telling.catch_up(self._position)
            self._told = self._position
            self._erasure.forget_moved(self._database, self._position)
            self._forget(self._position)  # moved by a process that died before it could say so here
        try:
            rows, is_full = read_waiting(self._database, self._position, self._queue.last_seq)
        except Damaged as damaged:
            self._set_aside((damaged.seq, damaged.event), "damaged", str(damaged))
            self._told = self._position
            return True
        if not rows:
            return False
        self._last_rows = len(rows)
        self._append(rows)
        self._told = self._position
        # who is behind moves on instead of waiting for many commits, which are long then anyhow
        self._forget(self._position, len(rows) if is_full else FORGET_ROWS)
        self._hold_back(is_far_behind=is_full and self._queue.last_seq() - self._position > FAR_BEHIND)
        return is_full

    def _hold_back(self, *, is_far_behind: bool) -> None:
        """Have who is far ahead wait, or let them go."""
        if is_far_behind or self._is_far_behind:
            self._is_far_behind = is_far_behind
            self._queue.hold_back(HOLD_BACK_S if is_far_behind else 0.0)

    def _append(self, rows: Sequence[Waiting]) -> None:
        """Add rows to the store and tell them; halve what it refuses until the one bad event is alone.

        Told at once, because the queue forgets what is in front of an event that is set aside.
        """
        last = rows[-1][0]
        started = time.perf_counter()
        try:
            events = read_heads(rows)
            erased = self._store.append(events, self._queue.queue_id, last)
        except (StoreRefused, HeadError) as error:
            if len(rows) == 1:
                self._set_aside(rows[0], "store_refused", str(error))
                return
            middle = len(rows) // 2
            self._append(rows[:middle])
            self._append(rows[middle:])
            return
        self._position = last
        newest_ms = max(head.time for _, head, _ in events)
        self._newest_ms = max(self._newest_ms or 0, newest_ms)
        if erased:
            self._telling.expect_gaps()
            self._erasure.forget_left_out(rows)
            self._queue.change(lambda database: add_count(database, "erased", "", erased))
        self._telling.tell(events)
        state = self.state
        state.stored += len(rows)
        state.batch_events.observe(len(rows))
        state.batch_seconds.observe(time.perf_counter() - started)
        if (received := received_ms(rows[0][1])) is not None:
            state.lag_ms = self._clock() - received

    def _set_aside(self, row: Waiting, code: str, reason: str) -> None:
        """Move one event into `rejected`; what is before it is stored and told.

        Errors: Unavailable, sqlite3.Error, and then it is still where it was.
        """
        seq, event = row
        fields = _fields_of(event)
        rejected = RejectedEvent(
            received_ms=self._receipt_of(event),
            site=_text_of(fields, "site"),
            event_id=_text_of(fields, "id"),
            source=_text_of(fields, "source") or "page",
            code=code,
            message=clean_text(reason)[:1000],
            payload=event,
        )
        with self._keeping:
            if self._keepers:
                raise Unavailable("backup", "A backup is being made; nothing is set aside meanwhile.")
            self._telling.pass_over(seq)  # first: should it be tried again, it can be passed over again
            self._queue.perform(lambda database: set_aside(database, seq, rejected))
        self._position = seq
        self.state.set_aside += 1
        log.error("event %r was set aside, %s: %r", rejected.event_id, code, reason[:1000])

    def _receipt_of(self, event: bytes) -> int:
        """Return when an event was received: an erasure that is under way looks for what came before it."""
        now = self._clock()
        told = received_ms(event)
        return now if told is None else min(told, now)  # a damaged one may tell anything

    def _erase(self) -> None:
        """Apply tombstones that are new, and tell who waits for it. For the order see asked.py and erasure.py."""
        is_due = self._erasure.is_due()
        asking = self._asked.waiting()  # after the file was looked at: who has changed it since is among them
        if not asking and not is_due:
            return
        asked_ms = self._erased_ms()  # before moving: what comes meanwhile is new, and so is who joins whom in it
        try:
            while asking and self._move_batch():  # what waits goes with the rest, and says who is who
                pass
            asking = self._asked.begin(asking, asked_ms)
            removed = self._erasure.apply()
            while self._move_batch():  # what waits is left out, and then bytes of it are overwritten as well
                pass
            self._erasure.finish()
        except Exception as error:
            self._asked.fail(asking, error)
            raise
        self._asked.answer(asking, removed)

    def _erased_ms(self) -> int:
        """Return until when an erasure of now reaches: to the newest event, where the clock was ahead once."""
        newest_ms = self._newest_ms
        if newest_ms is None:
            try:
                newest_ms = self._newest_stored_ms()
            except Exception:  # noqa: BLE001 - the store is away: who is erased goes by the clock then
                newest_ms = 0
        return max(self._clock(), newest_ms)

    def _newest_stored_ms(self) -> int:
        ((newest_ms,),) = self._store.query("select epoch_ms(max(time)) from events", {})
        return newest_ms or 0

    def _forget(self, position: int, rows: int = FORGET_ROWS) -> None:
        """Have the queue forget what is stored and told, in steps: no commit is long. After a fault, next time."""
        with self._keeping, contextlib.suppress(Unavailable):
            while not self._keepers and self._queue.perform(lambda database: forget_some(database, position, rows)):
                pass

    def _keep_house(self) -> None:
        """Once an hour forget old ids, old rejected events, events and people beyond the retention; fold events."""
        next(self._expiry, None)
        now = self._clock()
        if not 0 < self._housekeeping_due_ms - now <= _HOUR_MS:  # a clock that was ahead must not put it off
            self._housekeeping_due_ms = now + _HOUR_MS
            self._expiry = expire_ids(self._database, self._queue, now // _DAY_MS - IDS_KEPT_DAYS)
            forget_old(self._queue, now)
            if self._retention_days is not None:
                oldest_ms = now - self._retention_days * _DAY_MS
                self._store.delete_before(oldest_ms, self._telling.expire(oldest_ms))
                self._telling.see_again(oldest_ms)
        self._store.fold(now)  # last: without it answers take longer, and that is all


def _fields_of(event: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(event)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _text_of(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return clean_text(value) if isinstance(value, str) else None
