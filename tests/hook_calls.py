"""Webhooks as their vendors send them: recorded payloads, signed with the secrets that the tests' sites have."""

import base64
import copy
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.factories import NOW_MS

RECORDED = Path(__file__).parent / "dialects" / "recorded" / "hooks"
NOW_S = NOW_MS // 1000
OWN_KEY = ec.derive_private_key(20261123, ec.SECP256R1())
OTHER_KEY = ec.derive_private_key(1, ec.SECP256R1())

SECRETS = {
    name: f"{name}-secret-0123456789"
    for name in ("calendly", "chatwoot", "facebook", "facebook_verify_token", "mailgun", "postmark", "zoom")
}


def public_key(key: ec.EllipticCurvePrivateKey = OWN_KEY) -> str:
    """Return a public key as SendGrid shows it."""
    encoded = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(encoded).decode()


SECRETS["sendgrid"] = public_key()
HOOKS = {name: (secret,) for name, secret in SECRETS.items()}
AS_VARIABLE = " ".join(f"{name}={secret}" for name, secret in SECRETS.items())


def load(vendor: str) -> dict[str, Any]:
    """Return a vendor's recorded payloads by the vendor's name for what happened."""
    found: dict[str, Any] = json.loads((RECORDED / f"{vendor}.json").read_text(encoding="utf-8"))
    return found


PAYLOADS = {vendor: load(vendor) for vendor in sorted(path.stem for path in RECORDED.glob("*.json"))}


def every_payload() -> Iterator[tuple[str, Any]]:
    """Yield (vendor, payload) for all recorded ones, as copies that may be changed."""
    for vendor, cases in PAYLOADS.items():
        for payload in cases.values():
            yield vendor, copy.deepcopy(payload)


def first_payload(vendor: str) -> Any:
    """Return a copy of a vendor's first recorded payload."""
    return copy.deepcopy(next(iter(PAYLOADS[vendor].values())))


@dataclass(frozen=True, kw_only=True)
class HookCall:
    """One call, ready to be sent. Shape: path is that of the site `default`."""

    vendor: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""

    @property
    def path(self) -> str:
        """Return the path with its query."""
        return f"/hooks/{self.vendor}/default{self.query}"


def signed(vendor: str, payload: Any, *, sent_s: int = NOW_S, is_wrong: bool = False) -> HookCall:
    """Return a vendor's call with this payload. Shape: is_wrong signs it with a secret that is not the site's."""
    secret = "another secret entirely" if is_wrong else SECRETS[vendor]
    if vendor == "mailgun" and isinstance(payload, dict):
        proof = _hex(secret, f"{sent_s}token-1".encode())
        payload = {**payload, "signature": {"timestamp": str(sent_s), "token": "token-1", "signature": proof}}
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    headers = _HEADERS[vendor](secret, body, sent_s) if vendor in _HEADERS else {}
    return HookCall(vendor=vendor, body=body, headers={"content-type": "application/json", **headers})


def _hex(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def _calendly(secret: str, body: bytes, sent_s: int) -> dict[str, str]:
    return {"Calendly-Webhook-Signature": f"t={sent_s},v1={_hex(secret, f'{sent_s}.'.encode() + body)}"}


def _chatwoot(secret: str, body: bytes, sent_s: int) -> dict[str, str]:
    proof = _hex(secret, f"{sent_s}.".encode() + body)
    return {"X-Chatwoot-Signature": f"sha256={proof}", "X-Chatwoot-Timestamp": str(sent_s)}


def _facebook(secret: str, body: bytes, _sent_s: int) -> dict[str, str]:
    return {"X-Hub-Signature-256": f"sha256={_hex(secret, body)}"}


def _postmark(secret: str, _body: bytes, _sent_s: int) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"footfall:{secret}".encode()).decode()}


def _sendgrid(secret: str, body: bytes, sent_s: int) -> dict[str, str]:
    key = OWN_KEY if secret == SECRETS["sendgrid"] else OTHER_KEY
    proof = key.sign(str(sent_s).encode() + body, ec.ECDSA(hashes.SHA256()))
    prefix = "X-Twilio-Email-Event-Webhook-"
    return {prefix + "Signature": base64.b64encode(proof).decode(), prefix + "Timestamp": str(sent_s)}


def _zoom(secret: str, body: bytes, sent_s: int) -> dict[str, str]:
    proof = _hex(secret, f"v0:{sent_s}:".encode() + body)
    return {"x-zm-signature": f"v0={proof}", "x-zm-request-timestamp": str(sent_s)}


_HEADERS: dict[str, Callable[[str, bytes, int], dict[str, str]]] = {
    "calendly": _calendly,
    "chatwoot": _chatwoot,
    "facebook": _facebook,
    "postmark": _postmark,
    "sendgrid": _sendgrid,
    "zoom": _zoom,
}
