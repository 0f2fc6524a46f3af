"""From a decoded request to verdicts on disk: the one way in, whatever the dialect. Called by web."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from server.errors import EventRejected, Unavailable
from server.events.model import Correction
from server.events.wire import MAX_ID_LENGTH, encode_original
from server.ingest.accounts import Accounts
from server.ingest.address_policy import scrub_payload
from server.ingest.beacon import Beacon, Draft
from server.ingest.limits import Limits
from server.ingest.live import Live
from server.ingest.pipeline import Pipeline, encode
from server.ingest.queue import Queue, awaited
from server.ingest.queue_file import NewOrigin, OnEnd, Record, Submission
from server.ingest.rejected import RejectedEvent
from server.ingest.replay_context import encode_context
from server.ingest.values import clean_text
from server.settings import IpPolicy

MAX_ANSWER_WARNINGS = 2_000
"""How many warnings one answer lists: two for each event of a full request."""


@dataclass(slots=True)
class Outcome:
    """The answer to one request.

    Shape:  rejected and warnings as in the answer's JSON: index, (id,) code, message. Of many warnings, the first.
    """

    accepted: int
    duplicate: int
    rejected: list[dict[str, Any]]
    warnings: list[dict[str, Any]]


Keep = Callable[[sqlite3.Connection, Outcome], None]
OnOutcome = Callable[[Outcome | Unavailable], None]


class _Reception:
    """One request between the pipeline and its commit."""

    __slots__ = (
        "beacon",
        "corrected",
        "drafts",
        "origins",
        "records",
        "refusals",
        "rejected",
        "submission",
        "warnings",
    )

    submission: Submission

    def __init__(self, beacon: Beacon) -> None:
        self.beacon = beacon
        self.drafts: list[Draft] = []
        self.records: list[Record] = []
        self.origins: list[NewOrigin] = []
        self.refusals: list[RejectedEvent] = []
        self.rejected: list[dict[str, Any]] = []
        self.warnings: list[dict[str, Any]] = []
        self.corrected: dict[str, int] = {}

    def outcome(self) -> Outcome:
        """Return the answer once it is known which events are new."""
        is_new = self.submission.is_new
        accepted = is_new.count(True)
        return Outcome(accepted, len(is_new) - accepted, self.rejected, self.warnings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Takes events in. Errors: Unavailable when they cannot be made durable; then nothing was stored or counted."""

    pipeline: Pipeline
    queue: Queue
    accounts: Accounts
    live: Live
    limits: Limits

    async def receive(
        self, beacon: Beacon, events: Sequence[Any], keep: Keep | None = None, *, refused: int = 0
    ) -> Outcome:
        """Return, once everything is on disk, what became of each event.

        Shape:  keep is called with the outcome in the transaction that makes it true; refused is how many of the
                request were refused before they were events, which count for the limits.
        """
        reception = self._read(beacon, events, refused)
        if keep is not None:
            reception.submission.work = lambda database: keep(database, reception.outcome())
        loop = asyncio.get_running_loop()
        ended, on_end = awaited(loop)
        self._submit(reception, loop, on_end)
        await ended
        return self._finish(reception)

    def receive_soon(
        self, beacon: Beacon, events: Sequence[Any], loop: asyncio.AbstractEventLoop, on_end: OnOutcome
    ) -> None:
        """Return at once; `on_end` is called in the loop with what `receive` returns or raises.

        Errors: TooManyRequests, Unavailable, and then `on_end` is not called.
        """
        reception = self._read(beacon, events)

        def end(error: Unavailable | None) -> None:
            on_end(self._finish(reception) if error is None else error)

        self._submit(reception, loop, end)

    async def refuse_whole(self, *refusals: RejectedEvent) -> None:
        """Keep what is no event: a request in which none could be told apart, which counts as one rejected event."""
        submission = Submission((), refusals)
        await self.queue.submit(submission)
        if self.live.has_listeners():
            self.live.publish([], submission)

    def refuse_soon(self, refusal: RejectedEvent, loop: asyncio.AbstractEventLoop, on_end: OnEnd) -> None:
        """Return at once, like `receive_soon`, and do what `refuse_whole` does."""
        submission = Submission((), [refusal])

        def end(error: Unavailable | None) -> None:
            if error is None and self.live.has_listeners():
                self.live.publish([], submission)
            on_end(error)

        self.queue.submit_soon(submission, loop, end)

    def _submit(self, reception: _Reception, loop: asyncio.AbstractEventLoop, on_end: OnEnd) -> None:
        """Have it committed; `on_end` is called in the loop. Errors: Unavailable, and then `on_end` is not called."""
        origins = self.pipeline.origins

        def end(error: Unavailable | None) -> None:
            if error is not None:
                origins.forget_unkept(reception.origins)
            on_end(error)

        try:
            self.queue.submit_soon(reception.submission, loop, end)
        except Unavailable:
            origins.forget_unkept(reception.origins)
            raise

    def _read(self, beacon: Beacon, events: Sequence[Any], refused: int = 0) -> _Reception:
        """Take all events through the pipeline. Errors: TooManyRequests."""
        self.limits.take(beacon, len(events) + refused)
        found = _Reception(beacon)
        try:
            self._run(found, events)
        except Exception:  # nobody foresaw it: nothing of the request is committed
            self.pipeline.origins.forget_unkept(found.origins)
            raise
        found.submission = Submission(found.records, found.refusals, found.origins)
        return found

    def _run(self, found: _Reception, events: Sequence[Any]) -> None:
        pipeline, beacon = self.pipeline, found.beacon
        pipeline.origins.heed_erasures(beacon.received_ms)
        context: bytes | None = None  # the same for all: encoded once
        for index, raw in enumerate(events):
            try:
                draft = pipeline.run(beacon, raw)
            except EventRejected as error:
                context = encode_context(beacon, pipeline.ip_policy) if context is None else context
                found.refusals.append(refuse(beacon, raw, error, pipeline.ip_policy, context))
                found.rejected.append(verdict_on(index, raw, error))
                found.origins += [(*row, None) for row in pipeline.origins.take_new()]
                continue
            found.origins += [(*row, len(found.records)) for row in pipeline.origins.take_new()]
            found.drafts.append(draft)
            found.records.append(Record(draft.event["site"], draft.event["id"], encode(draft)))
            if draft.corrections:
                add_warnings(found.warnings, index, draft.corrections)
                for code, count in draft.corrected.items():
                    found.corrected[code] = found.corrected.get(code, 0) + count

    def _finish(self, found: _Reception) -> Outcome:
        """Return the answer to what is on disk."""
        self._note(found)
        if self.live.has_listeners():
            self.live.publish(found.drafts, found.submission)
        return found.outcome()

    def _note(self, found: _Reception) -> None:
        """Note what is no verdict; those are counted where they are committed."""
        self.accounts.last_received_ms[found.beacon.site.key] = found.beacon.received_ms
        if found.corrected:
            self.accounts.corrected.update(found.corrected)  # also what is too many to be listed


