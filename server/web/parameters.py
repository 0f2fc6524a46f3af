"""A misspelt parameter is an error: left out silently, it would answer another question, or store what was to be tried.

What each path of the API takes is what `/openapi.json` says of it. Called by routes.
"""

from collections.abc import Awaitable, Callable
from functools import cache, wraps

from starlette.requests import Request
from starlette.responses import Response

from server.errors import BadRequest
from server.web.openapi import openapi_document
from server.web.users import PROPERTY_PREFIX

Endpoint = Callable[[Request], Awaitable[Response]]

_PREFIXES = {("/api/users", "GET"): (PROPERTY_PREFIX,)}  # families of names, which OpenAPI cannot describe
_MAX_SHOWN_CHARS = 64


@cache
def known_parameters(path: str, method: str) -> tuple[str, ...]:
    """Return the query's parameters of an operation, as `/openapi.json` has them. Errors: KeyError for none of its."""
    operation = openapi_document("")["paths"][path][method.lower()]
    return tuple(each["name"] for each in operation.get("parameters", ()) if each["in"] == "query")


def checked(path: str, endpoint: Endpoint, method: str) -> Endpoint:
    """Return an endpoint that refuses parameters it does not know. Errors: BadRequest, in what is returned."""
    known = known_parameters(path, method)
    prefixes = _PREFIXES.get((path, method), ())
    told = [*known, *(f"{prefix}<name>" for prefix in prefixes)]
    hint = f"Known here: {', '.join(told)}." if told else "This path takes no parameters."

    @wraps(endpoint)
    async def check_and_answer(request: Request) -> Response:
        for name in request.query_params:
            if name not in known and not name.startswith(prefixes):
                raise BadRequest("unknown_parameter", f"There is no parameter {name[:_MAX_SHOWN_CHARS]!r} here.", hint)
        return await endpoint(request)

    return check_and_answer
