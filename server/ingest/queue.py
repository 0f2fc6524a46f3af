"""The durable queue: an event is accepted once this file has fsynced it. SQLite in WAL mode, one file.

Promise
    `submit` returns after the transaction that holds the event is on disk (journal_mode=WAL and
    synchronous=FULL: every commit ends with an fsync of the log, https://sqlite.org/pragma.html#pragma_synchronous).
    A crash of the process or of power after that loses nothing. When the disk refuses, `submit` raises
    Unavailable and nothing of the request is stored.

Group commit
    One thread, the committer, takes everything that has been submitted since its last commit and commits it in
    one transaction; as soon as the fsync returns it does so again. There is no timer: a lone request waits for
    one fsync, a thousand at once share one. Several processes may share the file; SQLite's write lock orders them.

Exactly once
    `ids` holds (site, event id) of everything accepted in the last IDS_KEPT_DAYS days. An id that is there
    already is a duplicate: known at the answer, not stored again. UUIDs are kept as 16 bytes; version 7 ids
    arrive in order, so the index grows at its end and its cost does not grow with the table.

Tables
    waiting          seq, event       accepted, not yet in the store; seq only ever grows, also over deletes
    ids              site, id, day    for exactly once; day is days since the epoch
    rejected         what could not be accepted: reason and original payload
    session_origins  see origins.py
    meta             queue_id         names this file to the store's cursor
"""

import asyncio
import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from server.clock import Clock, now_ms
from server.errors import Unavailable
from server.ingest.rejected import RejectedEvent

IDS_KEPT_DAYS = 35
MAX_REJECTED = 10_000
MAX_PENDING_BYTES = 64 * 1024 * 1024
BUSY_TIMEOUT_MS = 5_000
PROBE_S = 1.0
STATEMENT_ROWS = (256, 64, 16, 4, 1)
_DAY_MS = 24 * 3600 * 1000
_UUID_LENGTH = 36
_SCHEMA_VERSION = 1

_SCHEMA = """
create table if not exists waiting (seq integer primary key autoincrement, event blob not null) strict;
create table if not exists ids (
    site text not null, id any not null, day integer not null, primary key (site, id)
) strict, without rowid;
create table if not exists rejected (
    seq integer primary key autoincrement, received_at integer not null, site text, event_id text,
    source text not null, code text not null, message text not null, payload blob not null
) strict;
create table if not exists session_origins (
    site text not null, session_id text not null, origin blob not null, day integer not null,
    primary key (site, session_id)
) strict, without rowid;
create table if not exists meta (key text primary key, value text not null) strict;
"""


@dataclass(frozen=True, slots=True)
class Record:
    """One accepted event on its way into the queue. Shape: event is one line of JSON."""

    site: str
    event_id: str
    event: bytes


@dataclass(slots=True)
class Submission:
    """What one request wants to have committed, and who waits for it.

    Shape:  `is_new` is filled by the committer: one truth value for each record, False for a duplicate.
    """

    records: Sequence[Record]
    rejected: Sequence[RejectedEvent] = ()
    origins: Sequence[tuple[str, str, bytes]] = ()
    future: "asyncio.Future[list[bool]] | None" = None
    size_bytes: int = 0
    is_new: list[bool] = field(default_factory=list)
    work: Callable[[sqlite3.Connection], None] | None = None


