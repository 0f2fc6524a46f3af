"""Statements on the queue's file (tables: queue_schema.py). Called by queue, writer, expiry, replay and erasure."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from server.errors import Unavailable
from server.ingest.queue_schema import NOT_SET_ASIDE, SET_ASIDE_CODES, digest_of_id
from server.ingest.rejected import RejectedEvent

QUEUE_FILE = "queue.sqlite"
MAX_REJECTED = 10_000  # of each site: whoever fills the list of one empties no other's
MAX_REJECTED_UNKNOWN = 1_000  # of all that named no known site: anyone may send that
BUSY_TIMEOUT_MS = 5_000
MAX_LOG_FILE_BYTES = 64 * 1024 * 1024
STATEMENT_ROWS = 128
ID_COLUMNS = 3
EVENT_COLUMNS = 2
_UUID_LENGTH = 36

OnEnd = Callable[[Unavailable | None], None]
NewOrigin = tuple[str, str, bytes, int | None]
"""What brought a session: site, session id, origin, and which of the submission's records told it, None: a rejected."""


class Record(NamedTuple):
    """One accepted event on its way into the queue. Shape: event is one line of JSON."""

    site: str
    event_id: str
    event: bytes


@dataclass(slots=True)
class Submission:
    """What one request wants to have committed, and who waits for it.

    Shape:  `is_new` is filled by the committer: one truth value for each record, False for a duplicate; so is
            `rejected_ids`, the numbers under which `rejected` is kept. `on_end` is called in the event loop `loop`,
            with None or with what was wrong; in other threads `done` is waited for.
    """

    records: Sequence[Record]
    rejected: Sequence[RejectedEvent] = ()
    origins: Sequence[NewOrigin] = ()
    loop: asyncio.AbstractEventLoop | None = None
    on_end: "OnEnd | None" = None
    done: "Future[None] | None" = None
    size_bytes: int = 0
    is_new: list[bool] = field(default_factory=list)
    rejected_ids: list[int | None] = field(default_factory=list)
    work: Callable[[sqlite3.Connection], None] | None = None


def open_database(path: Path) -> sqlite3.Connection:
    """Return a connection with the queue's promise switched on."""
    database = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=3 * STATEMENT_ROWS
    )
    database.execute(f"pragma busy_timeout = {BUSY_TIMEOUT_MS}")
    database.execute("pragma journal_mode = wal")
    database.execute("pragma synchronous = full")
    # checkpoints are made beside the commits that answers wait for (see checkpoints.py), never inside one
    database.execute("pragma wal_autocheckpoint = 0")
    # the log's file keeps its size when the log begins again, but not that of the longest it ever was
    database.execute(f"pragma journal_size_limit = {MAX_LOG_FILE_BYTES}")
    # a page that is freed is overwritten: a later event that does not fill it would keep the end of the one before
    # (measured: to forget 2,000 stored events takes 4 ms instead of 3)
    database.execute("pragma secure_delete = on")
    return database


def id_key(event_id: str, queue_id: str) -> bytes:
    """Return the id as it is indexed: a UUID as its 16 bytes, of anything else a digest (`digest_of_id`)."""
    if len(event_id) == _UUID_LENGTH and event_id[8] == "-":
        try:  # not suppress(), which takes as long as all the rest
            key = bytes.fromhex(event_id.replace("-", ""))
        except ValueError:
            key = b""
        if len(key) == 16:  # noqa: PLR2004 - the size of a UUID
            return key
    return digest_of_id(event_id, queue_id)


def insert_records(database: sqlite3.Connection, group: Sequence[Submission], day: int, queue_id: str) -> None:
    """Insert the records of a group and fill each submission's `is_new`."""
    ids: list[Any] = []
    for submission in group:
        for site, event_id, _ in submission.records:
            ids += (site, id_key(event_id, queue_id), day)
    count = len(ids) // ID_COLUMNS
    before = database.total_changes
    database.execute("savepoint ids")
    _insert_rows(database, "insert or ignore into ids values", ID_COLUMNS, ids)
    if database.total_changes - before == count:  # no duplicate in the group: by far the most frequent case
        for submission in group:
            submission.is_new = [True] * len(submission.records)
    else:
        database.execute("rollback to ids")
        _insert_one_by_one(database, group, day, queue_id)
    database.execute("release ids")
    events: list[Any] = []
    for submission in group:
        for (_, _, event), is_new in zip(submission.records, submission.is_new, strict=True):
            if is_new:
                events += (event, crc32(event))
    _insert_rows(database, "insert into waiting (event, crc) values", EVENT_COLUMNS, events)


