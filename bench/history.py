"""Makes a store large: what a server has taken in, many times over, spread over days. The server must be stopped.

Ten million events through HTTP would take a quarter of an hour. What the server wrote for real events is therefore
taken as it is, and only what tells one event from another is made anew: id, times, visitor, session.
"""

import shutil
from pathlib import Path

import duckdb

from server.events.model import COLUMNS
from server.storage.duckdb import DuckDBStore
from server.storage.duckdb_hours import LAG_MS
from server.storage.hours import TABLES

DAY_MS = 24 * 3600 * 1000
STEP_MS = 15_000
VISITS = 4
COPIES_AT_ONCE = 5
MEMORY_LIMIT = "2GB"

_SEEDS = """
create temp table seeds as select *, dense_rank() over (order by session_id) - 1 as session,
    row_number() over (partition by session_id order by id) - 1 as step from events
"""
_MADE = {
    "id": "substr(digits, 1, 8) || '-' || substr(digits, 9, 4) || '-7' || substr(uuid()::varchar, 16)",
    "time": "epoch_ms(ms)",
    "received_at": "epoch_ms(ms + (random() * 400)::bigint)",
    "visitor_id": "md5(visitor_id || '/' || copy % $people)::uuid::varchar",
    "session_id": "md5(session_id || '/' || copy)::uuid::varchar",
}
_COLUMN_LIST = ", ".join(f'"{name}"' for name in COLUMNS)
_COPIES = f"""
insert into events ({_COLUMN_LIST}) select {", ".join(_MADE.get(name, f'"{name}"') for name in COLUMNS)}
from (select *, lpad(to_hex(ms), 12, '0') as digits from (
    select seeds.*, copy, ($start + copy * $span + session * $span / $sessions + step * {STEP_MS})::bigint as ms
    from seeds, range($first, $last) as copies (copy)
)) order by ms
"""  # noqa: S608 - columns and numbers of the program's own


def grow_store(path: Path, events: int, days: float) -> int:
    """Add older events to a store until it holds so many, evenly over the days until its own; return how many it holds.

    Shape:  in the order of their time, as they would have come; each visitor comes VISITS times, a session each time.
    Errors: ValueError for an empty store.
    """
    database = duckdb.connect(str(path), config={"memory_limit": MEMORY_LIMIT, "threads": 2})
    try:
        database.execute("set timezone = 'UTC'")
        database.execute(_SEEDS)
        seeds, sessions, until = _one(
            database, "select count(*), count(distinct session_id), epoch_ms(min(time)) from seeds"
        )
        if not seeds:
            raise ValueError("there is nothing to make a history of")
        copies = max(-(-events // seeds) - 1, 0)
        shape = {
            "sessions": sessions,
            "people": max(copies // VISITS, 1),
            "span": days * DAY_MS / max(copies, 1),
            "start": until - days * DAY_MS,
        }
        database.execute("delete from events")
        for table in TABLES:
            database.execute(f"delete from {table}")  # noqa: S608 - the program's own
        for first in range(0, copies, COPIES_AT_ONCE):
            last = min(first + COPIES_AT_ONCE, copies)
            database.execute(_COPIES, {**shape, "first": first, "last": last})
        database.execute(f"insert into events select {_COLUMN_LIST} from seeds order by time, id")  # noqa: S608 - as above
        database.execute("checkpoint")
        count, newest_ms = _one(database, "select count(*), epoch_ms(max(time)) from events")
    finally:
        database.close()
        shutil.rmtree(path.with_name(path.name + ".tmp"), ignore_errors=True)  # where the engine spilled to
    store = DuckDBStore(path)
    while store.fold(newest_ms + LAG_MS + 1):  # as the server would have, bit by bit
        pass
    store.close()
    return count


def _one(database: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    row = database.execute(sql).fetchone()
    if row is None:
        raise ValueError("the engine returned no row")
    return row
