"""The engine takes no more threads than the process has cores, and never more than two."""

import os
from pathlib import Path

import pytest

from server.storage.duckdb import DuckDBStore


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system does not tell which cores a process has")
@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 2), (8, 2)])
def test_threads_are_as_many_as_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int, threads: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    store = DuckDBStore(tmp_path / "events.duckdb")
    assert store.query("select current_setting('threads')", {}) == [(threads,)]
    store.close()
