"""How the server answers: JSON, errors, and the headers that let a page on another site read them."""

from typing import Any

import orjson
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
    told = {"error": {"code": error.code, "message": error.message, "hint": error.hint}}
    all_headers = dict(headers or {})
    if error.retry_after_s is not None:
        all_headers["retry-after"] = str(error.retry_after_s)
    if error.status == 401:  # noqa: PLR2004 - RFC 9110: a 401 names the scheme
        all_headers["www-authenticate"] = 'Bearer realm="footfall"'
    return JsonAnswer(told, status_code=error.status, headers=all_headers)


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
