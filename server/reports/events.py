"""Single events, newest first: a page of them with a cursor, or all of them as a stream."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from server.events.model import COLUMNS
from server.events.wire import write_instant
from server.reports.cursors import bad_cursor, read_cursor, write_cursor
from server.reports.filters import Filter
from server.reports.visited import stretches
from server.storage.base import Row, Store

Event = dict[str, Any]

_SELECTED = ", ".join(f'epoch_ms("{name}")' if kind == "instant" else f'"{name}"' for name, kind in COLUMNS.items())
_NEWEST_FIRST = "time desc, id desc, site desc"
_OLDEST_FIRST = "time, id, site"
_AFTER_CURSOR = "(time, id, site) < (epoch_ms($cursor_ms), $cursor_id, $cursor_site)"
"""Ids are unique within a site: two sites may have one id, of one instant."""
_MAX_CURSOR_MS = 9 * 10**15  # either way; the engine's timestamps are microseconds in 64 bits
_INSTANTS = tuple(name for name, kind in COLUMNS.items() if kind == "instant")


def list_events(store: Store, wanted: Filter, limit: int, cursor: str | None) -> tuple[list[Event], str | None]:
    """Return up to `limit` events, newest first, and the cursor of the rest or None.

    Errors: BadRequest for a cursor that this API did not make.
    """
    where, parameters = wanted.where()
    if cursor is not None:
        time_ms, event_id, site = _read_cursor(cursor)
        where += f" and {_AFTER_CURSOR}"
        parameters |= {"cursor_ms": time_ms, "cursor_id": event_id, "cursor_site": site}
        wanted = replace(wanted, until_ms=min(time_ms + 1, time_ms + 1 if wanted.until_ms is None else wanted.until_ms))
    # the where clause is built from constants, values are parameters
    sql = f"select {_SELECTED} from events where {where} and {{stretch}} order by {_NEWEST_FIRST} limit $limit"  # noqa: S608
    rows: list[Row] = []
    with store.instant() as ask:
        for stretch in stretches(ask, wanted):
            rows = ask(sql.format(stretch=stretch), {**parameters, "limit": limit + 1})
            if len(rows) > limit:
                break
    events = [_event(row) for row in rows[:limit]]
    return events, _write_cursor(rows[limit - 1]) if len(rows) > limit else None


def stream_events(store: Store, wanted: Filter) -> Iterator[list[Event]]:
    """Yield all events, newest first, in batches."""
    where, parameters = wanted.where()
    sql = f"select {_SELECTED} from events where {where} order by {_NEWEST_FIRST}"  # noqa: S608 - as above
    for rows in store.stream(sql, parameters):
        yield [_event(row) for row in rows]


def write_events(store: Store, wanted: Filter, path: Path) -> None:
    """Write all events, oldest first, into a Parquet file."""
    where, parameters = wanted.where()
    store.write_parquet(f"select * from events where {where} order by {_OLDEST_FIRST}", parameters, path)  # noqa: S608 - as above


def _event(row: Row) -> Event:
    event = dict(zip(COLUMNS, row, strict=True))
    for name in _INSTANTS:
        event[name] = write_instant(event[name])
    event["props"] = orjson.loads(event["props"] or "{}")
    return event


def _write_cursor(row: Row) -> str:
    event = dict(zip(COLUMNS, row, strict=True))
    return write_cursor([event["time"], event["id"], event["site"]])


def _read_cursor(cursor: str) -> tuple[int, str, str]:
    time_ms, event_id, site = read_cursor(cursor, 3)
    if type(time_ms) is not int or abs(time_ms) > _MAX_CURSOR_MS:
        raise bad_cursor()
    if not (isinstance(event_id, str) and isinstance(site, str)):
        raise bad_cursor()
    return time_ms, event_id, site
