"""Finds the rejected events that name somebody who is erased. Called by erasure.py.

Strangers decide how many rejected events there are and what is in them, so they are looked through on a connection of
this thread's own, a few at a time, while everybody else commits. The committer is told only which rows go; it looks
itself at those that came since, of which only requests that were on their way at the erasure can be concerned.

Of a browser that was several people's, an event is whose it was when it happened. Where a rejected event does not say
when that was, it is gone with everyone whose the browser had been by the time it came: it may be theirs.
"""

import contextlib
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson

from server.events.wire import read_instant
from server.ingest.pipeline import skew_of
from server.ingest.queue_file import open_database
from server.ingest.values import MAX_SHORT_TEXT_LENGTH
from server.storage.tombstones import Tombstone, digest_start

SLICE_ROWS = 64
MAX_REMEMBERED = 50_000
MAX_ESCAPED_LENGTH = 12 * MAX_SHORT_TEXT_LENGTH
"""In characters: one beyond the first 65,536 takes four bytes or two surrogates, which is 12 in either writing."""

_CUTS = tuple(re.compile(each) for each in ('"', "'", "[&=]", r"""["'&=,:{}\[\]\s]+"""))
"""From the longest pieces to the shortest: an id may hold what separates elsewhere. Each takes linear time."""

_ESCAPES = re.compile(r"[%+\\]")
_JSON_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([\\/\"']|\Z))")

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
            found += [row[0] for row in rows if self._are_in(*row[1:])]
        return found

    def _are_in(self, received_ms: int, payload: bytes, context: bytes | None) -> bool:
        texts: set[str] = set()
        told = [_read(each) for each in (payload, context) if each is not None]
        for each in told:
            texts.update(_texts_of(each))
        for text in texts - self._seen:
            if found := self._look_up(text.encode()):
                self._named[text] = found
        if len(self._seen) > MAX_REMEMBERED:
            self._seen.clear()
        self._seen |= texts
        named = [stone for text in texts & self._named.keys() for stone in self._named[text]]
        if not named:
            return False
        born_ms = _born_ms(received_ms, *told)
        return any(_covers(stone, born_ms, received_ms) for stone in named)

    def _look_up(self, text: bytes) -> list[Tombstone]:
        found: list[Tombstone] = []
        for start in self._starts:
            digest = start.copy()
            digest.update(text)
            found += self._stones.get(digest.hexdigest(), ())
        return found


@dataclass(frozen=True, slots=True)
class _Torn:
    """What was cut off or is no JSON."""

    text: str


def _read(encoded: bytes) -> Any:
    try:
        return orjson.loads(encoded)
    except orjson.JSONDecodeError:
        return _Torn(encoded.decode(errors="replace"))


def _born_ms(received_ms: int, payload: Any, context: Any = None) -> int | None:
    """Return when an event happened, None when it does not say. As the pipeline has it, of a page's clock too."""
    born_ms = read_instant(payload.get("time")) if isinstance(payload, dict) else None
    if born_ms is None:
        return None
    sent_ms = context.get("sent_ms") if isinstance(context, dict) else None
    skew_ms = skew_of(sent_ms if isinstance(sent_ms, int) else None, received_ms)
    return min(born_ms + skew_ms, received_ms)


def _covers(stone: Tombstone, born_ms: int | None, received_ms: int) -> bool:
    if born_ms is not None:
        return stone.covers(born_ms)
    return replace(stone, until=None).covers(received_ms)  # it may have come late


def _texts_of(value: Any) -> Iterator[str]:
    """Yield every text of a value.

    Shape:  of a text that is longer than an id can be, the beginning: that would be the id.
    """
    texts = _pieces(value.text) if isinstance(value, _Torn) else _walk(value)
    return (text if len(text) <= MAX_SHORT_TEXT_LENGTH else text[:MAX_SHORT_TEXT_LENGTH] for text in texts)


def _pieces(text: str) -> Iterator[str]:
    """Yield what an id may be in a text in any writing, as it stands and with escapes undone.

    Cut first, because an escaped mark is no separator; and undone first, because a form's field may hold JSON.
    """
    pieces = {
        piece[:MAX_ESCAPED_LENGTH] for whole in {text, _undo(text)} for cut in _CUTS for piece in cut.split(whole)
    }
    for piece in pieces:
        yield piece
        if _ESCAPES.search(piece):
            yield _undo(piece)
            if "+" in piece:
                yield _undo(piece.replace("+", " "))


def _undo(text: str) -> str:
    """Return a text without percent signs and backslashes that stand for something else."""
    text = unquote(text)
    if "\\" not in text:
        return text
    undone = _JSON_ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2] or "", text)
    return undone.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")  # pairs become one


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
