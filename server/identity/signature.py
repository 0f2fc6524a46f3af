"""Proof that the site itself vouches for a user id. Pure; called by the pipeline for `$auth`."""

import hashlib
import hmac


def sign(user_id: str, auth_key: str) -> str:
    """Return what a site puts into its page for a signed-in user.

    Shape:  64 hexadecimal digits: HMAC-SHA256 of the user id, both UTF-8.
    Source: RFC 2104; the form that users of chat tools of this kind know.
    """
    return hmac.new(auth_key.encode(), user_id.encode(), hashlib.sha256).hexdigest()


def is_signed(user_id: str, signature: str, auth_key: str) -> bool:
    """Return whether the signature is the site's own, compared in constant time."""
    return hmac.compare_digest(sign(user_id, auth_key), signature.lower().encode("ascii", "replace").decode())
