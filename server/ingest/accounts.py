"""The accounts of everything that arrived: received = accepted + duplicate + rejected, accepted = stored + waiting.

Where they are
    In the queue's file, changed in the very transactions that change what they count, so that they survive restarts,
    are shared by all processes on the file, and one read transaction sees all of them at one instant.
    accepted    the number of the newest event in `waiting`, which has no gaps (less what was put back, see below)
    duplicate, rejected, stored    rows of `counts`
    waiting     what is in `waiting`, and what the store refused and `rejected` keeps: accepted, and not in the store
    received    the sum of the three verdicts

Meaning
    Verdicts are counted when given and never taken back. A rejected event that is replayed with success is received
    and accepted anew. An event is stored when the queue has learned so from the store, milliseconds after the fact;
    what belongs to an erased visitor is stored and erased. One that was set aside and goes back to the store keeps
    its first verdict.

Counts without a promise (corrections, refused requests, answers) are each process's own, since its start.
"""

import sqlite3
from collections import Counter
from dataclasses import dataclass, field

import orjson

from server.ingest.queue_schema import NOT_SET_ASIDE, SET_ASIDE


@dataclass(slots=True)
class Accounts:
    """Counts since the start of the process.

    Shape:  the counters' keys are codes, those of answers are statuses, those of ignored_notices vendor and reason;
            last_received_ms is by site, and complete once
            is_store_read says that the store was asked too.
    """

    corrected: Counter[str] = field(default_factory=Counter)
    refused_requests: Counter[str] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    ignored_notices: Counter[tuple[str, str]] = field(default_factory=Counter)
    last_received_ms: dict[str, int] = field(default_factory=dict)
    is_store_read: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCounts:
    """The accounts at one instant.

    Shape:  rejected by code; dropped by bound (`number`, `age`); untold, of the stored ones, by who could not take them
            (`people`, `webhooks`); oldest_received_ms is when the event that waits
            longest was received, None when none waits.
    """

    accepted: int
    duplicate: int
    rejected: dict[str, int]
    stored: int
    set_aside: int
    queued: int
    rejected_kept: int
    dropped: dict[str, int]
    replayed: int
    erased: int
    untold: dict[str, int]
    oldest_received_ms: int | None

    @property
    def received(self) -> int:
        """Return how many events have been given a verdict."""
        return self.accepted + self.duplicate + sum(self.rejected.values())

    @property
    def waiting(self) -> int:
        """Return how many accepted events are not in the store."""
        return self.queued + self.set_aside


def read_counts(database: sqlite3.Connection) -> QueueCounts:
    """Return the accounts, all of one instant. Errors: sqlite3.Error."""
    database.execute("begin")
    try:
        return _read_counts(database)
    finally:
        database.execute("rollback")


def _read_counts(database: sqlite3.Connection) -> QueueCounts:
    counts: dict[str, dict[str, int]] = {}
    for name, label, value in database.execute("select name, label, value from counts"):
        counts.setdefault(name, {})[label] = value
    # apart: asked for both at once SQLite reads all rows, and there may be millions (200,000 took 0.8 s)
    first, last = database.execute("select (select min(seq) from waiting), (select max(seq) from waiting)").fetchone()
    newest = database.execute("select seq from sqlite_sequence where name = 'waiting'").fetchone()

    def one(name: str) -> int:
        return counts.get(name, {}).get("", 0)

    set_aside = _count(database, f"select count(*) from rejected where {SET_ASIDE}")  # noqa: S608 - a constant
    return QueueCounts(
        accepted=(newest[0] if newest else 0) - one("put_back"),
        duplicate=one("duplicate"),
        rejected=counts.get("rejected", {}),
        stored=one("stored"),
        set_aside=set_aside,
        queued=last - first + 1 if first is not None else 0,  # without gaps; counting rows would read them all
        # from two indexes, which have no payloads
        rejected_kept=set_aside + _count(database, f"select count(*) from rejected where {NOT_SET_ASIDE}"),  # noqa: S608 - as above
        dropped=counts.get("rejected_dropped", {}),
        replayed=one("replayed"),
        erased=one("erased"),
        untold=counts.get("untold", {}),
        oldest_received_ms=_received_ms(database, first) if first is not None else None,
    )


def _count(database: sqlite3.Connection, sql: str) -> int:
    return int(database.execute(sql).fetchone()[0])


def _received_ms(database: sqlite3.Connection, seq: int) -> int | None:
    row = database.execute("select event from waiting where seq = ?", (seq,)).fetchone()
    return received_ms(row[0]) if row else None


def received_ms(event: bytes) -> int | None:
    """Return when an encoded event was received, None when it does not say."""
    try:
        found = orjson.loads(event)
    except orjson.JSONDecodeError:
        return None
    received = found.get("received_at") if isinstance(found, dict) else None
    return received if isinstance(received, int) else None
