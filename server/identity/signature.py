"""Proof that the site itself vouches for a user id. Pure; called by the pipeline for `$auth`.

Two forms, both in hexadecimal digits, key and texts in UTF-8 (RFC 2104):
    HMAC-SHA256(key, user id)                           for ever: the form that users of chat tools of this kind know
    <seconds>.HMAC-SHA256(key, <seconds> LF user id)    until that moment, in seconds since the epoch

Several keys may be valid at a time, the newest first, so that a key can be replaced: the site signs with the new one
while pages signed with the old one are still open.
"""

import hashlib
import hmac
from collections.abc import Sequence


def sign(user_id: str, auth_key: str, *, until_s: int | None = None) -> str:
    """Return what a site puts into its page for a signed-in user. Units: until_s is seconds since the epoch."""
    prefix, text = ("", user_id) if until_s is None else (f"{until_s}.", f"{until_s}\n{user_id}")
    return prefix + hmac.new(auth_key.encode(), text.encode(), hashlib.sha256).hexdigest()


def is_signed(user_id: str, signature: str, auth_keys: Sequence[str], now_ms: int) -> bool:
    """Return whether the signature is the site's own and still valid, compared in constant time."""
    until, dot, _ = signature.partition(".")
    until_s = int(until) if dot and until.isascii() and until.isdecimal() and len(until) <= 12 else None  # noqa: PLR2004 - a date
    if until_s is not None and until_s * 1000 < now_ms:
        return False
    given = signature.lower().encode("ascii", "replace")
    found = False
    for key in auth_keys:  # all of them, always: the time tells nothing
        found |= hmac.compare_digest(sign(user_id, key, until_s=until_s).encode(), given)
    return found
