"""Moves the queue's log into its file, beside the commits that answers wait for. Called by the queue.

A passive checkpoint waits for nobody and makes nobody wait, but under steady load there is always a newer commit, and
a log that is never wholly in the file can only grow. When much is in it, it is therefore followed at once by one that
holds commits back for the few pages that came meanwhile, after which the log starts again from its beginning. It would
also hold them back while somebody reads what is in the log (a backup does, for seconds): then it gives up until the
next time.

The log's file keeps its size for that: to cut it off and let it grow again held commits up for 150 to 180 ms every two
seconds, and each commit writes faster into blocks that the file has already (measured at half load: p99 of an answer
150 ms, then 24 to 38).
"""

import contextlib
import sqlite3
import threading
from pathlib import Path

from server.background import Repeated
from server.ingest.queue_file import BUSY_TIMEOUT_MS
from server.storage.sqlite_log import empty_log

PERIOD_S = 0.5
LOG_BYTES = 8 * 1024 * 1024
PATIENCE_MS = 20


class Checkpoints:
    """Owns a thread and its connection."""

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self._log_file = path.with_name(path.name + "-wal")
        self._database = database
        self._using = threading.Lock()
        self._page_bytes: int = database.execute("pragma page_size").fetchone()[0]
        self._thread = Repeated(self.run_if_due, PERIOD_S, "checkpoints")

    def run_if_due(self) -> None:
        """Checkpoint when the log is long. A fault is the committer's to tell: it writes the same files."""
        with self._using, contextlib.suppress(OSError, sqlite3.Error):
            if self._log_file.stat().st_size <= LOG_BYTES:
                return
            _, pages, _ = self._database.execute("pragma wal_checkpoint(passive)").fetchone()
            if pages * self._page_bytes > LOG_BYTES:
                self._database.execute(f"pragma busy_timeout = {PATIENCE_MS}")
                try:
                    self._database.execute("pragma wal_checkpoint(restart)").fetchone()
                finally:
                    self._database.execute(f"pragma busy_timeout = {BUSY_TIMEOUT_MS}")

    def empty_log(self) -> None:
        """Move all of the log into the file and empty it; blocks. Errors: sqlite3.OperationalError when in use."""
        if not empty_log(self._database, self._using):
            raise sqlite3.OperationalError("the queue's log is in use")

    def close(self) -> None:
        """Stop; waits for a checkpoint under way."""
        self._thread.close()
        self._database.close()
