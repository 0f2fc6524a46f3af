"""The queue's file: its tables and the statements on them. Called by the queue, the writer and expiry.

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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from server.ingest.rejected import RejectedEvent

MAX_REJECTED = 10_000
BUSY_TIMEOUT_MS = 5_000
STATEMENT_ROWS = (256, 64, 16, 4, 1)
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


class Record(NamedTuple):
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
            statement = _statement(insert, len(rows[0]), size)
            database.execute(statement, [value for row in rows[done : done + size] for value in row])
            done += size


@cache
def _statement(insert: str, columns: int, rows: int) -> str:
    """Return the text of an insert of so many rows."""
    row = f"({', '.join('?' * columns)})"
    return f"{insert} {', '.join([row] * rows)}"


def _insert_one_by_one(database: sqlite3.Connection, group: Sequence[Submission], day: int) -> None:
    for submission in group:
        submission.is_new = [
            database.execute(
                "insert or ignore into ids values (?, ?, ?)", (record.site, id_key(record.event_id), day)
            ).rowcount
            == 1
            for record in submission.records
        ]


def insert_rest(database: sqlite3.Connection, submission: Submission, day: int) -> None:
    """Insert what a submission brings beside its records, and do its work."""
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
