"""What arrives now, told to whoever watches. Slow watchers lose the oldest, never the collector its speed.

They are told that they lost something; what was stored can be asked for.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Any

import orjson

from server.events.model import OPERATIONS
from server.events.wire import write_instant
from server.ingest.beacon import Draft
from server.ingest.live_wire import MISSED, LiveWire, Message
from server.ingest.queue_file import Submission
from server.ingest.rejected import RejectedEvent
from server.ingest.replay_context import whom_of

MAX_WAITING = 500
MAX_LISTENERS = 100
HEARTBEAT_S = 25.0
"""So often a watcher hears at least something: proxies end what is silent for a minute, and who has left is noticed."""


class Live:
    """The watchers and their queues. Everything happens on the event loop.

    Shape:  wire leads to the process whose watchers see what this one takes in; None where there is one process.
    """

    def __init__(self, wire: LiveWire | None = None) -> None:
        self._listeners: set[asyncio.Queue[Message | None]] = set()
        self._losers: set[asyncio.Queue[Message | None]] = set()
        self._wire = wire
        self._is_closed = False

    def has_listeners(self) -> bool:
        """Return whether anybody watches; nobody costs nothing."""
        return bool(self._listeners) or (self._wire is not None and self._wire.is_watched())

    def is_full(self) -> bool:
        """Return whether one more watcher would be too many."""
        return len(self._listeners) >= MAX_LISTENERS

    def publish(self, drafts: Sequence[Draft], committed: Submission) -> None:
        """Tell all watchers: (verdict, site, JSON) for each event. Shape: drafts are those of committed's records."""
        verdicts = zip(drafts, committed.is_new, strict=True)
        messages = [_of_draft(draft, is_new) for draft, is_new in verdicts if not _is_hidden(draft)]
        messages += map(_of_refusal, committed.rejected, committed.rejected_ids)
        self._tell(messages)
        if self._wire is not None and not self._listeners:
            self._wire.send(messages)

    def _tell(self, messages: Iterable[Message]) -> None:
        for message in messages:
            for listener in self._listeners:
                if listener.full():
                    listener.get_nowait()
                    self._losers.add(listener)
                listener.put_nowait(message)

    async def listen(self) -> AsyncGenerator[Message | None]:
        """Yield messages until `close`, MISSED where some are lost; None after HEARTBEAT_S seconds without one."""
        if self._is_closed:
            return
        listener: asyncio.Queue[Message | None] = asyncio.Queue(MAX_WAITING)
        self._listeners.add(listener)
        self._follow_wire()
        try:
            while True:
                message: Message | None
                try:
                    message = await asyncio.wait_for(listener.get(), HEARTBEAT_S)
                except TimeoutError:
                    yield None
                    continue
                if message is None:
                    return
                if listener in self._losers:
                    self._losers.discard(listener)
                    yield MISSED
                yield message
        finally:
            self._listeners.discard(listener)
            self._losers.discard(listener)
            self._follow_wire()

    def _follow_wire(self) -> None:
        """Listen to what other processes take in while anybody watches here."""
        if self._wire is None:
            return
        wire, loop = self._wire, asyncio.get_running_loop()
        wire.watch(is_watched=bool(self._listeners))
        if self._listeners:
            loop.add_reader(wire.fileno(), lambda: self._tell(wire.receive()))
        else:
            loop.remove_reader(wire.fileno())

    def close(self) -> None:
        """End all watching, so that a stop does not wait for it; nobody can begin again."""
        self._is_closed = True
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


def _of_refusal(refusal: RejectedEvent, rejected_id: int | None) -> Message:
    told = {
        "rejected_id": rejected_id,
        "received_at": write_instant(refusal.received_ms),
        "site": refusal.site,
        "id": refusal.event_id,
        "code": refusal.code,
        "message": refusal.message,
        "payload": refusal.payload.decode(errors="replace"),
        **whom_of(refusal.context),
    }
    return "rejected", refusal.site, orjson.dumps(told)
