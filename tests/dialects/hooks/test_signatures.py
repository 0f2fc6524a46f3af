"""Proofs of calls: what holds, what does not, and when."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from server.dialects.hooks.signatures import Call, Claim, is_ecdsa, is_hmac, is_token, read_public_key, verify
from server.dialects.hooks.vendors import VENDORS
from server.errors import NotAuthorised
from server.sites import HOOK_SECRETS
from tests.factories import NOW_MS
from tests.hook_calls import NOW_S, SECRETS, HookCall, first_payload, public_key, signed

TIMED = [name for name, vendor in VENDORS.items() if vendor.window_s is not None]


def check(call: HookCall, secrets: tuple[str, ...] | None = None, now_ms: int = NOW_MS) -> str:
    vendor = VENDORS[call.vendor]
    headers = {name.lower(): value for name, value in call.headers.items()}
    query = dict(part.split("=") for part in call.query.removeprefix("?").split("&") if part)
    received = Call(headers=headers, query=query, body=call.body)
    claim = vendor.read_claim(received, json.loads(call.body) if vendor.is_signed_in_body else None)
    return verify(claim, vendor.check, secrets or (SECRETS[call.vendor],), vendor.window_s, now_ms)


def refused(call: HookCall, **changes: Any) -> str:
    with pytest.raises(NotAuthorised) as error:
        check(call, **changes)
    return error.value.code


def test_the_settings_know_every_vendor() -> None:
    assert set(HOOK_SECRETS) == {*VENDORS, "facebook_verify_token"}


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_vendors_own_call_is_proved_by_the_secret_that_signed_it(vendor: str) -> None:
    call = signed(vendor, first_payload(vendor))
    other = public_key(ec.derive_private_key(7, ec.SECP256R1())) if vendor == "sendgrid" else "an older secret"
    assert check(call) == SECRETS[vendor]
    assert check(call, secrets=(other, SECRETS[vendor])) == SECRETS[vendor]
    assert refused(call, secrets=(other,)) == "wrong_signature"


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_call_without_any_proof_is_refused(vendor: str) -> None:
    assert refused(HookCall(vendor=vendor, body=b"{}")) == "missing_signature"


@pytest.mark.parametrize("vendor", [name for name in VENDORS if name not in {"mailgun", "postmark"}])
def test_a_changed_body_is_refused(vendor: str) -> None:
    call = signed(vendor, first_payload(vendor))
    changed = HookCall(vendor=vendor, body=call.body + b" ", headers=call.headers)
    assert refused(changed) == "wrong_signature"


@pytest.mark.parametrize("vendor", TIMED)
def test_the_window_ends_and_begins(vendor: str) -> None:
    window_s = VENDORS[vendor].window_s
    assert window_s is not None
    payload = first_payload(vendor)
    assert check(signed(vendor, payload, sent_s=NOW_S - window_s))
    assert refused(signed(vendor, payload, sent_s=NOW_S - window_s - 1)) == "late_signature"
    assert check(signed(vendor, payload, sent_s=NOW_S + 300))
    assert refused(signed(vendor, payload, sent_s=NOW_S + 301)) == "late_signature"


@pytest.mark.parametrize("vendor", TIMED)
def test_a_fresh_time_on_an_old_signature_is_refused(vendor: str) -> None:
    old = signed(vendor, first_payload(vendor), sent_s=NOW_S - 90_000)
    fresh = {name: value.replace(str(NOW_S - 90_000), str(NOW_S)) for name, value in old.headers.items()}
    body = old.body.replace(str(NOW_S - 90_000).encode(), str(NOW_S).encode())
    assert refused(HookCall(vendor=vendor, body=body, headers=fresh)) == "wrong_signature"


@pytest.mark.parametrize("sent_at", ["", "-1", "1.5", "٣", "nan", "9" * 400, "1e9"])
def test_a_time_that_is_none_is_late(sent_at: str) -> None:
    claim = Claim(proofs=["token"], sent_at=sent_at)
    with pytest.raises(NotAuthorised) as error:
        verify(claim, is_token, ("token",), 300, NOW_MS)
    assert error.value.code == "late_signature"


def test_an_old_chatwoot_carries_the_secret_in_the_address() -> None:
    body = b"{}"
    assert check(HookCall(vendor="chatwoot", body=body, query=f"?token={SECRETS['chatwoot']}"))
    assert refused(HookCall(vendor="chatwoot", body=body, query="?token=guess")) == "wrong_signature"


def test_a_wrong_chatwoot_signature_is_not_mended_by_the_address() -> None:
    call = signed("chatwoot", {}, is_wrong=True)
    mended = HookCall(vendor="chatwoot", body=call.body, headers=call.headers, query=f"?token={SECRETS['chatwoot']}")
    assert refused(mended) == "wrong_signature"


def test_the_secret_itself_is_no_chatwoot_signature() -> None:
    headers = {"X-Chatwoot-Signature": SECRETS["chatwoot"], "X-Chatwoot-Timestamp": str(NOW_S)}
    assert refused(HookCall(vendor="chatwoot", body=b"{}", headers=headers)) == "wrong_signature"


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic " + base64.b64encode(b"\xff:\xff").decode(), "Digest x"])
def test_a_broken_password_is_none(header: str) -> None:
    assert refused(HookCall(vendor="postmark", body=b"{}", headers={"Authorization": header})) == "missing_signature"


def test_postmark_may_send_a_bearer_token() -> None:
    headers = {"Authorization": f"Bearer {SECRETS['postmark']}"}
    assert check(HookCall(vendor="postmark", body=b"{}", headers=headers))


def test_the_primary_accounts_key_proves_a_subaccounts_event() -> None:
    call = signed("mailgun", first_payload("mailgun"))
    payload = json.loads(call.body)
    payload["signature"] |= {"parent-signature": payload["signature"]["signature"], "signature": "0" * 64}
    assert check(HookCall(vendor="mailgun", body=json.dumps(payload).encode()))


def test_a_public_key_may_be_pem() -> None:
    pem = f"-----BEGIN PUBLIC KEY-----\n{public_key()[:64]}\n{public_key()[64:]}\n-----END PUBLIC KEY-----\n"
    assert read_public_key(pem).public_numbers() == read_public_key(public_key()).public_numbers()


def _der(key: Any) -> str:
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "no base64",
        "bm8ga2V5",
        _der(ec.derive_private_key(1, ec.SECP384R1())),
        _der(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    ],
    ids=["no base64", "no key", "another curve", "RSA"],
)
def test_what_is_no_key_on_p256_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        read_public_key(text)


@given(st.text(), st.binary(), st.text())
def test_no_proof_raises_anything_but_a_refusal(proof: str, message: bytes, sent_at: str) -> None:
    claim = Claim(proofs=[proof], message=message, sent_at=sent_at)
    for test, secret in ((is_hmac, "secret"), (is_ecdsa, public_key()), (is_token, "not to be guessed")):
        assert test(claim, secret) is False