class Queue:
    """Owns the file, the committer thread and its connection.

    Errors: Unavailable from `submit` when the event cannot be made durable now.
    """

    def __init__(self, path: Path, *, clock: Clock = now_ms, on_commit: Callable[[], None] | None = None) -> None:
        self._path = path
        self._clock = clock
        self._on_commit = on_commit or (lambda: None)
        self._pending: deque[Submission] = deque()
        self._pending_bytes = 0
        self._wake = threading.Event()
        self._is_stopping = False
        self.commits = 0
        self.last_error: str | None = None
        with contextlib.closing(open_database(path)) as database:
            create_schema(database)
            self.queue_id = str(database.execute("select value from meta where key = 'queue_id'").fetchone()[0])
        self._reader = open_database(path)
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    def on_commit(self, call: Callable[[], None]) -> None:
        """Have this called, from the committer's thread, after every commit."""
        self._on_commit = call

    async def submit(self, submission: Submission) -> list[bool]:
        """Return, once on disk, which records are new (True) and which were there already (False)."""
        if self._is_stopping:
            raise _unavailable("The server is stopping.")
        submission.size_bytes = sum(len(record.event) for record in submission.records)
        if self._pending_bytes + submission.size_bytes > MAX_PENDING_BYTES:
            raise _unavailable("More is waiting for the disk than fits in memory.")
        submission.future = asyncio.get_running_loop().create_future()
        self._pending_bytes += submission.size_bytes
        self._pending.append(submission)
        self._wake.set()
        return await submission.future

    def change(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Have a change made by the committer with its next commit; returns at once."""
        self._pending.append(Submission((), work=work))
        self._wake.set()

    def find_origin(self, key: tuple[str, str]) -> bytes | None:
        """Return the remembered origin of a session (site, session id)."""
        try:
            row = self._reader.execute(
                "select origin from session_origins where site = ? and session_id = ?", key
            ).fetchone()
        except sqlite3.Error:  # a column of a report is not worth refusing an event
            return None
        return row[0] if row else None

    def last_seq(self) -> int:
        """Return the number of the newest accepted event, 0 before the first; blocks shortly."""
        with contextlib.closing(open_database(self._path)) as database:
            row = database.execute("select seq from sqlite_sequence where name = 'waiting'").fetchone()
        return int(row[0]) if row else 0

    def waiting(self) -> int:
        """Return how many accepted events are not yet in the store; blocks shortly."""
        with contextlib.closing(open_database(self._path)) as database:
            return int(database.execute("select count(*) from waiting").fetchone()[0])

    def list_rejected(self, limit: int, before: int | None, site: str | None) -> list[dict[str, Any]]:
        """Return rejected events, newest first, as rows by column.

        Shape:  before is the number to go on from; site None means all; the site `default` also sees what
                named no known site.
        """
        with contextlib.closing(open_database(self._path)) as database:
            database.row_factory = sqlite3.Row
            rows = database.execute(
                "select * from rejected where seq < coalesce(:before, 9223372036854775807)"
                " and (:site is null or site = :site or (site is null and :site = 'default'))"
                " order by seq desc limit :limit",
                {"before": before, "site": site, "limit": limit},
            )
            return [dict(row) for row in rows]

    def close(self) -> None:
        """Commit what is pending, stop the committer, close the file."""
        self._is_stopping = True
        self._wake.set()
        self._thread.join()
        self._reader.close()

    def _run(self) -> None:
        database = open_database(self._path)
        while True:
            if not self._wake.wait(PROBE_S if self.last_error else None):
                # requests alone must not be what finds the disk mended: an unready server may get none
                self._pending.append(Submission((), work=_probe))
            self._wake.clear()
            while group := list(self._take()):
                self._commit(database, group)
            if self._is_stopping and not self._pending:
                break
        database.close()

    def _take(self) -> Iterator[Submission]:
        with contextlib.suppress(IndexError):
            while True:
                yield self._pending.popleft()

    def _commit(self, database: sqlite3.Connection, group: list[Submission]) -> None:
        day = self._clock() // _DAY_MS
        changes = database.total_changes
        try:
            database.execute("begin immediate")
            insert_records(database, group, day)
            for submission in group:
                _insert_rest(database, submission, day)
            database.execute("commit")
        except Exception as error:  # noqa: BLE001 - a dead committer would leave every request without an answer
            self.last_error = f"{type(error).__name__}: {error}"
            with contextlib.suppress(sqlite3.Error):
                database.execute("rollback")
            self._answer(group, _unavailable(f"The queue could not be written: {error}."))
            return
        if database.total_changes > changes:  # an empty commit writes nothing and proves nothing
            self.last_error = None
        self.commits += 1
        self._answer(group, None)
        self._on_commit()

    def _answer(self, group: list[Submission], error: Unavailable | None) -> None:
        """Hand the outcome to the waiting requests, one call for each event loop."""
        loops: dict[asyncio.AbstractEventLoop, list[Submission]] = {}
        for submission in group:
            self._pending_bytes -= submission.size_bytes
            if submission.future is not None:
                loops.setdefault(submission.future.get_loop(), []).append(submission)
        for loop, submissions in loops.items():
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
                loop.call_soon_threadsafe(_resolve, submissions, error)


def open_database(path: Path) -> sqlite3.Connection:
    """Return a connection with the queue's promise switched on."""
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    database.execute(f"pragma busy_timeout = {BUSY_TIMEOUT_MS}")
    database.execute("pragma journal_mode = wal")
    database.execute("pragma synchronous = full")
    return database


def create_schema(database: sqlite3.Connection) -> None:
    """Create what is missing. Errors: sqlite3.DatabaseError when the file was written by a newer version."""
    version = database.execute("pragma user_version").fetchone()[0]
    if version > _SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"the queue has format {version}, this version knows {_SCHEMA_VERSION}")
    database.executescript(_SCHEMA)
    database.execute(f"pragma user_version = {_SCHEMA_VERSION}")
    database.execute("insert or ignore into meta values ('queue_id', ?)", (str(uuid4()),))


