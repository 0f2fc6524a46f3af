"""The embedded store: one DuckDB file. The schema of `events` is derived from COLUMNS.

Events come in by `read_json` from a file of lines, the engine's bulk path (measured: 400k events a second against
0.7k by executemany). The queue's position is committed in the same transaction: an event is in the store
exactly when the position says so, whatever dies in between.

The engine gives up an open file for good after some faults (a checkpoint on a full disk is one: "database has been
invalidated"), and opens none that another process has. Then the store is away: questions answer 503, and each
`position`, with which the writer begins anew after a fault, tries to open the file again.
"""

import contextlib
import logging
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from server.errors import Unavailable
from server.events.head import Numbered
from server.events.model import COLUMNS
from server.storage.base import Ask, BeforeErased, Row, StoreRefused
from server.storage.duckdb_erasure import delete_before, erase_events, keep_condition, known_tombstones, rewrite
from server.storage.duckdb_file import log_path, open_file, transaction
from server.storage.duckdb_hours import Hours
from server.storage.files import copy_file
from server.storage.gate import Gate
from server.storage.migrations import size_of, sync_path
from server.storage.tombstones import Tombstone

BATCH_ROWS = 2_000
ALONE_PATIENCE_S = 60.0
CLOSE_PATIENCE_S = 10.0

_WIRE_TYPES = {"text": "VARCHAR", "instant": "BIGINT", "json": "JSON"}
_NAMES = ", ".join(f'"{name}"' for name in COLUMNS)
_REFUSALS = (duckdb.DataError, duckdb.InvalidInputException, duckdb.ConstraintException)

log = logging.getLogger("footfall.store")


