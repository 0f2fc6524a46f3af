"""The vendors whose webhooks are taken in: a row each. A further vendor is a module beside this one, and a row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from server.dialects.hooks import calendly, chatwoot, facebook, mailgun, postmark, sendgrid, zoom
from server.dialects.hooks.notice import Json, Told
from server.dialects.hooks.signatures import Call, Check, Claim, is_ecdsa, is_hmac, is_token


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """How one vendor's calls are proved and understood.

    Shape:  window_s is None where no time is signed; is_signed_in_body means that the claim is read from the payload;
            answer_challenge answers a call instead of taking it, answer_subscription a GET.
    Errors: translate raises BadRequest when a payload is none of the vendor's.
    """

    read_claim: Callable[[Call, Any], Claim]
    check: Check
    window_s: int | None
    translate: Callable[[Any], list[Told]]
    is_signed_in_body: bool = False
    answer_challenge: Callable[[Any, str], Json | None] | None = None
    answer_subscription: Callable[[Mapping[str, str], Sequence[str]], str | None] | None = None


VENDORS: dict[str, Vendor] = {
    "calendly": Vendor(
        read_claim=calendly.read_claim, check=is_hmac, window_s=calendly.WINDOW_S, translate=calendly.translate
    ),
    "chatwoot": Vendor(
        read_claim=chatwoot.read_claim,
        check=chatwoot.is_chatwoot,
        window_s=chatwoot.WINDOW_S,
        translate=chatwoot.translate,
    ),
    "facebook": Vendor(
        read_claim=facebook.read_claim,
        check=is_hmac,
        window_s=None,
        translate=facebook.translate,
        answer_subscription=facebook.answer_subscription,
    ),
    "mailgun": Vendor(
        read_claim=mailgun.read_claim,
        check=is_hmac,
        window_s=mailgun.WINDOW_S,
        translate=mailgun.translate,
        is_signed_in_body=True,
    ),
    "postmark": Vendor(read_claim=postmark.read_claim, check=is_token, window_s=None, translate=postmark.translate),
    "sendgrid": Vendor(
        read_claim=sendgrid.read_claim, check=is_ecdsa, window_s=sendgrid.WINDOW_S, translate=sendgrid.translate
    ),
    "zoom": Vendor(
        read_claim=zoom.read_claim,
        check=is_hmac,
        window_s=zoom.WINDOW_S,
        translate=zoom.translate,
        answer_challenge=zoom.answer_challenge,
    ),
}