def _insert_rows(database: sqlite3.Connection, insert: str, columns: int, values: Sequence[Any]) -> None:
    """Insert rows, as many with one statement as there are. Shape: values are those of all rows, one after another.

    executemany gives the interpreter's lock away and takes it back for every row, each time a wait for the
    event loop: measured with single events at 64 connections, 3,200 requests a second became 5,200.
    """
    largest = STATEMENT_ROWS * columns
    for start in range(0, len(values), largest):
        part = values[start : start + largest]
        database.execute(_statement(insert, columns, len(part) // columns), part)


@cache
def _statement(insert: str, columns: int, rows: int) -> str:
    """Return the text of an insert of so many rows; there are few, so that prepared statements are reused."""
    row = f"({', '.join('?' * columns)})"
    return f"{insert} {', '.join([row] * rows)}"


def _insert_one_by_one(database: sqlite3.Connection, group: Sequence[Submission], day: int, queue_id: str) -> None:
    insert = "insert or ignore into ids values (?, ?, ?)"
    for submission in group:
        submission.is_new = [
            database.execute(insert, (record.site, id_key(record.event_id, queue_id), day)).rowcount == 1
            for record in submission.records
        ]


def insert_rest(database: sqlite3.Connection, submission: Submission, day: int) -> None:
    """Insert what a submission brings beside its records, and do its work."""
    if submission.rejected:
        submission.rejected_ids = insert_rejected(database, submission.rejected)
    if submission.origins:
        database.executemany(
            "insert or ignore into session_origins values (?, ?, ?, ?)",
            # of a repeated event it was inserted before, or is to be forgotten since: its session may be erased
            [(*row, day) for *row, number in submission.origins if number is None or submission.is_new[number]],
        )
    if submission.work is not None:
        submission.work(database)


def count_verdicts(database: sqlite3.Connection, group: Sequence[Submission]) -> None:
    """Add a group's duplicates and rejections to the accounts; accepted events are counted by their numbers."""
    for submission in group:
        if duplicates := submission.is_new.count(False):
            add_count(database, "duplicate", "", duplicates)
        for refusal in submission.rejected:
            add_count(database, "rejected", refusal.code, 1)


def add_count(database: sqlite3.Connection, name: str, label: str, number: int) -> None:
    """Add to one of the accounts, with everything else that this transaction does."""
    database.execute(
        "insert into counts values (?, ?, ?) on conflict (name, label) do update set value = value + excluded.value",
        (name, label, number),
    )


def insert_rejected(database: sqlite3.Connection, rejected: Sequence[RejectedEvent]) -> list[int | None]:
    """Keep rejected events, of each site the newest MAX_REJECTED beside what was set aside; return their numbers.

    Shape:  those without a site have a bound of their own, MAX_REJECTED_UNKNOWN. The cost is that of a look into an
            index, however many are kept: rejections are sent by anyone, and answers wait for this commit.
    """
    newest: dict[str | None, int] = {}
    rows = []
    for each in rejected:
        number = None
        if each.code not in SET_ASIDE_CODES:
            if each.site not in newest:
                newest[each.site] = _newest_rejected(database, each.site)
            number = newest[each.site] = newest[each.site] + 1
        rows.append((*each.row(), number))
    insert = (
        "insert into rejected (received_at, site, event_id, source, code, message, payload, context, number)"
        " values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    )
    ids = [database.execute(insert, row).lastrowid for row in rows]
    for site, number in newest.items():
        bound = MAX_REJECTED_UNKNOWN if site is None else MAX_REJECTED
        drop_rejected(database, "number", "site is ? and number <= ?", (site, number - bound))
    return ids


def _newest_rejected(database: sqlite3.Connection, site: str | None) -> int:
    """Return the number of a site's newest rejected event, 0 before the first."""
    sql = f"select max(number) from rejected where site is ? and {NOT_SET_ASIDE}"  # noqa: S608 - a constant
    return database.execute(sql, (site,)).fetchone()[0] or 0


def drop_rejected(database: sqlite3.Connection, bound: str, condition: str, values: Sequence[str | int | None]) -> None:
    """Drop rejected events beyond a bound, and count them under its name; what was set aside always stays."""
    sql = f"delete from rejected where {condition} and {NOT_SET_ASIDE}"  # noqa: S608 - the program's own texts
    if dropped := database.execute(sql, values).rowcount:
        add_count(database, "rejected_dropped", bound, dropped)


def tell_held(database: sqlite3.Connection, until_s: float) -> None:
    """Tell all processes on the file until when requests are to wait. Units: of the machine's monotonic clock."""
    database.execute("insert or replace into meta values ('held_until', ?)", (repr(until_s),))


def read_held(database: sqlite3.Connection) -> float:
    """Return until when requests are to wait, 0 where nobody said it. Units: of the machine's monotonic clock."""
    row = database.execute("select value from meta where key = 'held_until'").fetchone()
    return float(row[0]) if row else 0.0


def forget_origins(database: sqlite3.Connection, sessions: Iterable[tuple[str, str]]) -> None:
    """Remove what is remembered of sessions. Shape: each is (site, session id)."""
    database.executemany("delete from session_origins where site = ? and session_id = ?", sessions)


def forget_stored(database: sqlite3.Connection, position: int) -> None:
    """Remove what the store has, and count it."""
    if stored := database.execute("delete from waiting where seq <= ?", (position,)).rowcount:
        add_count(database, "stored", "", stored)


def forget_some(database: sqlite3.Connection, position: int, rows: int) -> bool:
    """Remove the first rows of what the store has; return whether there may be more."""
    first = database.execute("select min(seq) from waiting").fetchone()[0]
    if first is None or first > position:
        return False
    forget_stored(database, min(position, first + rows - 1))
    return bool(first + rows <= position)


def set_aside(database: sqlite3.Connection, seq: int, rejected: RejectedEvent) -> None:
    """Move an event that the store will never have; all before it are stored."""
    try:
        forget_stored(database, seq - 1)
        database.execute("delete from waiting where seq = ?", (seq,))
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:  # the page is broken, which is why the event moves
        pass
    insert_rejected(database, [rejected])
