"""The durable queue: an event is accepted once this file has fsynced it. SQLite in WAL mode, one file.

Promise
    `submit` returns after the transaction that holds the event is on disk (journal_mode=WAL and
    synchronous=FULL: every commit ends with an fsync of the log, https://sqlite.org/pragma.html#pragma_synchronous).
    A crash of the process or of power after that loses nothing. When the disk refuses, `submit` raises
    Unavailable and nothing of the request is stored.

Group commit
    One thread, the committer, takes everything that has been submitted since its last commit and commits it in
    one transaction; as soon as the fsync returns it does so again. There is no timer: a lone request waits for
    one fsync, a thousand at once share one. What the event loop is still reading belongs to the group: the committer
    is woken when a turn of the loop has brought no request, which is at once when there is no other, or when ENOUGH
    (or ENOUGH_BYTES) are waiting (measured: half as many commits, each of which costs as much as five requests).
    Several processes may share the file; SQLite's write lock orders them.

Who is ahead of the writer
    Requests are committed before they are moved on, and on one core who sends without a pause can be faster than the
    writer. Far ahead of it (writer.py), `hold_back` keeps them waiting until it has come closer: what is accepted then
    is what is moved, what waits is bounded by more than the disk, and beyond MAX_PENDING_BYTES `submit` raises
    Unavailable. Other processes on the file read in it until when they are to wait, every LOOK_S seconds. While the
    store is away everything is taken in: that is what the file is for.

Exactly once
    `ids` holds (site, event id) of everything accepted in the last IDS_KEPT_DAYS days. An id that is there
    already is a duplicate: known at the answer, not stored again. UUIDs are kept as 16 bytes; version 7 ids
    arrive in order, so the index grows at its end and its cost does not grow with the table. Of any other id a
    digest is kept (see queue_schema.py); it is as random as a UUID of version 4, and costs as much.

One request's fault is its own: when a group cannot be committed for another reason than the disk, each of its
submissions is tried alone.

The tables are in queue_schema.py, the accounts in accounts.py, the log's checkpoints in checkpoints.py.
"""

import asyncio
import contextlib
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any, TypeVar

import orjson

from server.clock import Clock, now_ms
from server.errors import Unavailable
from server.events.model import StoredEvent
from server.ingest.accounts import QueueCounts, read_counts
from server.ingest.checkpoints import Checkpoints
from server.ingest.histogram import SECONDS, SIZES, Histogram
from server.ingest.queue_file import (
    OnEnd,
    Record,
    Submission,
    count_verdicts,
    id_key,
    insert_records,
    insert_rest,
    open_database,
    read_held,
    tell_held,
)
from server.ingest.queue_schema import bring_to_date
from server.ingest.rejected import RejectedFilter, select_rejected
from server.ingest.scrubbing import count_chunks, fill_rest, fill_some, give_back

IDS_KEPT_DAYS = 35
MAX_PENDING_BYTES = 64 * 1024 * 1024
PROBE_S = 1.0
LOOK_S = 0.1
LONGEST_HOLD_S = 60.0
ENOUGH = 128
ENOUGH_BYTES = 256 * 1024  # batches take longer to read than single events: the first must not wait for many
SCRUB_CHECKPOINT_STEPS = 8
_DAY_MS = 24 * 3600 * 1000

T = TypeVar("T")

log = logging.getLogger("footfall.queue")


