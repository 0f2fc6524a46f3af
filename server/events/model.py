"""What an event is once it is stored, and the verdict on one that arrived. Used by everything above.

COLUMNS is the one list of columns: the schemas of both engines, the API's answers, the filters and the
dimensions of reports are derived from it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

ColumnType = Literal["text", "instant", "json"]

StoredEvent = dict[str, Any]
"""One event as it is queued and stored: exactly the keys of COLUMNS; instants as milliseconds since the
epoch, UTC; `props` as a dict; unknown values as None."""


class Source(StrEnum):
    """Who sent an event."""

    PAGE = "page"
    SERVER = "server"
    WEBHOOK = "webhook"
    IMPORT = "import"


COLUMNS: dict[str, ColumnType] = {
    "id": "text",
    "site": "text",
    "name": "text",
    "time": "instant",
    "received_at": "instant",
    "source": "text",
    "visitor_id": "text",
    "session_id": "text",
    "user_id": "text",
    "url": "text",
    "path": "text",
    "title": "text",
    "referrer": "text",
    "referrer_domain": "text",
    "channel": "text",
    "utm_source": "text",
    "utm_medium": "text",
    "utm_campaign": "text",
    "utm_content": "text",
    "utm_term": "text",
    "browser": "text",
    "browser_version": "text",
    "os": "text",
    "os_version": "text",
    "device": "text",
    "device_type": "text",
    "resolution": "text",
    "language": "text",
    "timezone": "text",
    "ip": "text",
    "country": "text",
    "region": "text",
    "city": "text",
    "bot": "text",
    "props": "json",
}

OPERATIONS = ("$identify", "$auth")
"""Names that travel and are stored like events but operate on the user; never shown as events."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What was changed in an accepted event; the answer lists it under `warnings`.

    Shape:  code is stable and machine-readable, message is for people.
    """

    code: str
    message: str
