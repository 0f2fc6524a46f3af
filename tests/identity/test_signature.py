import pytest

from server.identity.signature import is_signed, sign

# computed with openssl: printf 'user-1' | openssl dgst -sha256 -hmac 'key-1'
KNOWN = "487645822f0dbb8d4475beef35b9cdec6ac50e45929c5ed9efaee5fa6951f3f2"


def test_is_the_hexadecimal_hmac_that_other_languages_compute() -> None:
    assert sign("user-1", "key-1") == KNOWN


@pytest.mark.parametrize("user_id", ["1", "пользователь", "a" * 255, "\U0001f600"])
def test_takes_its_own_signature_in_either_case(user_id: str) -> None:
    assert is_signed(user_id, sign(user_id, "key"), "key")
    assert is_signed(user_id, sign(user_id, "key").upper(), "key")


@pytest.mark.parametrize(
    "signature", ["", "x", "0" * 64, "я" * 64, sign("2", "key"), sign("1", "other"), sign("1", "key")[:-1]]
)
def test_refuses_every_other(signature: str) -> None:
    assert not is_signed("1", signature, "key")
