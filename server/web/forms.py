"""Parameters of a call, wherever its caller put them: query, form (both kinds) or JSON."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl

from python_multipart import parse_form
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File
from starlette.datastructures import QueryParams

from server.dialects.plain import plain
from server.errors import BadRequest
from server.events.wire import decode

MAX_FIELDS = 1000
_MULTIPART = "multipart/form-data"


def read_parameters(query: QueryParams, content_type: str, body: bytes) -> Mapping[str, Any]:
    """Return the parameters, the body's before the query's; values are texts, of JSON anything. Errors: BadRequest."""
    told: Mapping[str, Any]
    if content_type.startswith(_MULTIPART):
        told = _multipart(content_type, body)
    elif body.lstrip()[:1] in {b"{", b"["}:
        told = plain(decode(body)[0])
        if not isinstance(told, dict):
            raise BadRequest("invalid_body", "The body is no JSON object.")
    else:
        told = _pairs(body.decode("utf-8", "replace"))
    return {**query, **told}


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
