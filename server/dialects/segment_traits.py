"""Segment's traits as operations on the user's properties.

name, email, phone   $name, $email, $phone; firstName and lastName make a $name where there is none
null                 removes the property
an object            one property for each of its values, with a dot: address.city
all others           set as they are; objects in lists become JSON text
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from server.events.wire import MAX_DEPTH, MAX_PROPERTY_NAME_LENGTH

_KNOWN = {"name": "$name", "email": "$email", "phone": "$phone"}
_FIRST_NAMES = ("firstName", "first_name", "firstname")
_LAST_NAMES = ("lastName", "last_name", "lastname")

Operation = dict[str, Any]


def operations_of(traits: Mapping[str, Any]) -> list[Operation]:
    """Return the operations, in the traits' order. Shape: see `server/identity/properties.py`."""
    operations = [_operation(_KNOWN.get(key, key), value) for key, value in _flat(traits, "", MAX_DEPTH)]
    if not traits.get("name") and "$name" not in traits and (name := _full_name(traits)):
        operations.append(_operation("$name", name))
    return operations


def _operation(key: str, value: Any) -> Operation:
    if value is None:
        return {"op": "delete", "key": key}
    return {"op": "update_or_create", "key": key, "value": value}


def _flat(values: Mapping[str, Any], beginning: str, depth: int) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        # longer ones are refused as keys, and may be repeated a million times
        key = (beginning + name)[: MAX_PROPERTY_NAME_LENGTH + 1]
        if isinstance(value, Mapping) and depth > 1:
            yield from _flat(value, key + ".", depth - 1)
        elif isinstance(value, Mapping):
            yield key, _text(value)
        elif isinstance(value, list):
            yield key, [_text(each) if isinstance(each, Mapping | list) else each for each in value]
        elif value != "":
            yield key, value


def _text(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # what only a lenient reader lets in: lone surrogates, integers beyond 64 bits, great depth
        return "…"


def _full_name(traits: Mapping[str, Any]) -> str:
    parts = (next((traits[name] for name in names if traits.get(name)), "") for names in (_FIRST_NAMES, _LAST_NAMES))
    return " ".join(part.strip() for part in parts if isinstance(part, str)).strip()