def id_key(event_id: str) -> bytes | str:
    """Return the id as it is indexed: a UUID as its 16 bytes, anything else as it is."""
    if len(event_id) == _UUID_LENGTH and event_id[8] == "-":
        with contextlib.suppress(ValueError):
            key = bytes.fromhex(event_id.replace("-", ""))
            if len(key) == 16:  # noqa: PLR2004 - the size of a UUID
                return key
    return event_id


def insert_records(database: sqlite3.Connection, group: Sequence[Submission], day: int) -> None:
    """Insert the records of a group and fill each submission's `is_new`."""
    ids = [(record.site, id_key(record.event_id), day) for each in group for record in each.records]
    before = database.total_changes
    database.execute("savepoint ids")
    _insert_rows(database, "insert or ignore into ids values", ids)
    if database.total_changes - before == len(ids):  # no duplicate in the group: by far the most frequent case
        for submission in group:
            submission.is_new = [True] * len(submission.records)
    else:
        database.execute("rollback to ids")
        _insert_one_by_one(database, group, day)
    database.execute("release ids")
    _insert_rows(
        database,
        "insert into waiting (event) values",
        [(record.event,) for each in group for record, is_new in zip(each.records, each.is_new, strict=True) if is_new],
    )


def _insert_rows(database: sqlite3.Connection, insert: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows, many with one statement; the sizes are few, so that prepared statements are reused.

    executemany gives the interpreter's lock away and takes it back for every row, each time a wait for the
    event loop: measured with single events at 64 connections, 3,200 requests a second became 5,200.
    """
    done = 0
    for size in STATEMENT_ROWS:
        while len(rows) - done >= size:
            values = ", ".join([f"({', '.join('?' * len(rows[done]))})"] * size)
            database.execute(f"{insert} {values}", [value for row in rows[done : done + size] for value in row])
            done += size


def _insert_one_by_one(database: sqlite3.Connection, group: Sequence[Submission], day: int) -> None:
    for submission in group:
        submission.is_new = [
            database.execute(
                "insert or ignore into ids values (?, ?, ?)", (record.site, id_key(record.event_id), day)
            ).rowcount
            == 1
            for record in submission.records
        ]


def _insert_rest(database: sqlite3.Connection, submission: Submission, day: int) -> None:
    if submission.rejected:
        insert_rejected(database, submission.rejected)
    if submission.origins:
        database.executemany(
            "insert or ignore into session_origins values (?, ?, ?, ?)",
            [(*row, day) for row in submission.origins],
        )
    if submission.work is not None:
        submission.work(database)


def insert_rejected(database: sqlite3.Connection, rejected: Sequence[RejectedEvent]) -> None:
    """Keep rejected events, the newest MAX_REJECTED of them."""
    database.executemany(
        "insert into rejected (received_at, site, event_id, source, code, message, payload)"
        " values (?, ?, ?, ?, ?, ?, ?)",
        [each.row() for each in rejected],
    )
    database.execute("delete from rejected where seq <= (select max(seq) from rejected) - ?", (MAX_REJECTED,))


def _probe(database: sqlite3.Connection) -> None:
    """Write something new: SQLite would not write what is there already."""
    database.execute("insert or replace into meta values ('probe', hex(randomblob(8)))")


def _resolve(submissions: list[Submission], error: Unavailable | None) -> None:
    for submission in submissions:
        future = submission.future
        if future is None or future.done():  # done: the client went away while its event was committed
            continue
        if error is None:
            future.set_result(submission.is_new)
        else:
            future.set_exception(error)


def _unavailable(message: str) -> Unavailable:
    return Unavailable("queue_unavailable", message, "Send again later: nothing was stored.", retry_after_s=1)
