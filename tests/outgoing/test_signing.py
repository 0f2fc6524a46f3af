"""Signatures as Standard Webhooks 1.0 has them: its libraries verify ours."""

import base64
import hashlib
import hmac
import re
from pathlib import Path
from typing import Any

import pytest

from server.outgoing.signing import create_secret, headers_of, message_id, sign_message

# The test vector that the specification's reference libraries share.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'


def test_the_reference_libraries_vector() -> None:
    found = sign_message(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, BODY)
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_a_receiver_does_by_hand_comes_to_the_same() -> None:
    secret = create_secret()
    headers = headers_of([secret], "id-1", 1_700_000_000, BODY)
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("id-1", "1700000000")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    assert len(key) == 32
    mac = hmac.new(key, b"id-1.1700000000." + BODY, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"


def test_the_receiver_of_the_documentation_takes_ours_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "webhooks_out.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)  # noqa: S102 - what the page says is to be true
    is_ours = names["is_ours"]
    monkeypatch.setattr("time.time", lambda: 1_700_000_200.0)
    old, new = create_secret(), create_secret()
    headers = headers_of([new, old], "id-1", 1_700_000_000, BODY)
    assert is_ours(new, headers, BODY)
    assert is_ours(old, headers, BODY)
    assert not is_ours(create_secret(), headers, BODY)
    assert not is_ours(new, headers, BODY + b" ")
    assert not is_ours(new, {**headers, "webhook-id": "id-2"}, BODY)
    assert not is_ours(new, headers_of([new], "id-1", 1_600_000_000, BODY), BODY)


def test_while_a_secret_is_replaced_both_sign() -> None:
    secrets = [create_secret(), create_secret()]
    signatures = headers_of(secrets, "id", 1, BODY)["webhook-signature"].split(" ")
    assert signatures == [sign_message(secret, "id", 1, BODY) for secret in secrets]


def test_the_id_of_an_event_is_the_id_of_its_webhook() -> None:
    assert message_id("default", "0192f0c1-0000-7000-8000-000000000001") == "0192f0c1-0000-7000-8000-000000000001"


@pytest.mark.parametrize("event_id", ["a.1700000000.b", "a b", "a\r\nx: y", "я", "x" * 65, "", "order-1001", "7"])
def test_an_id_that_two_sites_may_use_or_that_breaks_a_header_is_replaced_always_by_the_same(event_id: str) -> None:
    found = message_id("default", event_id)
    assert len(found) == 36
    assert "." not in found
    assert found == message_id("default", event_id) != message_id("other", event_id)
