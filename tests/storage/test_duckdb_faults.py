"""What the store says when a commit fails."""

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from server.errors import Unavailable
from server.storage.duckdb import DuckDBStore
from tests.factories import numbered


def event(event_id: str) -> dict[str, Any]:
    return {"id": event_id, "site": "default", "name": "n", "time": 1}


class _FullDisk:
    """A connection whose commits fail; as in the engine, a failed commit ends the transaction."""

    def execute(self, sql: str, _parameters: object = None) -> "_FullDisk":
        """Take everything but a commit, and a rollback after it."""
        if sql == "commit":
            raise duckdb.IOException("No space left on device")
        if sql == "rollback":
            raise duckdb.TransactionException("cannot rollback - no transaction is active")
        return self

    def fetchone(self) -> tuple[int]:
        """Say that a row was inserted."""
        return (1,)


class _DiesAt:
    """A connection until the process is killed at one of its statements."""

    def __init__(self, database: duckdb.DuckDBPyConnection, left: int) -> None:
        self.database = database
        self.left = left

    def execute(self, sql: str, parameters: object = None) -> duckdb.DuckDBPyConnection:
        """Do one of the statements that are left."""
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return self.database.execute(sql, parameters)


def test_a_kill_at_any_statement_leaves_the_events_with_the_position_or_neither(tmp_path: Path) -> None:
    for left in itertools.count():
        path = tmp_path / f"{left}.duckdb"
        store = DuckDBStore(path)
        dying = _DiesAt(store._opened(), left)
        store._database = dying  # type: ignore[assignment]  # it does what is asked of a connection
        has_died = False
        try:
            store.append(numbered([event("a")]), "queue", 1)
        except KeyboardInterrupt:
            has_died = True
        dying.database.close()
        store = DuckDBStore(path)
        assert len(store.query("select id from events", {})) == store.position("queue") == (not has_died)
        store.close()
        if not has_died:
            break
    assert left >= 4, "each statement was a place to die at"


def test_a_failed_commit_tells_its_own_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DuckDBStore(tmp_path / "events.duckdb")
    with monkeypatch.context() as patch:
        patch.setattr(store, "_database", _FullDisk())
        with pytest.raises(duckdb.IOException, match="No space left"):
            store.append(numbered([event("a")]), "queue", 1)
    store.close()


def test_a_store_that_the_engine_has_given_up_is_opened_again(tmp_path: Path) -> None:
    """What a checkpoint on a full disk does: "database has been invalidated because of a previous fatal error"."""
    store = DuckDBStore(tmp_path / "events.duckdb")
    store.append(numbered([event("a")]), "queue", 1)
    store._opened().close()
    assert store.position("queue") == 1
    store.append(numbered([event("b")]), "queue", 2)
    assert store.query("select id from events order by id", {}) == [("a",), ("b",)]
    store.close()


def test_what_a_kill_left_of_a_batch_a_rewrite_or_a_question_goes_with_the_next_start(tmp_path: Path) -> None:
    spilled = tmp_path / "events.duckdb.tmp" / "duckdb_temp_1_0_storage_DEFAULT-0.tmp"
    left = [tmp_path / "events.incoming", tmp_path / "events.duckdb.scrubbed", spilled]
    spilled.parent.mkdir()
    for path in left:
        path.write_bytes(b'{"id": "of somebody"}')
    DuckDBStore(tmp_path / "events.duckdb").close()
    assert [path for path in left if path.exists()] == []


def test_a_store_that_another_process_has_open_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "events.duckdb"
    holder = subprocess.Popen(
        [sys.executable, "-c", f"import duckdb; d = duckdb.connect({str(path)!r}); print(1, flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    spilled = tmp_path / "events.duckdb.tmp" / "duckdb_temp_1_0_storage_DEFAULT-0.tmp"
    spilled.parent.mkdir()
    spilled.touch()
    store = DuckDBStore(path)
    with pytest.raises(Unavailable, match="cannot be opened"):
        store.query("select 1", {})
    with pytest.raises(duckdb.IOException, match="lock"):
        store.position("queue")
    assert spilled.exists()
    holder.communicate(b"\n")
    assert store.position("queue") == 0
    store.close()
