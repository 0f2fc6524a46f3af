"""How the server answers: JSON, errors, and the headers that let a page on another site read them."""

from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response

from server.errors import FootfallError

Headers = dict[str, str]


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