def refuse(beacon: Beacon, raw: Any, error: EventRejected, ip_policy: IpPolicy, context: bytes) -> RejectedEvent:
    """Return the record of a rejected event, with addresses as far as the policy keeps them.

    Shape:  context is the beacon's (replay_context.py), encoded once for all events of a request.
    """
    return RejectedEvent(
        received_ms=beacon.received_ms,
        site=beacon.site.key,
        event_id=_id_of(raw),
        source=beacon.source,
        code=error.code,
        message=clean_text(error.message),
        payload=scrub_payload(encode_original(raw), beacon.ip, ip_policy),
        context=context,
    )


def verdict_on(index: int, raw: Any, error: EventRejected) -> dict[str, Any]:
    """Return what the answer says of a rejected event."""
    return {"index": index, "id": _id_of(raw), "code": error.code, "message": error.args[0]}


def _id_of(raw: Any) -> str | None:
    event_id = raw.get("id") if isinstance(raw, dict) else None
    return clean_text(event_id[:MAX_ID_LENGTH]) if isinstance(event_id, str) else None


def add_warnings(warnings: list[dict[str, Any]], index: int, corrections: Sequence[Correction]) -> None:
    """Add an event's corrections to those that the answer lists, as far as there is room."""
    listed = corrections[: MAX_ANSWER_WARNINGS - len(warnings)]
    warnings += [{"index": index, "code": each.code, "message": clean_text(each.message)} for each in listed]
