"""Calendly: `invitee.created` becomes `$calendly_invitee_created`.

Source: Calendly's "Webhook signatures" (`Calendly-Webhook-Signature: t=<s>,v1=<hex>`, HMAC-SHA256 of `<t>.<body>`) and
        "Webhooks"; an invitee's `uri` is their id. The same names as the tracker's plugin: `event_uri`, `invitee_uri`.
"""

from typing import Any

from server.dialects.hooks.notice import (
    UNKNOWN_TYPE,
    Notice,
    Path,
    Told,
    Whom,
    at,
    instant_at,
    joined_id,
    take,
    text_at,
)
from server.dialects.hooks.signatures import Call, Claim
from server.enrich.campaign import UTM_NAMES

WINDOW_S = 300  # its own sample code takes three minutes
# The answers to the form's questions are left out: they are whatever people write.
_PROPS: dict[str, Path] = {
    "event_uri": ("scheduled_event", "uri"),
    "event_name": ("scheduled_event", "name"),
    "start_time": ("scheduled_event", "start_time"),
    "end_time": ("scheduled_event", "end_time"),
    "invitee_uri": ("uri",),
    "rescheduled_from": ("old_invitee",),
    "name": ("name",),
    "email": ("email",),
}
_FORMER_PROPS: dict[str, Path] = {"event_uri": ("event",)}  # where a payload has no scheduled_event


def read_claim(call: Call, _payload: Any) -> Claim:
    """Return the proof of a call."""
    pairs = [part.partition("=") for part in call.headers.get("calendly-webhook-signature", "").split(",")]
    sent_at = next((value for name, _, value in pairs if name.strip() == "t"), "")
    proofs = [value.lower() for name, _, value in pairs if name.strip() == "v1"]
    return Claim(proofs=proofs, message=sent_at.encode() + b"." + call.body, sent_at=sent_at)


def translate(payload: Any) -> list[Told]:
    """Return what a call tells."""
    if at(payload, "event") != "invitee.created":
        return [UNKNOWN_TYPE]
    invitee = at(payload, "payload")
    props = take(invitee, _FORMER_PROPS) | take(invitee, _PROPS)
    utm = {name: text_at(invitee, "tracking", name) for name in UTM_NAMES}
    return [
        Notice(
            name="$calendly_invitee_created",
            foreign_id=joined_id(text_at(invitee, "uri"), otherwise=invitee),
            props=props,
            whom=Whom(email=text_at(invitee, "email"), phone=text_at(invitee, "text_reminder_number")),
            time_ms=instant_at(invitee, "created_at") or instant_at(payload, "created_at"),
            columns={name: value for name, value in utm.items() if value},
        )
    ]
