"""From a decoded request to verdicts on disk: the one way in, whatever the dialect. Called by web."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from server.errors import EventRejected
from server.events.model import Correction
from server.events.wire import MAX_ID_LENGTH, encode_original
from server.ingest.accounts import Accounts
from server.ingest.address_policy import scrub_payload
from server.ingest.beacon import Beacon, Draft
from server.ingest.limits import Limits
from server.ingest.live import Live
from server.ingest.pipeline import Pipeline, encode
from server.ingest.queue import Queue
from server.ingest.queue_file import Record, Submission
from server.ingest.rejected import RejectedEvent
from server.ingest.replay_context import encode_context
from server.ingest.values import clean_text
from server.settings import IpPolicy


@dataclass(slots=True)
class Outcome:
    """The answer to one request.

    Shape:  rejected and warnings as in the answer's JSON: index, (id,) code, message.
    """

    accepted: int
    duplicate: int
    rejected: list[dict[str, Any]]
    warnings: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Takes events in. Errors: Unavailable when they cannot be made durable; then nothing was stored or counted."""

    pipeline: Pipeline
    queue: Queue
    accounts: Accounts
    live: Live
    limits: Limits

    async def receive(self, beacon: Beacon, events: Sequence[Any]) -> Outcome:
        """Return, once everything is on disk, what became of each event. Errors: TooManyRequests, Unavailable."""
        self.limits.take(beacon, len(events))
        drafts: list[Draft] = []
        records: list[Record] = []
        refusals: list[RejectedEvent] = []
        rejected: list[dict[str, Any]] = []
        warnings: list[dict[str, Any]] = []
        for index, raw in enumerate(events):
            try:
                draft = self.pipeline.run(beacon, raw)
            except EventRejected as error:
                refusal = refuse(beacon, raw, error, self.pipeline.ip_policy)
                refusals.append(refusal)
                rejected.append({"index": index, "id": refusal.event_id, "code": error.code, "message": error.args[0]})
                continue
            drafts.append(draft)
            records.append(Record(draft.event["site"], draft.event["id"], encode(draft)))
            if draft.corrections:
                warnings += _warnings(index, draft.corrections)
        is_new = await self.queue.submit(Submission(records, refusals, self.pipeline.origins.take_new()))
        accepted = sum(is_new)
        self._note(beacon, warnings)
        if self.live.has_listeners():
            self.live.publish(drafts, is_new, refusals)
        return Outcome(accepted, len(records) - accepted, rejected, warnings)

    async def refuse_whole(self, *refusals: RejectedEvent) -> None:
        """Keep what is no event: a request in which none could be told apart, which counts as one rejected event."""
        await self.queue.submit(Submission((), refusals))
        if self.live.has_listeners():
            self.live.publish([], [], refusals)

    def _note(self, beacon: Beacon, warnings: Sequence[dict[str, Any]]) -> None:
        """Note what is no verdict; those are counted where they are committed."""
        self.accounts.last_received_ms[beacon.site.key] = beacon.received_ms
        for warning in warnings:
            self.accounts.corrected[warning["code"]] += 1


def refuse(beacon: Beacon, raw: Any, error: EventRejected, ip_policy: IpPolicy) -> RejectedEvent:
    """Return the record of a rejected event, with addresses as far as the policy keeps them."""
    event_id = raw.get("id") if isinstance(raw, dict) else None
    return RejectedEvent(
        received_ms=beacon.received_ms,
        site=beacon.site.key,
        event_id=clean_text(event_id[:MAX_ID_LENGTH]) if isinstance(event_id, str) else None,
        source=beacon.source,
        code=error.code,
        message=clean_text(error.message),
        payload=scrub_payload(encode_original(raw), beacon.ip, ip_policy),
        context=encode_context(beacon, ip_policy),
    )


def _warnings(index: int, corrections: Sequence[Correction]) -> list[dict[str, Any]]:
    return [{"index": index, "code": each.code, "message": clean_text(each.message)} for each in corrections]
