"""Zoom: `meeting.participant_joined` becomes `$zoom_meeting_joined`.

Source: Zoom's "Using webhooks": `x-zm-signature: v0=<hex>`, HMAC-SHA256 of `v0:<x-zm-request-timestamp>:<body>`; an
        `endpoint.url_validation` is answered with the HMAC of its `plainToken`. Rivet's types for the payload.
"""

import re
from typing import Any

from server.dialects.hooks.notice import (
    UNKNOWN_TYPE,
    Json,
    Notice,
    Path,
    Told,
    Whom,
    at,
    ids_at,
    instant_at,
    joined_id,
    take,
    text_at,
)
from server.dialects.hooks.signatures import Call, Claim, hmac_hex

WINDOW_S = 2 * 3600  # it tries again for an hour and a half, and does not say that it signs anew
# The answer to a challenge is a signature: what could be read as a call's message must not get one.
_PLAIN_TOKEN = re.compile(r"[A-Za-z0-9_=-]{1,128}")
_PROPS: dict[str, Path] = {
    "meeting_id": ("id",),
    "meeting_uuid": ("uuid",),
    "topic": ("topic",),
    "name": ("participant", "user_name"),
    "email": ("participant", "email"),
    "registrant_id": ("participant", "registrant_id"),
    "customer_key": ("participant", "customer_key"),
}
# a guest is somebody for one meeting only
_IDS: dict[str, Path] = {
    "zoom user": ("id",),
    "zoom registrant": ("registrant_id",),
    "zoom participant": ("participant_uuid",),
}


def read_claim(call: Call, _payload: Any) -> Claim:
    """Return the proof of a call."""
    sent_at = call.headers.get("x-zm-request-timestamp", "")
    proof = call.headers.get("x-zm-signature", "").lower()
    message = b"v0:" + sent_at.encode() + b":" + call.body
    return Claim(proofs=[proof.removeprefix("v0=")], message=message, sent_at=sent_at)


def answer_challenge(payload: Any, secret: str) -> Json | None:
    """Return the answer to the call with which Zoom tries an address, None for any other call."""
    token = text_at(payload, "payload", "plainToken")
    if at(payload, "event") != "endpoint.url_validation" or token is None or not _PLAIN_TOKEN.fullmatch(token):
        return None
    return {"plainToken": token, "encryptedToken": hmac_hex(secret, token.encode())}


def translate(payload: Any) -> list[Told]:
    """Return what a call tells."""
    if at(payload, "event") != "meeting.participant_joined":
        return [UNKNOWN_TYPE]
    meeting = at(payload, "payload", "object")
    participant = at(meeting, "participant")
    who = text_at(participant, "participant_uuid") or text_at(participant, "user_id")
    joined = text_at(participant, "join_time")
    return [
        Notice(
            name="$zoom_meeting_joined",
            foreign_id=joined_id(text_at(meeting, "uuid"), who, joined, otherwise=at(payload, "payload")),
            props=take(meeting, _PROPS),
            whom=Whom(
                email=text_at(participant, "email"),
                phone=text_at(participant, "phone_number"),
                claimed_id=text_at(participant, "customer_key"),  # the site's own, but told by the browser
                vendor_ids=ids_at(participant, _IDS),
            ),
            time_ms=instant_at(participant, "join_time") or instant_at(payload, "event_ts"),
        )
    ]
