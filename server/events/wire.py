"""From the bytes of a request to plain values: unpacking, JSON, instants, and the limits on all of it.

Called by web (bodies) and the pipeline (one event's values). Never trusts a length, a type or a depth.
"""

import contextlib
import json
import re
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from server.errors import BadRequest, TooLarge

MAX_WIRE_BYTES = 1024 * 1024
MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_EVENTS = 1000
MAX_DEPTH = 8
MAX_NAME_LENGTH = 255
MAX_ID_LENGTH = 255
MAX_PROPERTY_NAME_LENGTH = 70
MAX_PROPERTIES = 250
MAX_TEXT_LENGTH = 8192
MAX_LIST_LENGTH = 1000
MAX_SAFE_INTEGER = 2**53
MAX_KEPT_PAYLOAD_BYTES = 64 * 1024

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib: 15 bits of window, +16 for the gzip header
_BACKSLASH = ord("\\")
_MAX_BRACKETS = 30_000
_MAX_DIGITS = 2466  # kept as text; Python reads no more than 4,300, so as not to be kept busy
_MAX_INTEGERS = 30_000  # where one has too many digits: looking at each would take longer than a valid body
_PARSER_DEPTH = 200  # far beyond MAX_DEPTH, far below the parsers' own limits
# a run of brackets, behind whatever is none; nothing is ever tried twice, also where a string never ends
_BRACKETS = re.compile(r'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+"?)*+([\[{]++|[\]}]++)?', re.DOTALL)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
FIRST_MS = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
LAST_MS = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
"""The first and the last instant that RFC 3339 can say in UTC: years have four digits, and there is no year 0 here."""

_MS_FROM = 10**11  # numbers from here on are milliseconds (1973), below it seconds (until 5138)


def unpack(body: bytes) -> bytes:
    """Return the body, unpacked when it starts like gzip.

    Errors: TooLarge beyond MAX_BODY_BYTES, found while unpacking so that a bomb costs no more memory than
            that; BadRequest when the stream is broken or cut off.
    """
    if body[:2] != _GZIP_MAGIC:
        return body
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    try:
        unpacked = unpacker.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise BadRequest("invalid_gzip", "The body starts like gzip but cannot be unpacked.") from error
    if len(unpacked) > MAX_BODY_BYTES:
        raise TooLarge(
            "body_too_large",
            f"The body is larger than {MAX_BODY_BYTES} bytes unpacked.",
            "Send fewer events in each request.",
        )
    if not unpacker.eof:
        raise BadRequest("invalid_gzip", "The gzip stream is cut off.")
    if unpacker.unused_data:  # a second member, whose events would be lost in silence
        raise BadRequest("invalid_gzip", "Something follows the gzip stream.", "Send it as one.")
    return unpacked


def decode(body: bytes) -> tuple[Any, bool]:
    """Return (value, is_odd) for a JSON body.

    Shape:  is_odd means that strings may hold NUL or lone surrogates and numbers NaN or infinity, so that each
            event's values need a closer look; the usual body needs none.
    Errors: BadRequest when even a lenient reading finds no JSON; TooLarge when one would take too long, so that whoever
            sends it in parts has all but the odd event accepted.
    """
    try:
        # the parser guarantees valid UTF-8 and finite numbers; NUL is the one oddity it lets through (looked for only
        # where there is a backslash: one byte is found ten times faster)
        return orjson.loads(body), _BACKSLASH in body and b"\\u0000" in body
    except orjson.JSONDecodeError as error:
        if len(body) > MAX_WIRE_BYTES:
            raise _too_much(f"more than {MAX_WIRE_BYTES} bytes, unpacked, and {error}") from error
        return _decode_leniently(body), True


def _decode_leniently(body: bytes) -> Any:
    """Read what strict JSON refuses (NaN, lone surrogates, broken UTF-8, extreme depth).

    One such value in one event must not cost its neighbours: they are told apart later, event by event.
    """
    text = body.decode("utf-8-sig", errors="replace")
    try:
        with contextlib.suppress(RecursionError):
            _read(text)  # what is no JSON at all is told at C's speed, at the first wrong character
        return _read(_flatten(text))
    except (ValueError, RecursionError) as error:
        raise BadRequest(
            "invalid_json", f"The body is not JSON: {str(error)[:200]}.", "Send a JSON object or list, UTF-8."
        ) from error


def _too_much(what: str) -> TooLarge:
    return TooLarge(
        "body_too_large",
        f"The body is not strict JSON, and too large to be read otherwise: {what}.",
        "Send fewer events in each request.",
    )


def _read(text: str) -> Any:
    """Return the JSON's value. Errors: ValueError, RecursionError, TooLarge."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # more digits than Python reads
        left = iter(range(_MAX_INTEGERS))

        def read_integer(digits: str) -> int | float:
            if next(left, None) is None:
                raise _too_much("too many numbers") from None
            return int(digits) if len(digits) <= _MAX_DIGITS else float(digits)  # infinite, as 1e400 is

        return json.loads(text, parse_int=read_integer)


def _flatten(text: str) -> str:
    """Return the text with everything nested deeper than the parsers can read replaced by null.

    Errors: TooLarge for more brackets than any events have: looking at each would take longer than a valid body.
    """
    parts: list[str] = []
    depth = start = 0
    for number, found in enumerate(_BRACKETS.finditer(text)):
        if number > _MAX_BRACKETS:
            raise _too_much("too many brackets")
        first, end = found.span(1)
        if first < 0:  # the text's end
            break
        before = depth
        if text[first] in "[{":
            depth += end - first
            if before < _PARSER_DEPTH <= depth:
                parts.append(text[start : first + _PARSER_DEPTH - before - 1])
        else:
            depth -= end - first
            if depth < _PARSER_DEPTH <= before:
                parts.append("null")
                start = first + before - _PARSER_DEPTH + 1
    return "".join(parts) + text[start:] if parts else text


def encode_original(value: Any) -> bytes:
    """Return a rejected value as JSON, for keeping; at most MAX_KEPT_PAYLOAD_BYTES, cut at the end."""
    try:
        encoded = orjson.dumps(value)
    except TypeError:
        # lone surrogates and integers beyond 64 bits, which only the lenient reader lets in; and great depth
        encoded = json.dumps(_shallow(value, _PARSER_DEPTH)).encode()
    return encoded[:MAX_KEPT_PAYLOAD_BYTES]


def _shallow(value: Any, depth: int) -> Any:
    """Return the value with everything nested deeper replaced by null."""
    if isinstance(value, dict):
        return {name: _shallow(item, depth - 1) for name, item in value.items()} if depth else None
    if isinstance(value, list):
        return [_shallow(item, depth - 1) for item in value] if depth else None
    return value


def read_instant(value: Any) -> int | None:
    """Return an instant as milliseconds since the epoch, or None when the value tells none.

    Shape:  RFC 3339 text (without an offset: UTC), or a number: seconds, from 10^11 on milliseconds. What lies before
            FIRST_MS or after LAST_MS is none: an offset can move a text there, and nobody could write it again.
    """
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            return None
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        return _within((found - _EPOCH) // _MILLISECOND)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - NaN
        return None
    return _within(value if abs(value) >= _MS_FROM else value * 1000)


def _within(ms: float) -> int | None:
    return int(ms) if FIRST_MS <= ms <= LAST_MS else None


def write_instant(ms: int) -> str:
    """Return an instant as RFC 3339 in UTC with milliseconds.

    Shape:  an instant that RFC 3339 cannot say, as stores may hold of earlier versions, is told as the nearest it can.
    """
    ms = min(max(ms, FIRST_MS), LAST_MS)
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
