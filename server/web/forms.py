"""Parameters of a call, wherever its caller put them: query, form (both kinds) or JSON."""

import re
from collections.abc import Iterator, Mapping
from io import BytesIO
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import orjson
from python_multipart import parse_form
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File
from starlette.datastructures import QueryParams

from server.dialects.plain import plain
from server.errors import BadRequest
from server.events.wire import decode

MAX_FIELDS = 1000
_MULTIPART = "multipart/form-data"

_MOST_PLACES, _MOST_BYTES = 100, 4096  # of what is looked at by find_values, whatever the body is like
_OF_PART = re.compile(rb'"?[^\r\n]*+\r?\n(?:[^\r\n]++\r?\n)*+\r?\n([^\r\n]*+)')
_OF_JSON = re.compile(rb'"\s*+:\s*+("(?:[^"\\]++|\\.)*+")')
_OF_PAIR = re.compile(rb"=([^&]*+)")


def read_parameters(query: QueryParams, content_type: str, body: bytes) -> Mapping[str, Any]:
    """Return the parameters, the body's before the query's; values are texts, of JSON anything. Errors: BadRequest."""
    told: Mapping[str, Any]
    if content_type.startswith(_MULTIPART):
        told = _multipart(content_type, body)
    elif _is_json(body):
        told = plain(decode(body)[0])
        if not isinstance(told, dict):
            raise BadRequest("invalid_body", "The body is no JSON object.")
    else:
        told = _pairs(body.decode("utf-8", "replace"))
    return {**query, **told}


def find_values(name: str, content_type: str, body: bytes) -> Iterator[str]:
    """Yield the texts that a body may hold under a name, without reading it: that can take fifty times its size.

    Shape:  some may stand elsewhere than at the top. Whoever hides theirs behind a hundred others, or escapes the
            name, is not found.
    """
    pattern = _OF_PART if content_type.startswith(_MULTIPART) else _OF_JSON if _is_json(body) else _OF_PAIR
    for place in islice(re.finditer(re.escape(name.encode()), body), _MOST_PLACES):
        found = pattern.match(body, place.end(), place.end() + _MOST_BYTES)
        if found is None:
            continue
        if pattern is _OF_PART:
            yield found[1].decode("utf-8", "replace")
        elif pattern is _OF_PAIR:
            yield unquote_plus(found[1].decode("utf-8", "replace"))
        else:
            try:
                yield orjson.loads(found[1])
            except orjson.JSONDecodeError:
                continue


def _is_json(body: bytes) -> bool:
    return re.match(rb"\s*+[{\[]", body) is not None


def _pairs(text: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise BadRequest("too_many_fields", f"A form has at most {MAX_FIELDS} fields.") from error


def _multipart(content_type: str, body: bytes) -> dict[str, str]:
    """Return the fields of a form as curl and PHP send them; files are left out."""
    found: dict[str, str] = {}

    def keep(field: Field) -> None:
        if field.field_name is not None and len(found) < MAX_FIELDS:
            found[field.field_name.decode("utf-8", "replace")] = (field.value or b"").decode("utf-8", "replace")

    def leave_out(file: File) -> None:
        file.close()

    headers = {"Content-Type": content_type.encode("latin-1", "replace")}
    try:
        parse_form(headers, BytesIO(body), keep, leave_out)
    except FormParserError as error:
        raise BadRequest("invalid_form", "The form cannot be read.") from error
    return found
