"""The walk through one event's properties: limits on size and depth, and oddities that JSON lets in.

On the hot path; called by the pipeline once for each event.
"""

import re
from math import inf, isfinite
from typing import Any

from server.errors import EventRejected
from server.events.wire import (
    MAX_DEPTH,
    MAX_LIST_LENGTH,
    MAX_PROPERTIES,
    MAX_PROPERTY_NAME_LENGTH,
    MAX_SAFE_INTEGER,
    MAX_TEXT_LENGTH,
)
from server.ingest.beacon import Draft

MAX_SHORT_TEXT_LENGTH = 255

_SURROGATE = re.compile("[\ud800-\udfff]")


def clean_text(text: str) -> str:
    """Return the text without what no store can keep: NUL goes, lone surrogates become U+FFFD."""
    return _SURROGATE.sub("\ufffd", text).replace("\x00", "")


def clean_properties(draft: Draft, props: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of the properties within all limits; every change is noted.

    Errors: EventRejected: bad_property_name, too_many_properties, list_too_long, too_deep.
    """
    return _object(draft, props, 1)


def _object(draft: Draft, values: dict[str, Any], depth: int) -> dict[str, Any]:
    if len(values) > MAX_PROPERTIES:
        raise EventRejected("too_many_properties", f"More than {MAX_PROPERTIES} properties.")
    cleaned: dict[str, Any] = {}
    for name, value in values.items():
        if not 0 < len(name) <= MAX_PROPERTY_NAME_LENGTH:
            raise EventRejected(
                "bad_property_name",
                f"A property's name has 1 to {MAX_PROPERTY_NAME_LENGTH} characters: {clean_text(name[:40])!r}.",
            )
        if draft.beacon.is_odd:
            name = clean(draft, "a property's name", name)  # noqa: PLW2901 - the name from here on
            if not name:
                raise EventRejected("bad_property_name", "A property's name is nothing but NUL characters.")
        # most values are short texts without oddities: decided here, without a call
        if type(value) is str and len(value) <= MAX_TEXT_LENGTH and not draft.beacon.is_odd:
            cleaned[name] = value
        else:
            cleaned[name] = _value(draft, name, value, depth)
    return cleaned


def _value(draft: Draft, name: str, value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _text(draft, name, value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return _integer(draft, name, value)
    if isinstance(value, float):
        return _float(draft, name, value)
    if depth == MAX_DEPTH:
        raise EventRejected("too_deep", f"Properties are nested deeper than {MAX_DEPTH}: {name!r}.")
    if isinstance(value, dict):
        return _object(draft, value, depth + 1)
    if len(value) > MAX_LIST_LENGTH:
        raise EventRejected("list_too_long", f"A list has at most {MAX_LIST_LENGTH} items: {name!r}.")
    return [_value(draft, name, item, depth + 1) for item in value]


def _text(draft: Draft, name: str, value: str) -> str:
    if draft.beacon.is_odd:
        value = clean(draft, name, value)
    if len(value) > MAX_TEXT_LENGTH:
        draft.correct("truncated", f"{name}: cut at {MAX_TEXT_LENGTH} characters.")
        return value[:MAX_TEXT_LENGTH]
    return value


def clean(draft: Draft, name: str, value: str) -> str:
    """Return a text without what cannot be stored; a change is noted."""
    cleaned = clean_text(value)
    if cleaned != value:
        draft.correct("invalid_text", f"{name}: characters that cannot be stored were replaced.")
    return cleaned


def _integer(draft: Draft, name: str, value: int) -> int | float | str | None:
    if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        return value
    # JavaScript and JSON numbers are doubles: the digits survive only as text
    if value.bit_length() > MAX_TEXT_LENGTH:  # some 2,466 digits: as infinity
        return _float(draft, name, inf)
    draft.correct("number_as_text", f"{name}: beyond 2^53, kept as text.")
    return str(value)


def _float(draft: Draft, name: str, value: float) -> float | None:
    if isfinite(value):
        return value
    # what JSON.stringify makes of it in a browser
    draft.correct("not_finite", f"{name}: not a finite number, kept as null.")
    return None


def read_short_text(draft: Draft, name: str, value: Any) -> str | None:
    """Return a column's value of at most MAX_SHORT_TEXT_LENGTH characters, see read_text."""
    return read_text(draft, name, value, MAX_SHORT_TEXT_LENGTH)


def read_text(draft: Draft, name: str, value: Any, limit: int = MAX_TEXT_LENGTH) -> str | None:
    """Return a text column's value; empty is None, numbers become text, everything else is noted and left out."""
    if value is None or value == "":
        return None
    if type(value) is str and len(value) <= limit and not draft.beacon.is_odd:  # as nearly all are
        return value
    if not isinstance(value, str | int) or isinstance(value, bool):
        draft.correct("ignored_field", f"{name} is no text and was left out.")
        return None
    text = str(value)
    if len(text) > limit:  # first: what all events of a request share is read again for each of them
        draft.correct("truncated", f"{name}: cut at {limit} characters.")
        text = text[:limit]
    return (clean(draft, name, text) or None) if draft.beacon.is_odd else text
