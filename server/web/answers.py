"""How the server answers: JSON, errors, and the headers that let a page on another site read them."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response

from server.errors import FootfallError

Headers = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerHead:
    """An answer without its body.

    Shape:  pairs are the headers but for the body's length; raw is the same as it goes over the wire, from the status
            line on, so that what many answers have in common is written once.
    """

    status: int
    pairs: tuple[tuple[bytes, bytes], ...]
    raw: bytes


def answer_head(status: int, headers: Headers) -> AnswerHead:
    """Return an answer's head. A value that could break the line is left out: strangers chose it."""
    pairs = tuple(
        (name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items() if value.isprintable()
    )
    lines = b"".join(b"%s: %s\r\n" % pair for pair in pairs)
    return AnswerHead(
        status=status, pairs=pairs, raw=b"HTTP/1.1 %d %s\r\n%s" % (status, HTTPStatus(status).phrase.encode(), lines)
    )


def head_of(answer: Response) -> AnswerHead:
    """Return the head of a finished answer."""
    return answer_head(
        answer.status_code, {name: value for name, value in answer.headers.items() if name != "content-length"}
    )


class JsonAnswer(Response):
    """A JSON answer."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the body's bytes."""
        return orjson.dumps(content)


def error_answer(error: FootfallError, headers: Headers | None = None) -> JsonAnswer:
    """Return the one shape that errors have, everywhere."""
    all_headers = dict(headers or {})
    if error.retry_after_s is not None:
        all_headers["retry-after"] = str(error.retry_after_s)
    if error.status == 401:  # noqa: PLR2004 - RFC 9110: a 401 names the scheme
        all_headers["www-authenticate"] = 'Bearer realm="footfall"'
    return _told(error.status, error.code, error.message, error.hint, all_headers)


def fault_answer(headers: Headers | None = None) -> JsonAnswer:
    """Return the answer to what nobody foresaw; the log has the traceback, strangers get none of it."""
    return _told(500, "internal", "The server has a fault; see its log.", "Send again.", headers)


def http_error_answer(error: HTTPException, path: str) -> JsonAnswer:
    """Return the framework's own errors in the same shape."""
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    return _told(error.status_code, code, error.detail, f"{path}: see /openapi.json.", dict(error.headers or {}))


def _told(status: int, code: str, message: str, hint: str, headers: Headers | None) -> JsonAnswer:
    told = {"error": {"code": code, "message": message, "hint": hint}}
    return JsonAnswer(told, status_code=status, headers=headers)


def cors_headers(origin: str | None) -> Headers:
    """Return what lets the page that sent events read the answer.

    Shape:  the origin itself, never `*`: sendBeacon always sends credentials, and browsers refuse `*` then.
            Retry-After is exposed, because the tracker obeys it.
    """
    if origin is None:
        return {}
    return {
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "Retry-After",
        "vary": "Origin",
    }


def preflight_headers(origin: str | None, requested: str | None) -> Headers:
    """Return the answer's headers to a preflight request."""
    return {
        **cors_headers(origin),
        "access-control-allow-methods": "GET, POST, OPTIONS",
        "access-control-allow-headers": requested or "content-type",
        "access-control-max-age": "86400",
    }
