"""Proof that a call comes from the vendor. Pure; each vendor's module says where its proof stands.

Three kinds of proof, all checked against every secret of the site, in constant time, so that a secret can be replaced:
    HMAC-SHA256 in hexadecimal digits over a message that the vendor puts together (RFC 2104)
    ECDSA over P-256 with SHA-256, DER in base64, against a public key (FIPS 186-5); nothing secret takes part here
    a token that the vendor repeats, where it signs nothing

Whoever proves to be the vendor must also be on time: a call that was overheard is worth nothing when the window has
passed. It is as long as the vendor goes on to send a call again under its first signature; within it, and for 35 days,
the same thing told again is the same event.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from server.errors import NotAuthorised

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

EARLY_S = 300
"""How far the vendor's clock may be ahead of ours."""

_MAX_DIGITS = 15
_PEM_BEGIN, _PEM_END = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call as it came. Shape: headers are found in any case; body is the very bytes that were signed."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a call brings as proof.

    Shape:  proofs are what may be right, any of them; message is what was signed; sent_at is as the vendor wrote it,
            seconds since the epoch in digits; None where it writes none.
    """

    proofs: Sequence[str]
    message: bytes = b""
    sent_at: str | None = None


Check = Callable[[Claim, str], bool]


def verify(claim: Claim, check: Check, secrets: Sequence[str], window_s: int | None, now_ms: int) -> str:
    """Return the secret under which a claim holds.

    Units:  window_s is how old the call may be, None for any age.
    Errors: NotAuthorised; that a call is late is told only to who has signed it.
    """
    if not any(claim.proofs):
        raise NotAuthorised("missing_signature", "The call is not signed.", "Set the secret at the vendor as well.")
    found = None
    for secret in secrets:  # all of them, always: the time tells nothing
        if check(claim, secret):
            found = secret
    if found is None:
        raise NotAuthorised("wrong_signature", "The signature is not the vendor's.", "Compare the secrets.")
    if window_s is not None and claim.sent_at is not None and not _is_on_time(claim.sent_at, window_s, now_ms):
        raise NotAuthorised("late_signature", f"The call was signed more than {window_s} s ago.", "Look at the clocks.")
    return found


def is_hmac(claim: Claim, secret: str) -> bool:
    """Return whether a proof is the HMAC-SHA256 of the message, in hexadecimal digits."""
    return is_token(claim, hmac_hex(secret, claim.message))


def hmac_hex(secret: str, message: bytes) -> str:
    """Return HMAC-SHA256 in hexadecimal digits."""
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def is_token(claim: Claim, secret: str) -> bool:
    """Return whether a proof is the secret itself."""
    found = False
    for proof in claim.proofs:
        found |= hmac.compare_digest(secret.encode(), proof.encode("utf-8", "replace"))
    return found


def is_ecdsa(claim: Claim, public_key: str) -> bool:
    """Return whether a proof is the key owner's signature of the message."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    key = read_public_key(public_key)
    for proof in claim.proofs:
        try:
            key.verify(base64.b64decode(proof, validate=True), claim.message, ECDSA(SHA256()))
        except (ValueError, InvalidSignature):  # no base64, or not signed
            continue
        return True
    return False


@lru_cache(maxsize=64)
def read_public_key(text: str) -> "EllipticCurvePublicKey":
    """Return a public key on P-256 from PEM, or from its base64 part alone. Errors: ValueError."""
    # loaded when needed: it is the largest package of all, and few sites have this vendor
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    inner = "".join(text.strip().removeprefix(_PEM_BEGIN).removesuffix(_PEM_END).split())
    try:
        key = load_der_public_key(base64.b64decode(inner, validate=True))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("is no public key in base64") from error
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise ValueError("is no key on the curve P-256")  # noqa: TRY004 - what is wrong is the text
    return key


def _is_on_time(sent_at: str, window_s: int, now_ms: int) -> bool:
    if not sent_at.isascii() or not sent_at.isdecimal() or len(sent_at) > _MAX_DIGITS:
        return False
    age_s = now_ms / 1000 - int(sent_at)
    return -EARLY_S <= age_s <= window_s
