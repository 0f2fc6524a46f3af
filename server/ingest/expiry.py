"""Forgetting what is old in the queue's file: event ids a few thousand at a time, so that no event waits for it.

Called by the writer.
"""

import sqlite3
from collections.abc import Callable, Iterator

from server.ingest.queue import IDS_KEPT_DAYS, Queue
from server.ingest.queue_file import drop_rejected
from server.ingest.rejected import REJECTED_KEPT_DAYS
from server.ingest.repeats import KEYS_KEPT_DAYS

CHUNK_ROWS = 5_000
_DAY_MS = 24 * 3600 * 1000

_END_OF_CHUNK = """
select site, id from ids where (site, id) > (?, ?) order by site, id limit 1 offset ?
"""
_DELETE_CHUNK = """
delete from ids where (site, id) > (?, ?) and (site, id) <= (?, ?) and day < ?
"""
_DELETE_LAST = """
delete from ids where (site, id) > (?, ?) and day < ?
"""


def expire_ids(reader: sqlite3.Connection, queue: Queue, day: int) -> Iterator[None]:
    """Walk through all ids in key order and have those older than a day deleted; yields after each chunk.

    Units:  day is days since the epoch, UTC.
    """
    start: tuple[object, object] = ("", "")
    while True:
        end = reader.execute(_END_OF_CHUNK, (*start, CHUNK_ROWS)).fetchone()
        if end is None:
            queue.change(_change(_DELETE_LAST, (*start, day)))
            return
        queue.change(_change(_DELETE_CHUNK, (*start, *end, day)))
        start = end
        yield


def forget_old(queue: Queue, now_ms: int) -> None:
    """Have sessions' origins, requests' answers and rejected events deleted that are kept no longer."""
    day = now_ms // _DAY_MS
    queue.change(_change("delete from session_origins where day < ?", (day - IDS_KEPT_DAYS,)))
    queue.change(_change("delete from answers where day < ?", (day - KEYS_KEPT_DAYS,)))
    oldest_ms = now_ms - REJECTED_KEPT_DAYS * _DAY_MS
    queue.change(lambda database: drop_rejected(database, "age", "received_at < ?", (oldest_ms,)))


def _change(sql: str, parameters: tuple[object, ...]) -> Callable[[sqlite3.Connection], None]:
    def change(database: sqlite3.Connection) -> None:
        database.execute(sql, parameters)

    return change
