"""What could not be accepted: one event, or one whole request, with its reason and original payload."""

from dataclasses import dataclass
from typing import Any

REJECTED_KEPT_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedEvent:
    """One rejection.

    Shape:  payload is the original JSON (cut at 64 KiB), as it was sent; context is what its request told beside it
            (see replay_context.py), None where it cannot be replayed or needs none.
    Units:  received_ms is milliseconds since the epoch, UTC.
    """

    received_ms: int
    site: str | None
    event_id: str | None
    source: str
    code: str
    message: str
    payload: bytes
    context: bytes | None = None

    def row(self) -> tuple[Any, ...]:
        """Return the columns of the table `rejected`, without its number."""
        return (
            self.received_ms,
            self.site,
            self.event_id,
            self.source,
            self.code,
            self.message,
            self.payload,
            self.context,
        )
