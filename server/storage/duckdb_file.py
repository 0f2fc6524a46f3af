"""The DuckDB file: how it is opened, its tables, and how an older file is brought to them. Called by the store."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from server.background import in_the_background, usable_cores
from server.events.model import COLUMNS
from server.storage import hours
from server.storage.migrations import check_version, keep_copy, size_of

STORE_FILE = "events.duckdb"
MEMORY_LIMIT = "256MB"
# more would take the processor from receiving; more than there are cores only change places
# (measured on one core, five questions: 355 ms with two, 291 ms with one)
MAX_THREADS = 2
# the log is moved into the file when it is this long: larger steps took less time in all, and the longest was
# shorter (measured with batches of 10,000: 12.8 → 9.3 µs an event, longest 604 → 246 ms)
CHECKPOINT_THRESHOLD = "64MB"
# of a page of events the engine finds times first, and then reads the other columns of those alone; by itself up to 50
# rows only (measured over 10 million events: 12 → 8 ms, of one name 15 → 9)
PAGE_ROWS = 1_001

SQL_TYPES = {"text": "varchar", "instant": "timestamp", "json": "json"}

Step = tuple[str, ...]

_COLUMN_LIST = ", ".join(f'"{name}" {SQL_TYPES[kind]}' for name, kind in COLUMNS.items())
_TABLES: Step = (
    f"create table if not exists events ({_COLUMN_LIST})",
    "create table if not exists progress (queue_id varchar primary key, position bigint not null)",
    "create table if not exists erased (salt varchar, site varchar, kind varchar, digest varchar, erased_at bigint)",
    "create table if not exists format (version integer)",
)
_BOUNDS: Step = (
    "alter table erased add column since_ms bigint",
    "alter table erased add column until_ms bigint",
)
STEPS: tuple[Step, ...] = (_TABLES, _BOUNDS, hours.CREATE)
"""Step n brings a file of version n to version n + 1. A released step is never changed, except that the columns
of COLUMNS that a file does not have are added to it whenever it is opened."""


def open_file(path: Path, steps: tuple[Step, ...] = STEPS) -> duckdb.DuckDBPyConnection:
    """Return a connection to the file, which is made or brought to this version.

    Errors: SchemaError for a file of a newer version or without room for the copy of an older one; duckdb.Error;
            OSError.
    """
    database = _connect(path)
    try:
        version = _version(database)
        check_version(path, version, len(steps))
        if 0 < version < len(steps):
            database.execute("checkpoint")
            database.close()
            keep_copy(path, len(steps), size_of(path, log_path(path)), lambda copy: _copy_closed(path, copy))
            database = _connect(path)
        _bring_to_date(database, version, steps)
    except BaseException:
        database.close()
        raise
    return database


def check_file(path: Path) -> None:
    """Refuse a file of a newer version; it is not changed. Errors: SchemaError, duckdb.Error."""
    with contextlib.closing(duckdb.connect(str(path), read_only=True)) as database:
        check_version(path, _version(database), len(STEPS))


@contextlib.contextmanager
def transaction(database: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit what is done inside, all or nothing. Errors: whatever is raised inside, duckdb.Error."""
    database.execute("begin")
    try:
        yield
        database.execute("commit")
    except BaseException:
        with contextlib.suppress(duckdb.Error):  # a failed commit has ended it already
            database.execute("rollback")
        raise


def log_path(path: Path) -> Path:
    """Return where DuckDB keeps the log of a file."""
    return path.with_name(path.name + ".wal")


def remove_file(path: Path) -> None:
    """Remove a file and its log, where they are. Errors: OSError."""
    path.unlink(missing_ok=True)
    log_path(path).unlink(missing_ok=True)


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    config: dict[str, Any] = {
        "memory_limit": MEMORY_LIMIT,
        "threads": min(MAX_THREADS, usable_cores()),
        "checkpoint_threshold": CHECKPOINT_THRESHOLD,
        "late_materialization_max_rows": PAGE_ROWS,
    }
    # what does not fit into memory goes there; a process that was killed leaves it, with people who may be erased since
    left_over = list(path.with_name(path.name + ".tmp").glob("*"))
    # the engine's own threads are made here
    database = in_the_background(lambda: duckdb.connect(str(path), config=config))
    for each in left_over:  # now that the file is ours, whoever made them has ended
        each.unlink(missing_ok=True)
    # an event's own zone is UTC; the session's must not shift it
    database.execute("set timezone = 'UTC'")
    return database


def _version(database: duckdb.DuckDBPyConnection) -> int:
    """Return the file's version, 0 for a new one and for those from before versions were kept."""
    known = database.execute("select count(*) from duckdb_tables() where table_name = 'format'").fetchone()
    if known is None or not known[0]:
        return 0
    row = database.execute("select max(version) from format").fetchone()
    return int(row[0] or 0) if row else 0


def _bring_to_date(database: duckdb.DuckDBPyConnection, version: int, steps: tuple[Step, ...]) -> None:
    found = {
        name
        for (name,) in database.execute(
            "select column_name from duckdb_columns() where table_name = 'events'"
        ).fetchall()
    }
    missing = [name for name in COLUMNS if name not in found] if found else []
    if version == len(steps) and not missing:
        return
    with transaction(database):
        for step in steps[version:]:
            for statement in step:
                database.execute(statement)
        for name in missing:
            database.execute(f'alter table events add column "{name}" {SQL_TYPES[COLUMNS[name]]}')
        if version < len(steps):
            database.execute("delete from format")
            database.execute("insert into format values (?)", [len(steps)])


def _copy_closed(path: Path, copy: Path) -> None:
    """Copy a file that nobody has open; its log is empty then."""
    shutil.copyfile(path, copy)
