"""`GET /api/catalogue` and `/openapi.json`: what can be sent and asked, for programs."""

from starlette.requests import Request
from starlette.responses import Response

from server.events.schema import catalogue_json
from server.web.answers import JsonAnswer
from server.web.openapi import openapi_document
from server.web.queries import parts_of

ONE_HOUR = "public, max-age=3600"


async def get_catalogue(request: Request) -> Response:
    """Return the system events as JSON Schema, titles in English and Russian."""
    headers = {"cache-control": ONE_HOUR, "access-control-allow-origin": "*"}
    return JsonAnswer(catalogue_json(parts_of(request).catalogue), headers=headers)


async def get_openapi(request: Request) -> Response:
    """Return the API's description."""
    return JsonAnswer(openapi_document(request.scope.get("root_path", "")), headers={"cache-control": ONE_HOUR})
