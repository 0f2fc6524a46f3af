"""Keeps the tables of hours (hours.py) as the events are: folds more of them, adds what comes late, makes hours anew.

The stretch that is folded grows at both its ends, a step at a time, each a transaction: forward as events arrive, and
back until nothing is older, which after an upgrade takes minutes. What arrives later than it happened, and falls into
the stretch, is added in the transaction that stores it: no hour is folded again for it, however often that happens.
An erasure and the retention make the hours anew whose events they remove, in their own transaction. Called by the
store.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import duckdb

from server.events.head import Numbered
from server.storage.duckdb_file import transaction
from server.storage.hours import (
    HOUR,
    HOUR_MS,
    MERGED,
    NOT_OPERATIONS,
    STRETCH,
    TELLING,
    VISITOR_AS_KEPT,
    counted,
    known,
    names_counted,
    new_kinds,
    new_names,
    rows_of,
)

LAG_MS = 5_000
"""Most events are stored within so long; what comes later is added when it comes."""

FOLD_EVENTS = 10_000
FOLD_PAUSE_MS = 60_000
"""Folded again after so many events, or after so long when there are fewer."""

MOST_EVENTS, FEW_EVENTS = 20_000, 5_000
"""Of a step: with more the writer would be away for longer than a batch takes, with fewer there would be many steps."""

MERGE_ROWS, MOST_ROWS = 2_000, 50_000
"""An hour's rows are added up when so many are new and no fewer than the others; not beyond so many."""

FIRST_SPAN_MS = 60_000

Connection = duckdb.DuckDBPyConnection
Stretch = tuple[int, int]


class Hours:
    """What is folded of one open file, and when more is due. For the thread that writes."""

    def __init__(self, database: Connection) -> None:
        self._database = database
        self._stretch: Stretch | None = None
        self._is_known = False
        self._arrived = FOLD_EVENTS  # since it was last folded; before this process, for all that is known
        self._folded_ms = 0
        self._span_ms = FIRST_SPAN_MS
        self._is_complete = False
        self._hour_ms = 0
        self._new_rows = self._merged_rows = 0
        self._over_ms: int | None = None

    def late(self, events: Sequence[Numbered]) -> list[bytes]:
        """Return which events that are being stored may be in the stretch; `add` is to follow, with these alone."""
        self._arrived += len(events)
        stretch = self._known_stretch()
        if stretch is None:
            return []
        since, until = stretch
        earliest = min(head.time for _, head, _ in events)
        self._is_complete = self._is_complete and earliest >= since
        if earliest >= until:
            return []
        return [line for _, head, line in events if head.time < until]

    def add(self, incoming: str) -> None:
        """Tell the tables of events that are being stored, inside the transaction that does it."""
        if self._stretch is not None:
            _add(self._database, f"({incoming})", *self._stretch)

    def step(self, now_ms: int) -> bool:
        """Do the next little thing that is due; return False when nothing is."""
        stretch = self._known_stretch()
        if self._arrived >= FOLD_EVENTS or (self._arrived and now_ms - self._folded_ms >= FOLD_PAUSE_MS):
            self._fold_forward(stretch, now_ms)
        elif self._over_ms is not None:
            self._merge(self._over_ms)
            self._over_ms = None
        elif self._new_rows >= max(MERGE_ROWS, self._merged_rows) and self._new_rows + self._merged_rows <= MOST_ROWS:
            self._merged_rows, self._new_rows = self._merge(self._hour_ms), 0
        elif stretch is not None and not self._is_complete:
            self._fold_back(stretch)
        else:
            return False
        return True

    def _known_stretch(self) -> Stretch | None:
        """Return what is folded; asked for anew after a fault, which may have come after a commit."""
        if not self._is_known:
            self._stretch = _stretch(self._database)
            self._is_known = True
        return self._stretch

    def _fold_forward(self, stretch: Stretch | None, now_ms: int) -> None:
        newest_ms = _one(self._database, "select epoch_ms(max(time)) from events")
        until = now_ms - LAG_MS if newest_ms is None else min(now_ms - LAG_MS, newest_ms + 1)
        if stretch is None and newest_ms is not None:
            self._fold(until, until, (until, until))
        elif stretch is not None and stretch[1] < until:
            since = stretch[1]
            span_ms, _ = self._fitting(since, until - since, -1)
            self._note(since + span_ms - 1, self._fold(since, since + span_ms, (stretch[0], since + span_ms)))
            if since + span_ms < until:
                return
        self._arrived, self._folded_ms = 0, now_ms

    def _fold_back(self, stretch: Stretch) -> None:
        oldest_ms = _one(self._database, "select epoch_ms(min(time)) from events")
        until = stretch[0]
        self._is_complete = oldest_ms is None or oldest_ms >= until
        if self._is_complete:
            return
        span_ms, events = self._fitting(until, min(self._span_ms, until - oldest_ms), 1)
        self._fold(until - span_ms, until, (until - span_ms, stretch[1]))
        self._span_ms = span_ms if events >= FEW_EVENTS else 2 * self._span_ms

    def _fitting(self, edge_ms: int, span_ms: int, sign: int) -> tuple[int, int]:
        """Return how much of a span after (-1) or before (1) an edge is no more than a step, and how many events."""
        while True:
            since, until = sorted((edge_ms, edge_ms - sign * span_ms))
            events = _one(
                self._database,
                "select count(*) from events where time >= epoch_ms($since) and time < epoch_ms($until)",
                {"since": since, "until": until},
            )
            if events <= MOST_EVENTS or span_ms == 1:
                return span_ms, events
            span_ms = (span_ms + 1) // 2

    def _fold(self, since: int, until: int, stretch: Stretch) -> int:
        """Tell the tables of a time, which widens the stretch; return how many rows of visits that made."""
        self._is_known = False
        with transaction(self._database):
            rows = _add(self._database, "events", since, until)["visits"]
            self._database.execute("delete from folded")
            self._database.execute("insert into folded values (epoch_ms(?), epoch_ms(?))", stretch)
        self._stretch, self._is_known = stretch, True
        return rows

    def _note(self, last_ms: int, rows: int) -> None:
        """Note rows of the hour that is being folded; one that is over is added up once more."""
        hour_ms = last_ms - last_ms % HOUR_MS
        if hour_ms != self._hour_ms:
            if self._new_rows and self._new_rows + self._merged_rows <= MOST_ROWS:
                self._over_ms = self._hour_ms
            self._hour_ms, self._new_rows, self._merged_rows = hour_ms, 0, 0
        self._new_rows += rows

    def _merge(self, hour_ms: int) -> int:
        """Add up an hour's rows of the same key; return how many rows of visits are left."""
        with transaction(self._database):
            for table in reversed(TELLING):
                self._database.execute(
                    f"create or replace temp table merged as select {MERGED[table]} from {table}"  # noqa: S608 - the program's own texts
                    f" where hour = epoch_ms({hour_ms}) group by all"
                )
                self._database.execute(f"delete from {table} where hour = epoch_ms(?)", [hour_ms])  # noqa: S608 - as above
                rows = _one(self._database, f"insert into {table} from merged")
            self._database.execute("drop table merged")
        return int(rows)


