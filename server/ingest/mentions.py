"""Finds the rejected events that name somebody who is erased. Called by erasure.py.

Strangers decide how many rejected events there are and what is in them, so they are looked through on a connection of
this thread's own, a few at a time, while everybody else commits. The committer is told only which rows go; it looks
itself at those that came since, of which only requests that were on their way at the erasure can be concerned.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from server.ingest.queue_file import open_database
from server.ingest.values import MAX_SHORT_TEXT_LENGTH
from server.storage.tombstones import Tombstone, digest_start

SLICE_ROWS = 64
MAX_REMEMBERED = 50_000

_ROWS = """
select seq, received_at, payload, context from rejected where seq > ? and received_at <= ? order by seq limit ?
"""


class Mentions:
    """Looks for the ids of tombstones. Each distinct text is hashed once, as long as it is remembered."""

    def __init__(self, tombstones: Sequence[Tombstone]) -> None:
        self._starts = [digest_start(*key) for key in {(each.salt, each.site, each.kind) for each in tombstones}]
        self._stones: dict[str, list[Tombstone]] = {}
        for each in tombstones:
            self._stones.setdefault(each.digest, []).append(each)
        self._until_ms = max((each.erased_at for each in tombstones), default=0)
        self._seen: set[str] = set()
        self._named: dict[str, list[Tombstone]] = {}
        self.last_seq = 0

    def find(self, path: Path) -> list[int]:
        """Return the numbers of the rejected events in the queue's file that name the erased. Errors: sqlite3.Error."""
        with contextlib.closing(open_database(path)) as database:
            return self.find_more(database)

    def find_more(self, database: sqlite3.Connection) -> list[int]:
        """Return those that came since this was last asked."""
        found = []
        # a slice is a statement of its own: a long one would keep the log from being emptied
        while rows := database.execute(_ROWS, (self.last_seq, self._until_ms, SLICE_ROWS)).fetchall():
            self.last_seq = rows[-1][0]
            found += [seq for seq, received_ms, *encoded in rows if self._are_in(encoded, received_ms)]
        return found

    def _are_in(self, encoded: Sequence[bytes | None], received_ms: int) -> bool:
        texts: set[str] = set()
        for each in encoded:
            if each is not None:
                texts.update(_texts_of(each))
        for text in texts - self._seen:
            if found := self._look_up(text.encode()):
                self._named[text] = found
        if len(self._seen) > MAX_REMEMBERED:
            self._seen.clear()
        self._seen |= texts
        return any(stone.covers(received_ms) for text in texts & self._named.keys() for stone in self._named[text])

    def _look_up(self, text: bytes) -> list[Tombstone]:
        found: list[Tombstone] = []
        for start in self._starts:
            digest = start.copy()
            digest.update(text)
            found += self._stones.get(digest.hexdigest(), ())
        return found


def _texts_of(encoded: bytes) -> Iterator[str]:
    """Yield every text of a JSON value; what was cut off or is no JSON is split at its quotation marks.

    Shape:  of a text that is longer than an id can be, the beginning: that would be the id.
    """
    try:
        texts = _walk(orjson.loads(encoded))
    except orjson.JSONDecodeError:
        texts = encoded.decode(errors="replace").split('"')
    return (text if len(text) <= MAX_SHORT_TEXT_LENGTH else text[:MAX_SHORT_TEXT_LENGTH] for text in texts)


def _walk(value: Any) -> list[str]:
    """Return every text and number in a value as text. Without recursion: it may be deeper than the stack."""
    found, waiting = [], [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, int | float):
            found.append(str(one))
    return found
