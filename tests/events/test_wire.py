import gzip
import zlib

import pytest

from server.errors import BadRequest, FootfallError, TooLarge
from server.events.wire import MAX_BODY_BYTES, decode, encode_original, read_instant, unpack, write_instant
from tests.factories import NOW_MS


def test_unpack_returns_other_bodies_as_they_are() -> None:
    assert unpack(b'{"a":1}') == b'{"a":1}'


def test_unpack_recognises_gzip_by_its_content() -> None:
    assert unpack(gzip.compress(b'{"a":1}')) == b'{"a":1}'


def test_unpack_refuses_a_bomb_without_unpacking_it_whole() -> None:
    bomb = gzip.compress(b"\0" * (64 * 1024 * 1024))
    assert len(bomb) < 1024 * 1024
    with pytest.raises(TooLarge) as error:
        unpack(bomb)
    assert error.value.code == "body_too_large"


def test_unpack_takes_exactly_the_limit() -> None:
    assert len(unpack(gzip.compress(b" " * MAX_BODY_BYTES))) == MAX_BODY_BYTES


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(b"x" * 1000)[:-9],
        b"\x1f\x8bnot gzip at all",
        b"\x1f\x8b",
        zlib.compress(b"x")[:0] + b"\x1f\x8b\x08",
        gzip.compress(b'{"events": []}') + gzip.compress(b'{"events": []}'),
    ],
    ids=["cut off", "rubbish", "magic only", "header only", "two members"],
)
def test_unpack_refuses_broken_gzip(body: bytes) -> None:
    with pytest.raises(BadRequest) as error:
        unpack(body)
    assert error.value.code == "invalid_gzip"


@pytest.mark.parametrize(
    ("body", "value", "is_odd"),
    [
        (b'{"a": "b"}', {"a": "b"}, False),
        (b'{"a": "\\u0000"}', {"a": "\0"}, True),
        (b'{"a": NaN}', {"a": "NaN"}, True),
        (b'{"a": "\\ud800"}', {"a": "\ud800"}, True),
        (b'{"a": "\xff"}', {"a": "\ufffd"}, True),
        (b"\xef\xbb\xbf[]", [], True),
        (b'{"a": 123456789012345678901234567890, "b": NaN}', {"a": 123456789012345678901234567890, "b": "NaN"}, True),
    ],
    ids=["plain", "NUL", "NaN", "lone surrogate", "broken UTF-8", "byte order mark", "huge integer"],
)
def test_decode_reads_odd_values_and_says_so(body: bytes, value: object, is_odd: bool) -> None:
    found, was_odd = decode(body)
    if isinstance(found, dict):
        found = {name: "NaN" if item != item else item for name, item in found.items()}
    assert (found, was_odd) == (value, is_odd)


@pytest.mark.parametrize("body", [b"", b"{", b"hello", b'{"a":1}}', b"\x00\x01", b"]" * 300, b"[" * 300_000], ids=repr)
def test_decode_refuses_what_is_no_json(body: bytes) -> None:
    with pytest.raises(FootfallError) as error:
        decode(body)
    assert error.value.code == "invalid_json"


@pytest.mark.parametrize("depth", [1000, 2000, 100_000])
def test_decode_keeps_the_neighbours_of_something_nested_without_end(depth: int) -> None:
    deep = "[" * depth + "]" * depth
    value, _ = decode(f'{{"events": [{{"name": "a"}}, {{"props": {deep}}}, {{"name": "b"}}]}}'.encode())
    assert value["events"][0] == {"name": "a"}
    assert value["events"][2] == {"name": "b"}


@pytest.mark.parametrize("sign", ["", "-"])
def test_decode_keeps_the_neighbours_of_a_number_with_more_digits_than_python_reads(sign: str) -> None:
    value, is_odd = decode(f'{{"events": [{{"name": "a", "n": 7}}, {{"n": {sign}{"9" * 5000}}}]}}'.encode())
    assert value == {"events": [{"name": "a", "n": 7}, {"n": float(f"{sign}inf")}]}
    assert is_odd


