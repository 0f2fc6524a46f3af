"""`/api/webhooks/{id}/deliveries`: what waits for a target, what could not be delivered, and sending that again."""

import sqlite3
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from server.errors import BadRequest
from server.outgoing import subscriptions as kept
from server.outgoing.outbox_file import Delivery
from server.web.answers import JsonAnswer
from server.web.queries import parts_of, read_limit, read_position
from server.web.webhooks import change_outbox, find_webhook, read_object, read_outbox, write_optional

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000


async def get_deliveries(request: Request) -> Response:
    """Return what is dead (`state=dead`, the default) or waits (`state=waiting`), the oldest first.

    A page can be megabytes: it is written where it is read, and no other answer waits for it.
    """
    subscription = await find_webhook(request)
    query = request.query_params
    state = query.get("state") or "dead"
    if state not in {"dead", "waiting"}:
        raise BadRequest("bad_state", "state is dead or waiting.")
    after = read_position(query.get("cursor") or "0")
    limit = read_limit(query, DEFAULT_LIMIT, MAX_LIMIT)
    page = kept.Page(after=after, limit=limit, is_dead=state == "dead")

    def answer(database: sqlite3.Connection) -> Response:
        found, following = kept.list_deliveries(database, subscription, page)
        told = [_told(each) for each in found]
        return JsonAnswer({"deliveries": told, "next": None if following is None else str(following)})

    return await read_outbox(request, answer)


async def post_redeliver(request: Request) -> Response:
    """Have dead letters wait again: {"ids": [delivery_id, …]} or {"all": true}. The line is tried at once."""
    subscription = await find_webhook(request)
    body = await read_object(request, {"ids", "all"})
    chosen = body.get("ids")
    if chosen is None and body.get("all") is not True:
        raise BadRequest("nothing_chosen", "Nothing was chosen.", 'Send {"ids": [1, 2]} or {"all": true}.')
    if chosen is not None and not (isinstance(chosen, list) and len(chosen) <= MAX_LIMIT and all(map(_is_id, chosen))):
        raise BadRequest("bad_ids", f"ids is a list of at most {MAX_LIMIT} numbers, each a delivery_id.")
    now = parts_of(request).clock()
    revived = await change_outbox(request, lambda database: kept.revive(database, subscription, chosen, now))
    return JsonAnswer({"redelivered": revived})


def _told(delivery: Delivery) -> dict[str, Any]:
    return {
        "delivery_id": delivery.seq,
        "id": delivery.event_id,
        "name": delivery.name,
        "time": write_optional(delivery.time),
        "queued_at": write_optional(delivery.queued_at),
        "dead_at": write_optional(delivery.dead_at),
        "failures": delivery.failures,
        "status": delivery.status,
        "error": delivery.error,
        "body": delivery.body.decode(errors="replace"),  # it may end in the middle of a character
    }


def _is_id(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63
