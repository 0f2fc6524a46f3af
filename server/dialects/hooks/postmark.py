"""Postmark: bounces, complaints, opens, clicks and unsubscriptions become `$message_…`.

Source: Postmark's "Webhooks overview" (it signs nothing; user name and password stand in the address and come as Basic,
        or a header of the site's own is sent along) and the page of each webhook's data.
"""

import base64
from typing import Any

from server.dialects.hooks.mail import message_notice, recipient
from server.dialects.hooks.notice import (
    UNKNOWN_TYPE,
    Ignored,
    Path,
    Told,
    at,
    fingerprint,
    instant_at,
    joined_id,
    take,
    text_at,
)
from server.dialects.hooks.signatures import Call, Claim

_NAMES = {
    "Bounce": "$message_bounced",
    "SpamComplaint": "$message_spam",
    "Open": "$message_read",
    "Click": "$message_clicked",
    "SubscriptionChange": "$message_unsubscribed",
}
# Types of its bounces that are something else, or nothing lasting.
_BOUNCES = {"SpamComplaint": "$message_spam", "Unsubscribe": "$message_unsubscribed"}
_PASSING = frozenset(
    {"Transient", "AutoResponder", "AddressChange", "ChallengeVerification", "OpenRelayTest", "Subscribe"}
)
_PROPS: dict[str, Path] = {
    "kind": ("RecordType",),
    "bounce_type": ("Type",),
    "reason": ("Description",),
    "url": ("OriginalLink",),
}
_TEMPORARY = Ignored("temporary_failure", "The message was delayed, or answered by a machine.")
_TOLD_ELSEWHERE = Ignored("not_by_recipient", "The recipient has not unsubscribed.")


def read_claim(call: Call, _payload: Any) -> Claim:
    """Return the proof of a call: a password by Basic, whatever the user name, or a Bearer token."""
    scheme, _, rest = call.headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return Claim(proofs=[rest.strip()])
    if scheme.lower() != "basic":
        return Claim(proofs=[])
    try:
        _, _, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except ValueError:  # not base64, not ASCII, not UTF-8
        return Claim(proofs=[])
    return Claim(proofs=[password])


def translate(payload: Any) -> list[Told]:
    """Return what a call tells."""
    kind = text_at(payload, "RecordType") or ""
    name = _NAMES.get(kind)
    if name is None:
        return [UNKNOWN_TYPE]
    if kind == "Bounce":
        bounce_type = text_at(payload, "Type") or ""
        if bounce_type in _PASSING:
            return [_TEMPORARY]
        name = _BOUNCES.get(bounce_type, name)
    if kind == "SubscriptionChange" and not _is_by_recipient(payload):
        return [_TOLD_ELSEWHERE]
    message = {
        "$message_id": text_at(payload, "MessageID"),
        "$message_name": text_at(payload, "Tag"),
        **take(payload, _PROPS),
    }
    number = text_at(payload, "ID")  # bounces and complaints have one
    foreign_id = joined_id(kind, number, otherwise=payload) if number else fingerprint(payload)
    whom = recipient(at(payload, "Metadata"), text_at(payload, "Recipient") or text_at(payload, "Email"))
    times = [instant_at(payload, field) for field in ("BouncedAt", "ReceivedAt", "ChangedAt")]
    return [message_notice(name, foreign_id, message, whom, next(filter(None, times), None))]


def _is_by_recipient(payload: Any) -> bool:
    """Return whether a change is somebody's own: those after bounces and complaints have webhooks of their own."""
    return (
        at(payload, "SuppressSending") is True
        and at(payload, "Origin") == "Recipient"
        and at(payload, "SuppressionReason") == "ManualSuppression"
    )
