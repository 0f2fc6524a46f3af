"""Where the next page of a list begins: the place of the last row in the order, as a text for this API alone."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import orjson

from server.errors import BadRequest


def write_cursor(place: Sequence[Any]) -> str:
    """Return the cursor of a place. Shape: place has JSON values."""
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def read_cursor(cursor: str, length: int) -> list[Any]:
    """Return a place of so many values, whatever they are. Errors: BadRequest."""
    try:
        place = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, binascii.Error) as error:
        raise bad_cursor() from error
    if not isinstance(place, list) or len(place) != length:
        raise bad_cursor()
    return place


def bad_cursor() -> BadRequest:
    """Return the error of a cursor that this API did not make."""
    return BadRequest("bad_cursor", "cursor is not one of this API's.", "Use `next` of an earlier answer as it is.")