def fold_anew(database: Connection, hours: Iterable[int], visitors: Iterable[str | None] | None = None) -> None:
    """Make the rows of hours anew, after events of theirs were removed, inside the transaction that did it.

    Shape:  visitors are those whose events they were, None for events of nobody; when left out, anybody's. Others' rows
            of visits and arrivals stay then: all of the hours at once would be more than the engine may have.
    Units:  hours are the instants at which they begin, in milliseconds.
    """
    stretch, touched = _stretch(database), sorted(set(hours))
    if stretch is None or not touched:
        return
    database.execute("create or replace temp table touched as select epoch_ms(unnest(?::bigint[])) as hour", [touched])
    since, until = max(touched[0], stretch[0]), min(touched[-1] + HOUR_MS, stretch[1])
    left = f"(select * from events where {HOUR} in (from touched))"  # noqa: S608 - the program's own texts
    if visitors is None:
        for table in TELLING:
            database.execute(f"delete from {table} where hour in (from touched)")  # noqa: S608 - as above
        _add(database, left, since, until)
    else:
        database.execute(
            f"create or replace temp table gone as select visitor_id, {VISITOR_AS_KEPT}"  # noqa: S608 - as above
            " from (select distinct unnest(?::varchar[]) as visitor_id)",
            [list(visitors)],
        )
        for table in ("visits", "arrivals"):
            database.execute(
                f"delete from {table} where hour in (from touched) and exists (select 1 from gone"  # noqa: S608 - as above
                f" where gone.visitor_uuid is not distinct from {table}.visitor_uuid"
                f" and gone.visitor_text is not distinct from {table}.visitor_text)"
            )
        database.execute("delete from name_counts where hour in (from touched)")
        theirs = "exists (select 1 from gone where gone.visitor_id is not distinct from events.visitor_id)"
        _add(database, f"(from {left} as events where {theirs})", since, until, ("visits", "arrivals"))
        _add_names(database, left, since, until)
        database.execute("drop table gone")
    database.execute("drop table touched")
    # a name may tell of somebody
    database.execute("delete from names where number not in (select number from name_counts)")
    database.execute("delete from kinds where kind not in (select kind from visits)")


def _stretch(database: Connection) -> Stretch | None:
    row = database.execute(STRETCH).fetchone()
    return (int(row[0]), int(row[1])) if row else None


def _add(database: Connection, source: str, since: int, until: int, tables: Iterable[str] = TELLING) -> dict[str, int]:
    """Add rows for the events of a source in a time; return how many that made in each table."""
    database.execute(f"create or replace temp table found as {counted(_within(source, since, until))}")
    database.execute(
        "insert into kinds select (select coalesce(max(kind), 0) from kinds) + row_number() over (), *"  # noqa: S608 - the program's own texts
        f" from ({new_kinds('found')})"
    )
    _number_names(database, "found")
    database.execute(f"create or replace temp table known as {known('found', 'kinds', 'names')}")
    rows = rows_of("known")
    made = {table: int(_one(database, f"insert into {table} {rows[table]}")) for table in tables}
    database.execute("drop table found")
    database.execute("drop table known")
    return made


def _add_names(database: Connection, source: str, since: int, until: int) -> None:
    """Add rows of name_counts alone, for which nobody has to be told apart."""
    within = _within(source, since, until)
    _number_names(database, f"(from {within} where {NOT_OPERATIONS})")
    database.execute(f"insert into name_counts {names_counted(within)}")


def _number_names(database: Connection, source: str) -> None:
    database.execute(
        "insert into names select (select coalesce(max(number), -1) from names) + row_number() over (), name"  # noqa: S608 - as above
        f" from ({new_names(source)})"
    )


def _within(source: str, since: int, until: int) -> str:
    return f"(select * from {source} where time >= epoch_ms({since}) and time < epoch_ms({until}))"  # noqa: S608 - as above


def _one(database: Connection, sql: str, parameters: dict[str, int] | None = None) -> Any:
    row = database.execute(sql, parameters).fetchone()
    return row[0] if row else None
