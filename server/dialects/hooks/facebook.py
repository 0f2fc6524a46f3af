"""Facebook Lead Ads: a change of the field `leadgen` becomes `$filled_facebook_lead_ad`.

The call carries ids only; what the lead has written is for the site to ask Facebook, with its own token.

Source: Meta's "Webhooks: Getting started" (`X-Hub-Signature-256: sha256=<hex>`, HMAC-SHA256 of the body under the app's
        secret; `hub.challenge` is echoed to who knows the verify token) and "Webhooks for leadgen". No time is signed.
"""

import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from server.dialects.hooks.notice import (
    UNKNOWN_TYPE,
    Notice,
    Path,
    Told,
    at,
    instant_at,
    joined_id,
    take,
    text_at,
)
from server.dialects.hooks.signatures import Call, Claim

MAX_CHALLENGE_LENGTH = 256
_PROPS: dict[str, Path] = {
    "leadgen_id": ("leadgen_id",),
    "form_id": ("form_id",),
    "page_id": ("page_id",),
    "ad_id": ("ad_id",),
    "adgroup_id": ("adgroup_id",),
}


def read_claim(call: Call, _payload: Any) -> Claim:
    """Return the proof of a call."""
    proof = call.headers.get("x-hub-signature-256", "").lower()
    return Claim(proofs=[proof.removeprefix("sha256=")], message=call.body)


def answer_subscription(query: Mapping[str, str], tokens: Sequence[str]) -> str | None:
    """Return what Facebook wants to hear when it tries an address, None when it is not who knows the verify token."""
    given = query.get("hub.verify_token", "").encode("utf-8", "replace")
    is_known = False
    for token in tokens:  # all of them, always: the time tells nothing
        is_known |= hmac.compare_digest(token.encode(), given)
    challenge = query.get("hub.challenge", "")
    is_asked = query.get("hub.mode") == "subscribe" and 0 < len(challenge) <= MAX_CHALLENGE_LENGTH
    return challenge if is_known and is_asked else None


def translate(payload: Any) -> list[Told]:
    """Return what a call tells: changes of several pages may come together."""
    entries = at(payload, "entry")
    lists = [at(entry, "changes") for entry in entries] if isinstance(entries, list) else []
    changes = [change for each in lists if isinstance(each, list) for change in each]
    return [_change(change) for change in changes] or [UNKNOWN_TYPE]


def _change(change: Any) -> Told:
    if at(change, "field") != "leadgen":
        return UNKNOWN_TYPE
    lead = at(change, "value")
    props = take(lead, _PROPS)
    return Notice(
        name="$filled_facebook_lead_ad",
        foreign_id=joined_id(text_at(lead, "leadgen_id"), otherwise=lead),
        props={name: str(value) for name, value in props.items()},  # ids of 64 bits
        time_ms=instant_at(lead, "created_time"),
    )