class Queue:
    """Owns the file, the committer thread and its connection.

    Shape:  is_shared says that other processes put events into the same file.
    Errors: Unavailable from `submit` when the event cannot be made durable now; SchemaError when the file is of a
            newer version.
    """

    def __init__(self, path: Path, *, is_shared: bool = False, clock: Clock = now_ms) -> None:
        self.path = path
        self.is_shared = is_shared
        self._clock = clock
        self._on_commit: Callable[[], None] = lambda: None
        self._pending: deque[Submission] = deque()
        # all there ever were; each is written by one thread: the loop's, the committer's
        self._taken_bytes = 0
        self._ended_bytes = 0
        self._submitted = 0
        self._wake = threading.Event()
        self._waking: asyncio.AbstractEventLoop | None = None
        self._held_back: list[Submission] = []
        self._held_until_s = 0.0
        self._look_due_s = 0.0
        self._is_stopping = False
        self._has_ended = False
        self.commits = 0
        self.last_error: str | None = None
        self.commit_seconds = Histogram(SECONDS)
        self.sync_seconds = Histogram(SECONDS)
        self.commit_events = Histogram(SIZES)
        with contextlib.closing(open_database(path)) as database:
            bring_to_date(database, path)
            self.queue_id = str(database.execute("select value from meta where key = 'queue_id'").fetchone()[0])
        with contextlib.ExitStack() as opened:  # all here, the committer's too: its thread could tell nobody of a fault
            writing, self._reader, moving = (
                opened.enter_context(contextlib.closing(open_database(path))) for _ in range(3)
            )
            opened.pop_all()
        self._checkpoints = Checkpoints(path, moving)
        self._thread = threading.Thread(target=self._run, args=(writing,), name="committer", daemon=True)
        self._thread.start()

    def on_commit(self, call: Callable[[], None]) -> None:
        """Have this called, from the committer's thread, after every commit."""
        self._on_commit = call

    async def submit(self, submission: Submission) -> list[bool]:
        """Return, once on disk, which records are new (True) and which were there already (False)."""
        loop = asyncio.get_running_loop()
        ended, end = awaited(loop)
        self.submit_soon(submission, loop, end)
        await ended
        return submission.is_new

    def submit_soon(self, submission: Submission, loop: asyncio.AbstractEventLoop, on_end: OnEnd) -> None:
        """Return at once; `on_end` is called in the loop once the submission is on disk, or cannot be.

        The same promise as `submit` without a task that waits: that took a tenth of a request's time.
        Errors: Unavailable, and then `on_end` is not called.
        """
        if self._is_stopping:
            raise _unavailable("The server is stopping.")
        size_bytes = 0
        for record in submission.records:
            size_bytes += len(record.event)
        for refusal in submission.rejected:
            size_bytes += len(refusal.payload) + len(refusal.context or b"")
        if self._taken_bytes - self._ended_bytes + size_bytes > MAX_PENDING_BYTES:
            raise _unavailable("More is waiting to be written than fits in memory.")
        self._taken_bytes += size_bytes
        submission.size_bytes = size_bytes
        submission.loop = loop
        submission.on_end = on_end
        self._put(submission)
        self._submitted += 1
        if self._waking is not loop:
            self._waking = loop
            loop.call_soon(self._wake_when_quiet, loop, 0)

    def _wake_when_quiet(self, loop: asyncio.AbstractEventLoop, seen: int) -> None:
        """Wake the committer once a turn of the loop has brought nothing new, or enough is waiting."""
        has_room = len(self._pending) < ENOUGH and self._taken_bytes - self._ended_bytes < ENOUGH_BYTES
        if has_room and seen != self._submitted:
            loop.call_soon(self._wake_when_quiet, loop, self._submitted)
            return
        self._waking = None
        self._wake.set()

    def change(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Have a change made by the committer with its next commit; returns at once. After `close` it is not made."""
        self._put(Submission((), work=work))
        self._wake.set()

    def perform(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Have a change made by the committer; return, once it is on disk, what work returned.

        Blocks: not for the event loop. Errors: Unavailable when it could not be made, as after `close`.
        """
        done: Future[None] = Future()
        found: list[T] = []
        self._put(Submission((), work=lambda database: found.append(work(database)), done=done))
        self._wake.set()
        done.result()
        return found[-1]  # it was done again where others of its group were at fault

    def hold_back(self, seconds: float) -> None:
        """Have requests wait so long before they are committed, from now; 0 lets them go. Changes do not wait.

        For the writer's thread. What other processes take in waits as well, from their next look on.
        Units: seconds, LONGEST_HOLD_S at most.
        """
        until_s = self._held_until_s = monotonic() + seconds
        if self.is_shared:
            self.change(lambda database: tell_held(database, until_s))
        self._wake.set()

    def scrub(self) -> None:
        """Overwrite what deletions have left in the file and its log; blocks. Errors: Unavailable, sqlite3.Error.

        In steps (scrubbing.py): a request waits for one of them, and the log is moved into the file in between.
        """
        for step in range(1, self.perform(count_chunks) + 1):
            self.perform(fill_some)
            if step % SCRUB_CHECKPOINT_STEPS == 0:
                self._checkpoints.run_if_due()
        self.perform(fill_rest)
        while self.perform(give_back):
            self._checkpoints.run_if_due()
        self._checkpoints.empty_log()

    def put(self, events: Sequence[StoredEvent]) -> None:
        """Take in events that the server made itself and return once they are on disk; blocks, as `perform` does.

        One whose id is there already is left out, and counted nowhere. Errors: Unavailable.
        """
        records = [Record(event["site"], event["id"], orjson.dumps(event)) for event in events]
        day = self._clock() // _DAY_MS
        self.perform(lambda database: insert_records(database, [Submission(records)], day, self.queue_id))

    def find_origin(self, key: tuple[str, str]) -> bytes | None:
        """Return the remembered origin of a session (site, session id)."""
        try:
            row = self._reader.execute(
                "select origin from session_origins where site = ? and session_id = ?", key
            ).fetchone()
        except sqlite3.Error:  # a column of a report is not worth refusing an event
            return None
        return row[0] if row else None

    def find_answer(self, key: tuple[str, bytes]) -> tuple[bytes, bytes] | None:
        """Return (body, answer) of a request by its site and key. Errors: Unavailable."""
        try:
            found: tuple[bytes, bytes] | None = self._reader.execute(
                "select body, answer from answers where site = ? and key = ?", key
            ).fetchone()
        except sqlite3.Error as error:
            raise _unavailable(f"The queue could not be read: {error}.") from error
        return found

    def known_ids(self, ids: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return those of these (site, event id) that were accepted before; blocks shortly. Errors: sqlite3.Error."""
        sql = "select 1 from ids where site = ? and id = ?"
        with contextlib.closing(open_database(self.path)) as database:
            keys = {each: (each[0], id_key(each[1], self.queue_id)) for each in ids}
            return {each for each, key in keys.items() if database.execute(sql, key).fetchone()}

    def last_seq(self) -> int:
        """Return the number of the newest accepted event, 0 before the first; blocks shortly."""
        with contextlib.closing(open_database(self.path)) as database:
            row = database.execute("select seq from sqlite_sequence where name = 'waiting'").fetchone()
        return int(row[0]) if row else 0

    def counts(self) -> QueueCounts:
        """Return the accounts of one instant; blocks shortly. Errors: sqlite3.Error."""
        with contextlib.closing(open_database(self.path)) as database:
            return read_counts(database)

    def list_rejected(self, wanted: RejectedFilter, limit: int) -> list[dict[str, Any]]:
        """Return rejected events, newest first, as rows by column; blocks shortly."""
        with contextlib.closing(open_database(self.path)) as database:
            return select_rejected(database, wanted, limit)

    def close(self) -> None:
        """Commit what is pending, stop the committer, close the file."""
        self._is_stopping = True
        self._wake.set()
        self._thread.join()
        self._checkpoints.close()
        self._reader.close()

    def _put(self, submission: Submission) -> None:
        """Have the committer find a submission; once it has ended, nobody else would answer."""
        self._pending.append(submission)
        if self._has_ended:  # asked after: what it has not seen, the committer's own last look finds
            self._refuse_rest()

    def _refuse_rest(self) -> None:
        self._answer(list(self._take()), _unavailable("The server is stopping."))

    def _run(self, database: sqlite3.Connection) -> None:
        while True:
            patience_s = max(0.0, self._held_until_s - monotonic()) if self._held_back else None
            if patience_s is not None and self.is_shared:
                patience_s = min(patience_s, LOOK_S)
            if not self._wake.wait(PROBE_S if self.last_error else patience_s) and self.last_error:
                # requests alone must not be what finds the disk mended: an unready server may get none
                self._pending.append(Submission((), work=_probe))
            self._wake.clear()
            if self.is_shared:
                self._look(database)
            if group := self._next_group():
                self._commit(database, group)
            if self._is_stopping and not self._pending and not self._held_back:
                break
        database.close()
        self._has_ended = True
        self._refuse_rest()

    def _next_group(self) -> list[Submission]:
        taken = list(self._take())
        if self._held_until_s > monotonic() and not self._is_stopping:
            self._held_back += [each for each in taken if each.work is None]
            return [each for each in taken if each.work is not None]
        group, self._held_back = self._held_back + taken, []
        return group

    def _look(self, database: sqlite3.Connection) -> None:
        """Learn from the file until when the writer, in whichever process, has requests wait."""
        now_s = monotonic()
        if now_s < self._look_due_s:
            return
        self._look_due_s = now_s + LOOK_S
        with contextlib.suppress(sqlite3.Error):  # a disk that cannot be read is the commit's to tell
            until_s = read_held(database)
            # that clock begins anew with the machine: what it said before means nothing
            self._held_until_s = until_s if until_s <= now_s + LONGEST_HOLD_S else 0.0

    def _take(self) -> Iterator[Submission]:
        with contextlib.suppress(IndexError):
            while True:
                yield self._pending.popleft()

    def _commit(self, database: sqlite3.Connection, group: list[Submission]) -> None:
        day = self._clock() // _DAY_MS
        changes = database.total_changes
        started = perf_counter()
        try:
            database.execute("begin immediate")
            insert_records(database, group, day, self.queue_id)
            for submission in group:
                insert_rest(database, submission, day)
            count_verdicts(database, group)
            written = perf_counter()
            database.execute("commit")
        except Exception as error:  # noqa: BLE001 - a dead committer would leave every request without an answer
            with contextlib.suppress(sqlite3.Error):
                database.execute("rollback")
            if len(group) > 1 and not isinstance(error, sqlite3.OperationalError):
                for submission in group:  # the fault is in one of them; the disk's faults would be everyone's
                    self._commit(database, [submission])
                return
            self.last_error = f"{type(error).__name__}: {error}"
            self._answer(group, _unavailable(f"The queue could not be written: {error}."))
            return
        if database.total_changes > changes:  # an empty commit writes nothing and proves nothing
            self.last_error = None
            ended = perf_counter()
            self.sync_seconds.observe(ended - written)
            self.commit_seconds.observe(ended - started)
            self.commit_events.observe(sum(len(submission.records) for submission in group))
        self.commits += 1
        self._answer(group, None)
        self._on_commit()

    def _answer(self, group: list[Submission], error: Unavailable | None) -> None:
        """Hand the outcome to the waiting requests, one call for each event loop."""
        loops: dict[asyncio.AbstractEventLoop, list[OnEnd]] = {}
        for submission in group:
            self._ended_bytes += submission.size_bytes
            if submission.done is not None:
                submission.done.set_exception(error) if error else submission.done.set_result(None)
            elif submission.loop is not None and submission.on_end is not None:
                loops.setdefault(submission.loop, []).append(submission.on_end)
                submission.on_end = None  # who is called may hold the submission: a circle, and much in it
        for loop, waiting in loops.items():
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
                loop.call_soon_threadsafe(_tell, waiting, error)


def awaited(loop: asyncio.AbstractEventLoop) -> tuple[asyncio.Future[None], OnEnd]:
    """Return what can be awaited, and the `on_end` that ends it."""
    ended: asyncio.Future[None] = loop.create_future()

    def end(error: Unavailable | None) -> None:
        if ended.done():  # the client went away while its event was committed
            return
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)

    return ended, end


def _probe(database: sqlite3.Connection) -> None:
    """Write something new: SQLite would not write what is there already."""
    database.execute("insert or replace into meta values ('probe', hex(randomblob(8)))")


def _tell(waiting: list[OnEnd], error: Unavailable | None) -> None:
    for on_end in waiting:
        try:
            on_end(error)
        except Exception:  # one request's fault must not cost the others of its group their answers
            log.exception("a fault while answering")


def _unavailable(message: str) -> Unavailable:
    return Unavailable("queue_unavailable", message, "Send again later: nothing was stored.", retry_after_s=1)
