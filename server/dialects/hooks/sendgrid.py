"""SendGrid's event webhook: bounces, complaints, opens, clicks and unsubscriptions become `$message_…`.

Source: Twilio SendGrid's "Event Webhook Security Features" (ECDSA of timestamp and body, in
        `X-Twilio-Email-Event-Webhook-Signature` and `…-Timestamp`) and "Event Webhook Reference": a list of events,
        `sg_event_id` names each; a message's unique arguments stand among the event's own fields.
"""

import re
from typing import Any

from server.dialects.hooks.mail import first_text, message_notice, recipient
from server.dialects.hooks.notice import (
    UNKNOWN_TYPE,
    Ignored,
    Path,
    Told,
    at,
    instant_at,
    joined_id,
    take,
    text_at,
)
from server.dialects.hooks.signatures import Call, Claim
from server.errors import BadRequest

WINDOW_S = 25 * 3600  # it tries again for a day, and does not say that it signs anew
_HEADER = "x-twilio-email-event-webhook-"
_NAMES = {
    "bounce": "$message_bounced",
    "dropped": "$message_bounced",
    "spamreport": "$message_spam",
    "open": "$message_read",
    "click": "$message_clicked",
    "unsubscribe": "$message_unsubscribed",
    "group_unsubscribe": "$message_unsubscribed",
}
_PROPS: dict[str, Path] = {
    "kind": ("event",),
    "bounce_type": ("type",),
    "reason": ("reason",),
    "status": ("status",),
    "url": ("url",),
}
_MACHINE = Ignored("machine_open", "A mail program has loaded the message's pictures by itself.")
# The rest of the id names the machines that a message came through.
_OWN_ID = re.compile(r"(?P<id>.+?)\.(?:filter|recvd)")


def read_claim(call: Call, _payload: Any) -> Claim:
    """Return the proof of a call."""
    sent_at = call.headers.get(_HEADER + "timestamp", "")
    proof = call.headers.get(_HEADER + "signature", "")
    return Claim(proofs=[proof], message=sent_at.encode() + call.body, sent_at=sent_at)


def translate(payload: Any) -> list[Told]:
    """Return what a call tells, event by event. Errors: BadRequest when it is no list."""
    if not isinstance(payload, list):
        raise BadRequest("invalid_body", "The body is no list of events.", "Only SendGrid sends here.")
    return [_event(event) for event in payload]


def _event(event: Any) -> Told:
    name = _NAMES.get(text_at(event, "event") or "")
    if name is None:
        return UNKNOWN_TYPE
    if at(event, "sg_machine_open") is True:
        return _MACHINE
    message_id = text_at(event, "sg_message_id")
    own = _OWN_ID.match(message_id) if message_id else None
    message = {
        "$message_id": own["id"] if own else message_id,  # what the sender was told as X-Message-Id
        "$message_name": first_text(at(event, "category")),
        **take(event, _PROPS),
    }
    foreign_id = joined_id(text_at(event, "sg_event_id"), otherwise=event)
    whom = recipient(event, text_at(event, "email"))
    return message_notice(name, foreign_id, message, whom, instant_at(event, "timestamp"))
