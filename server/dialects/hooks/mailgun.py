"""Mailgun: failures, complaints, opens, clicks and unsubscriptions become `$message_…`.

Source: Mailgun's "Securing webhooks" (the body's `signature`: HMAC-SHA256 of `timestamp` and `token`, put together; for
        events of a subaccount also `parent-signature`), "Webhook payloads" and "Automatic retries". The body itself is
        not signed: who has seen one call can make up others until the window ends, so the address must be HTTPS.
"""

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

WINDOW_S = 9 * 3600  # it tries again for eight hours, under the first signature
_NAMES = {
    "failed": "$message_bounced",
    "complained": "$message_spam",
    "opened": "$message_read",
    "clicked": "$message_clicked",
    "unsubscribed": "$message_unsubscribed",
}
_PROPS: dict[str, Path] = {
    "kind": ("event",),
    "reason": ("reason",),
    "status": ("delivery-status", "code"),
    "description": ("delivery-status", "description"),
    "url": ("url",),
    "machine": ("client-info", "bot"),
}
_TEMPORARY = Ignored("temporary_failure", "Mailgun goes on to deliver the message.")


def read_claim(_call: Call, payload: Any) -> Claim:
    """Return the proof of a call, which stands in its body."""
    sent_at = text_at(payload, "signature", "timestamp") or ""
    token = text_at(payload, "signature", "token") or ""
    proofs = [text_at(payload, "signature", name) or "" for name in ("signature", "parent-signature")]
    message = (sent_at + token).encode("utf-8", "replace")
    return Claim(proofs=[proof.lower() for proof in proofs], message=message, sent_at=sent_at)


def translate(payload: Any) -> list[Told]:
    """Return what a call tells."""
    event = at(payload, "event-data")
    name = _NAMES.get(text_at(event, "event") or "")
    if name is None:
        return [UNKNOWN_TYPE]
    if name == "$message_bounced" and at(event, "severity") == "temporary":
        return [_TEMPORARY]
    message = {
        "$message_id": text_at(event, "message", "headers", "message-id"),
        "$message_name": first_text(at(event, "tags")),
        **take(event, _PROPS),
    }
    foreign_id = joined_id(text_at(event, "id"), otherwise=event)
    whom = recipient(at(event, "user-variables"), text_at(event, "recipient"))
    return [message_notice(name, foreign_id, message, whom, instant_at(event, "timestamp"))]
