"""What arrives now, told to whoever watches. Slow watchers lose the oldest, never the collector its speed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson

from server.events.model import OPERATIONS
from server.events.wire import write_instant
from server.ingest.beacon import Draft
from server.ingest.rejected import RejectedEvent

MAX_WAITING = 500
MAX_LISTENERS = 100

Message = tuple[str, str | None, bytes]


class Live:
    """The watchers and their queues. Everything happens on the event loop."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[Message | None]] = set()

    def has_listeners(self) -> bool:
        """Return whether anybody watches; nobody costs nothing."""
        return bool(self._listeners)

    def is_full(self) -> bool:
        """Return whether one more watcher would be too many."""
        return len(self._listeners) >= MAX_LISTENERS

    def publish(self, drafts: Sequence[Draft], is_new: Sequence[bool], refusals: Sequence[RejectedEvent]) -> None:
        """Tell all watchers: (verdict, site, JSON) for each event."""
        messages = [_of_draft(draft, new) for draft, new in zip(drafts, is_new, strict=True) if not _is_hidden(draft)]
        messages += [_of_refusal(refusal) for refusal in refusals]
        for listener in self._listeners:
            for message in messages:
                if listener.full():
                    listener.get_nowait()
                listener.put_nowait(message)

    async def listen(self) -> AsyncIterator[Message]:
        """Yield messages until `close`."""
        listener: asyncio.Queue[Message | None] = asyncio.Queue(MAX_WAITING)
        self._listeners.add(listener)
        try:
            while (message := await listener.get()) is not None:
                yield message
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """End all watching, so that a stop does not wait for it."""
        for listener in self._listeners:
            if listener.full():
                listener.get_nowait()
            listener.put_nowait(None)


def _is_hidden(draft: Draft) -> bool:
    return draft.event["name"] in OPERATIONS


def _of_draft(draft: Draft, is_new: bool) -> Message:  # noqa: FBT001 - one of two verdicts
    event: dict[str, Any] = dict(draft.event)
    event["time"] = write_instant(event["time"])
    event["received_at"] = write_instant(event["received_at"])
    warnings = [{"code": each.code, "message": each.message} for each in draft.corrections]
    verdict = "accepted" if is_new else "duplicate"
    return verdict, event["site"], orjson.dumps({"event": event, "warnings": warnings}, default=str)


def _of_refusal(refusal: RejectedEvent) -> Message:
    told = {
        "received_at": write_instant(refusal.received_ms),
        "site": refusal.site,
        "id": refusal.event_id,
        "code": refusal.code,
        "message": refusal.message,
        "payload": refusal.payload.decode(errors="replace"),
    }
    return "rejected", refusal.site, orjson.dumps(told)
