"""Signatures of outgoing webhooks, as Standard Webhooks 1.0 has them, so that its libraries verify ours.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from uuid import UUID, uuid5

PREFIX = "whsec_"
SECRET_BYTES = 32
_NAMESPACE = UUID("7d0f7c2e-0d3b-5a52-8a5c-5b1c9a3e6f40")
_UNIQUE_ID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def create_secret() -> str:
    """Return a new secret. Shape: `whsec_` and 32 random bytes in base64; 24 to 64 bytes are allowed."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def message_id(site: str, event_id: str) -> str:
    """Return the `webhook-id` of an event: its own id where that is a UUID, else one that follows from site and id.

    Whoever sends events chooses their ids. Two sites that number their orders use the same ones, and a receiver of
    both would take the second for a repetition. One with a full stop could shift the borders of what is signed, and
    one with other characters does not fit into a header.
    """
    if _UNIQUE_ID.fullmatch(event_id):
        return event_id
    return str(uuid5(_NAMESPACE, f"{site}\n{event_id}"))


def sign_message(secret: str, identifier: str, timestamp_s: int, body: bytes) -> str:
    """Return one signature.

    Shape:  `v1,` and HMAC-SHA256 of `identifier.timestamp_s.body` in base64, under the secret's bytes.
    Units:  timestamp_s is whole seconds since the epoch, of this very attempt.
    """
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{identifier}.{timestamp_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def headers_of(given: Sequence[str], identifier: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """Return the three headers. Shape: given are the secrets, the newest first; each signs while one is replaced."""
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(sign_message(secret, identifier, timestamp_s, body) for secret in given),
    }
