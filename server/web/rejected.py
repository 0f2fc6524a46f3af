"""`GET /api/rejected`: what could not be accepted, with reason and original payload."""

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from server.errors import BadRequest
from server.events.wire import write_instant
from server.web.answers import JsonAnswer
from server.web.queries import parts_of, read_limit

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000


async def get_rejected(request: Request) -> Response:
    """Return rejected events, newest first, and the cursor of the rest."""
    parts = parts_of(request)
    site = parts.auth.readable_site(request)
    limit = read_limit(request.query_params, DEFAULT_LIMIT, MAX_LIMIT)
    cursor = request.query_params.get("cursor")
    if cursor and not (cursor.isascii() and cursor.isdecimal()):
        raise BadRequest("bad_cursor", "cursor is not one of this API's.", "Use `next` of an earlier answer as it is.")
    before = int(cursor) if cursor else None
    rows = await run_in_threadpool(parts.queue.list_rejected, limit + 1, before, site)
    following = str(rows[limit - 1]["seq"]) if len(rows) > limit else None
    return JsonAnswer({"rejected": [_told(row) for row in rows[:limit]], "next": following})


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["event_id"],
        "received_at": write_instant(row["received_at"]),
        "site": row["site"],
        "source": row["source"],
        "code": row["code"],
        "message": row["message"],
        "payload": row["payload"].decode(errors="replace"),
    }
