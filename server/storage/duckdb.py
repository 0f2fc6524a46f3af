"""The embedded store: one DuckDB file. The schema of `events` is derived from COLUMNS.

Events come in by `read_json` from a file of lines, the engine's bulk path (measured: 400k events a second against
0.7k by executemany). The queue's position is committed in the same transaction: an event is in the store
exactly when the position says so, whatever dies in between.
"""

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from server.events.model import COLUMNS
from server.storage.base import Row, StoreRefused

MEMORY_LIMIT = "256MB"
BATCH_ROWS = 2_000

_SQL_TYPES = {"text": "varchar", "instant": "timestamp", "json": "json"}
_WIRE_TYPES = {"text": "VARCHAR", "instant": "BIGINT", "json": "JSON"}
_REFUSALS = (duckdb.DataError, duckdb.InvalidInputException, duckdb.ConstraintException)


class DuckDBStore:
    """Owns the file. Writing is for one thread; questions may come from any number of threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._incoming = path.with_suffix(".incoming")
        self._database = duckdb.connect(str(path), config={"memory_limit": MEMORY_LIMIT, "threads": 2})
        self._writing = threading.Lock()
        # an event's own zone is UTC; the session's must not shift it
        self._database.execute("set timezone = 'UTC'")
        self._create_schema()
        self._insert = _insert_statement(self._incoming)

    def _create_schema(self) -> None:
        columns = ", ".join(f'"{name}" {_SQL_TYPES[kind]}' for name, kind in COLUMNS.items())
        self._database.execute(f"create table if not exists events ({columns})")
        self._database.execute((Path(__file__).parent / "schema" / "duckdb.sql").read_text(encoding="utf-8"))

    def position(self, queue_id: str) -> int:
        """Return the number of the last event taken from this queue, 0 before the first."""
        rows = self.query("select position from progress where queue_id = $queue_id", {"queue_id": queue_id})
        return int(rows[0][0]) if rows else 0

    def append(self, events: Sequence[bytes], queue_id: str, position: int) -> None:
        """Add events and record the queue's position, both or neither."""
        with self._writing:
            self._incoming.write_bytes(b"\n".join(events))
            database = self._database
            database.execute("begin")
            try:
                database.execute(self._insert)
                database.execute("insert or replace into progress values (?, ?)", [queue_id, position])
                database.execute("commit")
            except duckdb.Error as error:
                with contextlib.suppress(duckdb.TransactionException):  # a failed commit has ended it already
                    database.execute("rollback")
                if isinstance(error, _REFUSALS):
                    raise StoreRefused(str(error)) from error
                raise
            finally:
                self._incoming.unlink(missing_ok=True)

    def query(self, sql: str, parameters: Mapping[str, Any]) -> list[Row]:
        """Return all rows of a question."""
        with self._database.cursor() as cursor:
            return cursor.execute(sql, dict(parameters)).fetchall()

    def stream(self, sql: str, parameters: Mapping[str, Any]) -> Iterator[list[Row]]:
        """Yield the rows of a question in batches."""
        with self._database.cursor() as cursor:
            cursor.execute(sql, dict(parameters))
            while rows := cursor.fetchmany(BATCH_ROWS):
                yield rows

    def write_parquet(self, sql: str, parameters: Mapping[str, Any], path: Path) -> None:
        """Write the rows of a question into a Parquet file."""
        with self._database.cursor() as cursor:
            cursor.sql(sql, params=dict(parameters)).write_parquet(str(path))

    def delete_before(self, time_ms: int) -> int:
        """Remove events older than an instant, return how many."""
        with self._writing, self._database.cursor() as cursor:
            row = cursor.execute("delete from events where time < epoch_ms($time)", {"time": time_ms}).fetchone()
            return int(row[0]) if row else 0

    def size_bytes(self) -> int:
        """Return how much disk the store takes."""
        files = (self._path, self._path.with_name(self._path.name + ".wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def close(self) -> None:
        """Write the log into the file and release both."""
        with self._writing:
            self._database.close()


def _insert_statement(incoming: Path) -> str:
    """Return the statement that takes the incoming lines; its columns are those of COLUMNS."""
    types = ", ".join(f"'{name}': '{_WIRE_TYPES[kind]}'" for name, kind in COLUMNS.items())
    values = ", ".join(f'epoch_ms("{name}")' if kind == "instant" else f'"{name}"' for name, kind in COLUMNS.items())
    file = str(incoming).replace("'", "''")
    return (
        f"insert into events select {values} from"  # noqa: S608 - columns and path are the program's own
        f" read_json('{file}', format = 'newline_delimited', columns = {{{types}}})"
    )
