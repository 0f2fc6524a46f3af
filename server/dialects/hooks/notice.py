"""What a vendor's payload becomes before it is an event, and how its fields are read. Called by the vendors' modules.

Payloads went through `plain`: they hold JSON values that can be written again, of any shape.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from server.events.wire import read_instant

EARLIEST_MS = 946_684_800_000  # 2000: what is told to be older is no instant but a mistake
MAX_BODY_LENGTH = 255  # of a chat's message, as the catalogue has it

Path = tuple[str, ...]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Whom:
    """Whom something is about, as far as the vendor says.

    Shape:  user_id only where the site itself has vouched for it; claimed_id where nobody has; email and phone as
            somebody has typed them; vendor_ids, the most lasting first, are (whose kind of id, the id).
    """

    user_id: str | None = None
    email: str | None = None
    phone: str | None = None
    claimed_id: str | None = None
    vendor_ids: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that a vendor tells: one of our events to be.

    Shape:  foreign_id is the same however often the vendor tells it; columns are further fields of the event.
    Units:  time_ms is milliseconds since the epoch, UTC; None where the vendor tells none.
    """

    name: str
    foreign_id: str
    props: Json
    whom: Whom = field(default_factory=Whom)
    time_ms: int | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ignored:
    """One thing that becomes no event. Shape: reason is stable and machine-readable, message is for people."""

    reason: str
    message: str


Told = Notice | Ignored

UNKNOWN_TYPE = Ignored("unknown_type", "No event of the catalogue is made of this.")


def at(payload: Any, *path: str) -> Any:
    """Return what stands at a path of names, None where there is nothing."""
    for name in path:
        if not isinstance(payload, dict):
            return None
        payload = payload.get(name)
    return payload


def text_at(payload: Any, *path: str) -> str | None:
    """Return a text that is not empty, or a whole number as text; of anything else None."""
    value = at(payload, *path)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def ids_at(payload: Any, fields: Mapping[str, Path]) -> tuple[tuple[str, str], ...]:
    """Return the ids that stand at these paths, each with our name for its kind."""
    found = ((kind, text_at(payload, *path)) for kind, path in fields.items())
    return tuple((kind, each) for kind, each in found if each is not None)


def instant_at(payload: Any, *path: str) -> int | None:
    """Return an instant, None where none can be read. Units: milliseconds since the epoch, UTC."""
    value = at(payload, *path)
    if isinstance(value, str):
        value = value.removesuffix(" UTC")  # how Ruby writes it
    found = read_instant(value)
    return found if found is not None and found >= EARLIEST_MS else None


def take(payload: Any, fields: Mapping[str, Path]) -> Json:
    """Return the plain values (texts, numbers, booleans) that stand at these paths, under our names for them."""
    found = {name: at(payload, *path) for name, path in fields.items()}
    return {name: value for name, value in found.items() if isinstance(value, str | int | float) and value != ""}


def fingerprint(value: Any) -> str:
    """Return what stands for the id of something that has none: the digest of all that is told of it."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def joined_id(*parts: str | None, otherwise: Any) -> str:
    """Return one id made of several, or the fingerprint of `otherwise` where one of them is missing."""
    known = [part for part in parts if part is not None]
    return "\n".join(known) if len(known) == len(parts) else fingerprint(otherwise)