class DuckDBStore:
    """Owns the file. Writing is for one thread at a time; questions may come from any number of threads.

    Errors: SchemaError when the file is of a newer version; duckdb.Error when it is no store. A file that another
            process has open is waited for.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._incoming = path.with_suffix(".incoming")
        self._writing = threading.RLock()
        self._gate = Gate()
        self._database: duckdb.DuckDBPyConnection | None = None
        self._kept = ""
        self._hours: Hours | None = None
        try:
            self._open()
        except duckdb.IOException as error:
            if "lock" not in str(error):
                raise
            log.warning("another process has the store open; events wait in the queue until it is closed: %s", error)

    def position(self, queue_id: str) -> int:
        """Return the number of the last event taken from this queue, 0 before the first."""
        with self._writing:
            self._open()
        rows = self.query("select position from progress where queue_id = $queue_id", {"queue_id": queue_id})
        return int(rows[0][0]) if rows else 0

    def append(self, events: Sequence[Numbered], queue_id: str, position: int) -> int:
        """Add events and record the queue's position, both or neither; return how many were left out as erased."""
        with self._writing:
            database = self._opened()
            self._incoming.write_bytes(b"\n".join([line for _, _, line in events]))
            try:
                with transaction(database):
                    row = database.execute(f"insert into events ({_NAMES}) {self._kept}").fetchone()
                    self._tell_hours(events)
                    database.execute("insert or replace into progress values (?, ?)", [queue_id, position])
            except _REFUSALS as error:
                raise StoreRefused(str(error)) from error
            finally:
                self._incoming.unlink(missing_ok=True)
            return len(events) - int(row[0]) if row else 0

    def query(self, sql: str, parameters: Mapping[str, Any]) -> list[Row]:
        """Return all rows of a question."""
        with self._gate.reading(), self._opened().cursor() as cursor:
            return cursor.execute(sql, dict(parameters)).fetchall()

    @contextlib.contextmanager
    def instant(self) -> Iterator[Ask]:
        """Yield what asks questions that are all of the same instant."""
        with self._gate.reading(), self._opened().cursor() as cursor:
            cursor.execute("begin")
            yield lambda sql, parameters: cursor.execute(sql, dict(parameters)).fetchall()
            cursor.execute("commit")

    def stream(self, sql: str, parameters: Mapping[str, Any]) -> Iterator[list[Row]]:
        """Yield the rows of a question in batches."""
        with self._gate.reading(), self._opened().cursor() as cursor:
            cursor.execute(sql, dict(parameters))
            while rows := cursor.fetchmany(BATCH_ROWS):
                yield rows

    def write_parquet(self, sql: str, parameters: Mapping[str, Any], path: Path) -> None:
        """Write the rows of a question into a Parquet file."""
        with self._gate.reading(), self._opened().cursor() as cursor:
            cursor.sql(sql, params=dict(parameters)).write_parquet(str(path))

    def delete_before(self, time_ms: int, kept: Iterable[bytes] = ()) -> int:
        """Remove events older than an instant but for what is kept in their places, return how many are fewer."""
        with self._writing, self._gate.reading(), self._opened().cursor() as cursor:
            try:
                with self._incoming.open("wb") as file:
                    file.writelines(line + b"\n" for line in kept)
                return delete_before(cursor, time_ms, incoming_events(self._incoming))
            finally:
                self._incoming.unlink(missing_ok=True)

    def fold(self, now_ms: int) -> bool:
        """Do the next little thing that the tables of hours (hours.py) are behind the events; return False for none."""
        with self._writing:
            self._opened()
            return self._hours is not None and self._hours.step(now_ms)

    def tombstones(self) -> set[Tombstone]:
        """Return the tombstones that this store has applied."""
        with self._gate.reading(), self._opened().cursor() as cursor:
            return known_tombstones(cursor)

    def erase(self, tombstones: Sequence[Tombstone], before: BeforeErased) -> int:
        """Remove what these tombstones stand for, now and from what comes; return how many events that were."""
        with self._writing:
            database = self._opened()
            removed = erase_events(database, tombstones, before)
            self._kept = _kept_events(self._incoming, keep_condition(database))
            return removed

    def scrub(self) -> bool:
        """Rewrite the file without any trace of removed events; return False when questions never paused for it.

        Takes time and room like the store's own size; appending waits for it, questions only while files change.
        """
        with self._writing:
            copy = self._path.with_name(self._path.name + ".scrubbed")
            rewrite(self._opened(), copy)
            with self._gate.alone(ALONE_PATIENCE_S) as is_alone:
                if not is_alone:
                    copy.unlink()
                    return False
                self._close()
                copy.replace(self._path)
                sync_path(self._path.parent)  # a power cut could bring the old one back, and nobody would know
                self._open()
        return True

    def copy(self, folder: Path) -> None:
        """Copy the files as of one instant into a folder; appending waits for it, questions do not."""
        with self._writing:
            self._opened()
            for path in (self._path, log_path(self._path)):
                if path.exists():
                    copy_file(path, folder / path.name)

    def size_bytes(self) -> int:
        """Return how much disk the store takes."""
        return size_of(self._path, log_path(self._path))

    def close(self) -> None:
        """Write the log into the file and release both."""
        with self._writing, self._gate.alone(CLOSE_PATIENCE_S):
            self._close()

    def _tell_hours(self, events: Sequence[Numbered]) -> None:
        if self._hours is not None and (late := self._hours.late(events)):
            self._incoming.write_bytes(b"\n".join(late))
            self._hours.add(self._kept)

    def _opened(self) -> duckdb.DuckDBPyConnection:
        if self._database is None:
            raise Unavailable("store_unavailable", "The store cannot be opened now.", "Ask later.", retry_after_s=1)
        return self._database

    def _open(self) -> None:
        """Open the file unless it is open and well. Errors: SchemaError, duckdb.Error, OSError."""
        if self._database is not None:
            try:
                self._database.execute("select 1").fetchone()
            except duckdb.Error:
                log.warning("the engine has given the store up; opening it again")
                self._close()
            else:
                return
        self._database = open_file(self._path)
        # a rewrite and a batch that were killed, which may hold somebody who was erased; not before the file is ours:
        # they might be another process's
        self._path.with_name(self._path.name + ".scrubbed").unlink(missing_ok=True)
        self._incoming.unlink(missing_ok=True)
        self._kept = _kept_events(self._incoming, keep_condition(self._database))
        self._hours = Hours(self._database)

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = self._hours = None


def _kept_events(incoming: Path, condition: str) -> str:
    """Return the question for what is taken of the incoming lines; its columns are those of COLUMNS."""
    return f"select {_NAMES} from ({incoming_events(incoming)}) as incoming{condition}"  # noqa: S608 - columns and path are the program's own


def incoming_events(incoming: Path) -> str:
    """Return the question for the events of a file of lines."""
    types = ", ".join(f"'{name}': '{_WIRE_TYPES[kind]}'" for name, kind in COLUMNS.items())
    values = ", ".join(
        f'epoch_ms("{name}") as "{name}"' if kind == "instant" else f'"{name}"' for name, kind in COLUMNS.items()
    )
    file = str(incoming).replace("'", "''")
    return f"select {values} from read_json('{file}', format = 'newline_delimited', columns = {{{types}}})"  # noqa: S608 - as above
