"""Reads what waits for the store, and finds what the disk has damaged. Called by the writer.

Each event is checked against its CRC-32. Where the file itself is broken, its rows are read one by one, so that only
those on the broken page are lost.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from zlib import crc32

MAX_BATCH_EVENTS = 10_000
MAX_BATCH_BYTES = 12 * 1024 * 1024

Waiting = tuple[int, bytes]


class Damaged(Exception):
    """The next event cannot be read. Shape: event is what was read of it, empty where nothing could be."""

    def __init__(self, seq: int, event: bytes, reason: str) -> None:
        super().__init__(reason)
        self.seq = seq
        self.event = event


def read_waiting(
    database: sqlite3.Connection, position: int, last_seq: Callable[[], int]
) -> tuple[list[Waiting], bool]:
    """Return the next rows after a position, and whether there may be more.

    Shape:  ends in front of a damaged row. Errors: Damaged when that is the very next one; sqlite3.OperationalError.
    """
    rows: list[Waiting] = []
    size_bytes = 0
    try:
        for row in _rows(database, position, last_seq):
            rows.append(row)
            size_bytes += len(row[1])
            if len(rows) == MAX_BATCH_EVENTS or size_bytes > MAX_BATCH_BYTES:
                return rows, True
    except Damaged:
        if not rows:
            raise
        return rows, True
    return rows, False


def read_moved(
    database: sqlite3.Connection, position: int, stored: int, last_seq: Callable[[], int]
) -> Iterator[list[Waiting]]:
    """Yield the rows after a position that the store has and the queue has not forgotten yet, many at a time.

    Shape:  a damaged row is passed over: its turn to be set aside comes. Errors: sqlite3.OperationalError.
    """
    while position < stored:
        try:
            rows, _ = read_waiting(database, position, last_seq)
        except Damaged as damaged:
            position = damaged.seq
            continue
        rows = [row for row in rows if row[0] <= stored]
        if not rows:
            return
        position = rows[-1][0]
        yield rows


def _rows(database: sqlite3.Connection, position: int, last_seq: Callable[[], int]) -> Iterator[Waiting]:
    try:
        cursor = database.execute(
            "select seq, event, crc from waiting where seq > ? order by seq limit ?", (position, MAX_BATCH_EVENTS)
        )
        with contextlib.closing(cursor):
            for row in cursor:
                yield _checked(*row)
                position = row[0]
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        yield from _one_by_one(database, position, last_seq())


def _one_by_one(database: sqlite3.Connection, position: int, last: int) -> Iterator[Waiting]:
    for seq in range(position + 1, min(last, position + MAX_BATCH_EVENTS) + 1):
        try:
            row = database.execute("select seq, event, crc from waiting where seq = ?", (seq,)).fetchone()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            raise Damaged(seq, b"", f"The queue's file is damaged where the event was: {error}.") from error
        if row is None:
            raise Damaged(seq, b"", "The queue's file is damaged: the event is not in it any more.")
        yield _checked(*row)


def _checked(seq: int, event: bytes, crc: int | None) -> Waiting:
    """Return a row as it was accepted. Shape: crc is None for what an earlier version accepted. Errors: Damaged."""
    if crc is not None and crc32(event) != crc:
        raise Damaged(seq, event, "The event is not what was accepted: its check sum differs.")
    return seq, event
