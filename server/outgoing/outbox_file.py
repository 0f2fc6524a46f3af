"""The outbox' file: its tables and the rows that come out of them. Called by outbox, subscriptions and settling.

Tables
    subscriptions  who wants which events, and how it goes with them; counts are since the subscription was made
    deliveries     one event on its way to one subscription, gone once it has arrived; dead_at is set for dead letters.
                   seq only ever grows, also over deletes: it is the order, and an id that never means something else.
                   subjects are whom the event is about, so that erasing somebody finds it
                   The indexes of bytes tell which line takes most without reading a body
    positions      how far each queue has been read: same transaction as the deliveries that came out of it

Why a file of its own and not the queue's: deliveries write one commit each, at the pace of other people's servers, and
the queue's file is what every answer to a page waits for. Why not the store: it is the one place that may be away.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

OUTBOX_FILE = "outbox.sqlite"
ALL_NAMES = "*"
VERSION = 1
_SCHEMA = """
create table if not exists subscriptions (
    id text primary key, site text not null, url text not null, names text not null, state text not null,
    secret text not null, old_secret text, old_secret_until integer not null default 0, created_at integer not null,
    paused_until integer not null default 0, delivered integer not null default 0, failed integer not null default 0,
    dropped integer not null default 0, last_attempt_at integer, last_status integer, last_error text
) strict, without rowid;
create table if not exists deliveries (
    seq integer primary key autoincrement, subscription text not null, event_id text not null, name text not null,
    time integer not null, subjects text not null, body blob not null, queued_at integer not null,
    due_at integer not null, failures integer not null default 0, status integer, error text, dead_at integer
) strict;
create index if not exists deliveries_waiting on deliveries (subscription, seq, due_at) where dead_at is null;
create index if not exists deliveries_due on deliveries (subscription, due_at) where dead_at is null;
create index if not exists deliveries_dead on deliveries (subscription, seq) where dead_at is not null;
create index if not exists deliveries_waiting_bytes on deliveries (subscription, length(body)) where dead_at is null;
create index if not exists deliveries_dead_bytes on deliveries (subscription, length(body)) where dead_at is not null;
create table if not exists positions (queue_id text primary key, position integer not null) strict;
"""

State = Literal["active", "paused", "gone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Who wants which events, and how it goes with them.

    Shape:  names are event names, or ALL_NAMES alone; state is `paused` by its owner or `gone` by the target's 410.
            While one secret replaces another, old_secret signs too, until old_secret_until.
    Units:  instants are milliseconds since the epoch, UTC; delivered, failed and dropped count deliveries, attempts
            and dead letters that were given up.
    """

    id: str
    site: str
    url: str
    names: Sequence[str]
    state: State
    secret: str
    old_secret: str | None
    old_secret_until: int
    created_at: int
    paused_until: int
    delivered: int
    failed: int
    dropped: int
    last_attempt_at: int | None
    last_status: int | None
    last_error: str | None

    def wants(self, site: str, name: str) -> bool:
        """Return whether an event is to be queued for it."""
        return self.site == site and self.state == "active" and (name in self.names or ALL_NAMES in self.names)

    def secrets(self, now_ms: int) -> list[str]:
        """Return the secrets that sign now, the newest first."""
        old = [self.old_secret] if self.old_secret is not None and now_ms < self.old_secret_until else []
        return [self.secret, *old]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way. Units: instants are milliseconds since the epoch, UTC; failures counts attempts."""

    seq: int
    subscription: str
    event_id: str
    name: str
    time: int
    body: bytes
    queued_at: int
    due_at: int
    failures: int
    status: int | None
    error: str | None
    dead_at: int | None


_SUBSCRIPTION = ", ".join(Subscription.__slots__)
_DELIVERY = ", ".join(Delivery.__slots__)


def open_outbox(path: Path, *, is_synced: bool) -> sqlite3.Connection:
    """Return a connection to the file, which is made where it is missing.

    Shape:  is_synced has every commit on disk when it returns; without it a power cut may take the last ones back,
            which costs repetitions and nothing else.
    Errors: sqlite3.Error.
    """
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    database.execute("pragma busy_timeout = 5000")
    database.execute("pragma journal_mode = wal")
    database.execute(f"pragma synchronous = {'full' if is_synced else 'normal'}")
    database.execute("pragma secure_delete = on")  # who is erased leaves no bytes, nor what has arrived
    version = database.execute("pragma user_version").fetchone()[0]
    if version > VERSION:
        raise sqlite3.DatabaseError(f"the outbox has format {version}, this version knows {VERSION}")
    database.executescript(_SCHEMA)
    database.execute(f"pragma user_version = {VERSION}")
    return database


def select_subscriptions(
    database: sqlite3.Connection, where: str = "true", values: Sequence[Any] = ()
) -> list[Subscription]:
    """Return subscriptions, the oldest first. Shape: where is the program's own text."""
    sql = f"select {_SUBSCRIPTION} from subscriptions where {where} order by created_at, id"  # noqa: S608 - as above
    found = []
    for row in database.execute(sql, values):
        fields = dict(zip(Subscription.__slots__, row, strict=True))
        found.append(Subscription(**{**fields, "names": tuple(orjson.loads(fields["names"]))}))
    return found


def select_deliveries(
    database: sqlite3.Connection, where: str, values: Sequence[Any], body_bytes: int | None = None
) -> list[Delivery]:
    """Return deliveries. Shape: where is the program's own text, with order and limit; bodies end after body_bytes."""
    columns = _DELIVERY if body_bytes is None else _DELIVERY.replace("body", f"substr(body, 1, {body_bytes:d})")
    rows = database.execute(f"select {columns} from deliveries where {where}", values)  # noqa: S608 - as above
    return [Delivery(**dict(zip(Delivery.__slots__, row, strict=True))) for row in rows]


def insert_deliveries(database: sqlite3.Connection, rows: Iterable[Sequence[Any]]) -> None:
    """Queue deliveries. Shape: subscription, event_id, name, time, subjects, body, queued_at, due_at."""
    database.executemany(
        "insert into deliveries (subscription, event_id, name, time, subjects, body, queued_at, due_at)"
        " values (?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )


def used_bytes(database: sqlite3.Connection) -> int:
    """Return how large the file is without the pages that are free to be used again."""
    used, free, size = (
        database.execute(f"pragma {each}").fetchone()[0] for each in ("page_count", "freelist_count", "page_size")
    )
    return int((used - free) * size)


def find_position(database: sqlite3.Connection, queue_id: str) -> int | None:
    """Return the number of the last event taken from this queue, None where it was never read."""
    row = database.execute("select position from positions where queue_id = ?", (queue_id,)).fetchone()
    return int(row[0]) if row else None


def save_position(database: sqlite3.Connection, queue_id: str, position: int) -> None:
    """Record how far this queue has been read."""
    database.execute("insert or replace into positions values (?, ?)", (queue_id, position))
