"""Moves the queue's log into its file, beside the commits that answers wait for. Called by the queue.

A passive checkpoint waits for nobody and makes nobody wait, but under steady load there is always a newer commit, and
a log that is never wholly in the file can only grow. Beyond LARGE_LOG_BYTES it is therefore followed at once by one
that holds commits back for the few pages that came meanwhile, after which the log starts again from its beginning.
"""

import contextlib
import sqlite3
from pathlib import Path

from server.background import Repeated

PERIOD_S = 0.5
LOG_BYTES = 8 * 1024 * 1024
LARGE_LOG_BYTES = 64 * 1024 * 1024


class Checkpoints:
    """Owns a thread and its connection."""

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self._log_file = path.with_name(path.name + "-wal")
        self._database = database
        self._thread = Repeated(self.run_if_due, PERIOD_S, "checkpoints")

    def run_if_due(self) -> None:
        """Checkpoint when the log is long. A fault is the committer's to tell: it writes the same files."""
        with contextlib.suppress(OSError, sqlite3.Error):
            size_bytes = self._log_file.stat().st_size
            if size_bytes > LOG_BYTES:
                self._database.execute("pragma wal_checkpoint(passive)").fetchone()
            if size_bytes > LARGE_LOG_BYTES:
                self._database.execute("pragma wal_checkpoint(truncate)").fetchone()

    def empty_log(self) -> None:
        """Move all of the log into the file and empty it. Errors: sqlite3.OperationalError when it is in use."""
        is_busy = self._database.execute("pragma wal_checkpoint(truncate)").fetchone()[0]
        if is_busy:
            raise sqlite3.OperationalError("the queue's log is in use")

    def close(self) -> None:
        """Stop; waits for a checkpoint under way."""
        self._thread.close()
        self._database.close()