def test_decode_does_not_take_brackets_in_texts_for_depth() -> None:
    text = "[" * 500 + '\\"' + "{" * 500
    value, _ = decode(f'{{"a": NaN, "b": "{text}"}}'.encode())
    assert value["b"] == "[" * 500 + '"' + "{" * 500


@pytest.mark.parametrize("value", [{"a": "\ud800"}, {"a": 2**70}, {"a": float("nan")}, "x" * 100_000], ids=type)
def test_encode_original_keeps_every_value_that_decode_can_return(value: object) -> None:
    assert 0 < len(encode_original(value)) <= 64 * 1024


@pytest.mark.parametrize(
    ("value", "instant_ms"),
    [
        ("2026-11-23T14:03:22.001Z", NOW_MS + 1),
        ("2026-11-23T15:03:22+01:00", NOW_MS),
        ("2026-11-23T14:03:22", NOW_MS),
        ("1970-01-01T00:00:00Z", 0),
        (NOW_MS, NOW_MS),
        (NOW_MS // 1000, NOW_MS),
        (-1, -1000),
        ("0001-01-01T00:00:00+00:00", -62135596800000),
        ("9999-12-31T23:59:59.999999Z", 253402300799999),
    ],
)
def test_read_instant_understands(value: object, instant_ms: int) -> None:
    assert read_instant(value) == instant_ms


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, "soon", "", [], {}, float("nan"), float("inf"), 1e300, "2026-13-01"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-00:01", -62135596801, 253402300800000),
    ],
)
def test_read_instant_is_none_for(value: object) -> None:
    assert read_instant(value) is None


@pytest.mark.parametrize(
    ("instant_ms", "text"),
    [
        (NOW_MS, "2026-11-23T14:03:22.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (-62135596800000, "0001-01-01T00:00:00.000Z"),
    ],
)
def test_write_instant_is_rfc_3339_with_milliseconds(instant_ms: int, text: str) -> None:
    assert write_instant(instant_ms) == text
    assert read_instant(text) == instant_ms


@pytest.mark.parametrize(
    ("instant_ms", "text"),
    [(-62135647200000, "0001-01-01T00:00:00.000Z"), (2**62, "9999-12-31T23:59:59.999Z")],
)
def test_write_instant_tells_the_nearest_that_can_be_said(instant_ms: int, text: str) -> None:
    assert write_instant(instant_ms) == text


@pytest.mark.parametrize(
    "text",
    [
        '["' + '\\"' * 500_000,
        '"\\' * 500_000,
        "[]" * 500_000,
        '[{"a":' * 170_000,
        "[" + "[]," * 300_000 + "[]]",
        "[" + "1," * 500_000 + "1" * 5000 + "]",
    ],
    ids=["a string without end", "escapes", "brackets", "depth", "lists", "numbers"],
)
def test_no_text_is_looked_at_twice(text: str) -> None:
    """What is tried again from each quote takes minutes, which the time-out of the tests would show."""
    with pytest.raises((BadRequest, TooLarge)):
        decode(text.encode() + b"NaN")


@pytest.mark.parametrize(
    "odd",
    ['{"a": "\\ud83d"}, "' + "x" * 1024 * 1024 + '"', "NaN" + ", []" * 31_000, "9" * 5000 + ", 1" * 31_000],
    ids=["half a pair in much text", "NaN beside many lists", "a number without end beside many"],
)
def test_what_would_take_too_long_to_read_is_to_be_sent_in_parts(odd: str) -> None:
    """Not 400: a sender drops for ever what is answered so, and with it the events beside the odd one."""
    with pytest.raises(TooLarge) as error:
        decode(f"[{odd}]".encode())
    assert error.value.code == "body_too_large"
