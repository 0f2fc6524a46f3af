"""Empties the log of a SQLite file, so that no byte of what was removed stays in it. Called by who erases."""

import contextlib
import sqlite3
import time
from contextlib import AbstractContextManager

PATIENCE_S = 5.0
PAUSE_S = 0.1


def empty_log(database: sqlite3.Connection, using: AbstractContextManager[object] | None = None) -> bool:
    """Move all of the log into the file and empty it; return False when it is in use for seconds. Blocks.

    Shape:  using is held during each attempt. SQLite waits for readers and writers of the log, as long as the
            connection's busy_timeout says, and not at all for another process that checkpoints it.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with using or contextlib.nullcontext():
            if database.execute("pragma wal_checkpoint(truncate)").fetchone()[0] == 0:
                return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(PAUSE_S)
