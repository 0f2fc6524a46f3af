"""What the store says when a commit fails."""

from pathlib import Path

import duckdb
import pytest

from server.storage.duckdb import DuckDBStore


class _FullDisk:
    """A connection whose commits fail; as in the engine, a failed commit ends the transaction."""

    def execute(self, sql: str, _parameters: object = None) -> None:
        """Take everything but a commit, and a rollback after it."""
        if sql == "commit":
            raise duckdb.IOException("No space left on device")
        if sql == "rollback":
            raise duckdb.TransactionException("cannot rollback - no transaction is active")


def test_a_failed_commit_tells_its_own_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DuckDBStore(tmp_path / "events.duckdb")
    with monkeypatch.context() as patch:
        patch.setattr(store, "_database", _FullDisk())
        with pytest.raises(duckdb.IOException, match="No space left"):
            store.append([b"{}"], "queue", 1)
    store.close()
