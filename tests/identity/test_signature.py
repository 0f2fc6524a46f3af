import pytest

from server.identity.signature import is_signed, sign

NOW_MS = 1_764_000_000_000
# computed with openssl: printf 'user-1' | openssl dgst -sha256 -hmac 'key-1'
KNOWN = "487645822f0dbb8d4475beef35b9cdec6ac50e45929c5ed9efaee5fa6951f3f2"


def test_is_the_hexadecimal_hmac_that_other_languages_compute() -> None:
    assert sign("user-1", "key-1") == KNOWN


@pytest.mark.parametrize("user_id", ["1", "пользователь", "a" * 255, "\U0001f600"])
def test_takes_its_own_signature_in_either_case(user_id: str) -> None:
    assert is_signed(user_id, sign(user_id, "key"), ["key"], NOW_MS)
    assert is_signed(user_id, sign(user_id, "key").upper(), ["key"], NOW_MS)


@pytest.mark.parametrize(
    "signature", ["", "x", "0" * 64, "я" * 64, sign("2", "key"), sign("1", "other"), sign("1", "key")[:-1]]
)
def test_refuses_every_other(signature: str) -> None:
    assert not is_signed("1", signature, ["key"], NOW_MS)


def test_takes_every_key_of_the_list_and_none_beside_it() -> None:
    assert is_signed("1", sign("1", "old"), ["new", "old"], NOW_MS)
    assert is_signed("1", sign("1", "new"), ["new", "old"], NOW_MS)
    assert not is_signed("1", sign("1", "older"), ["new", "old"], NOW_MS)
    assert not is_signed("1", sign("1", "key"), [], NOW_MS)


def test_a_signature_with_an_end_holds_until_then_and_cannot_be_prolonged() -> None:
    signature = sign("1", "key", until_s=NOW_MS // 1000)
    assert is_signed("1", signature, ["key"], NOW_MS)
    assert not is_signed("1", signature, ["key"], NOW_MS + 1)
    _, _, digits = signature.partition(".")
    assert not is_signed("1", f"{NOW_MS}.{digits}", ["key"], NOW_MS)
    assert not is_signed("1", digits, ["key"], NOW_MS)
    assert not is_signed(f"{NOW_MS // 1000}.1", digits, ["key"], NOW_MS)
