"""A transaction of an SQLite file that is opened without implicit ones. Called by who owns such a file."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Commit what is done inside, all or nothing. Errors: whatever is raised inside, sqlite3.Error."""
    database.execute("begin immediate")
    try:
        yield
        database.execute("commit")
    except BaseException:
        if database.in_transaction:  # a full disk has ended it already
            database.execute("rollback")
        raise
