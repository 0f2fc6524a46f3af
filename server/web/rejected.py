"""`/api/rejected`: what could not be accepted, with reason and original payload, and its replay after a fix."""

from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from server.errors import BadRequest, Forbidden
from server.events.wire import read_instant, write_instant
from server.ingest.rejected import RejectedFilter
from server.ingest.replay import Replayer
from server.ingest.replay_context import whom_of
from server.web.answers import JsonAnswer
from server.web.outside import find_foreign_form
from server.web.parts import Parts
from server.web.queries import parts_of, read_limit, read_position, read_time, require_paid
from server.web.requests import read_json

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
_CHOICES = {"ids", "code", "site", "since", "until", "all", "dry_run", "cursor"}


async def get_rejected(request: Request) -> Response:
    """Return rejected events, newest first, and the cursor of the rest."""
    parts = parts_of(request)
    query = request.query_params
    wanted = RejectedFilter(
        site=_site(parts, request, query.get("site")),
        code=query.get("code") or None,
        since_ms=read_time(query, "since"),
        until_ms=read_time(query, "until"),
        before=_cursor(query.get("cursor")),
    )
    limit = read_limit(query, DEFAULT_LIMIT, MAX_LIMIT)
    require_paid(parts)
    rows = await run_in_threadpool(parts.queue.list_rejected, wanted, limit + 1)
    return JsonAnswer({"rejected": [_told(row) for row in rows[:limit]], "next": _next(rows, limit)})


async def post_replay(request: Request) -> Response:
    """Have rejected events go through the pipeline again, up to MAX_LIMIT of them, newest first.

    Errors: Forbidden for another site's page, where the dashboard's cookie comes along with whatever a browser sends.
    """
    parts = parts_of(request)
    if parts.auth.is_dashboard(request) and (foreign := find_foreign_form(request, parts.settings)):
        raise Forbidden("foreign_origin", foreign.reason, foreign.cure)
    own_site = _site(parts, request, None)
    chosen = await read_json(request)
    if not isinstance(chosen, dict) or not set(chosen) <= _CHOICES:
        raise BadRequest("invalid_choice", f"The body is a JSON object of {', '.join(sorted(_CHOICES))}.")
    for name in ("all", "dry_run"):
        if type(chosen.get(name, False)) is not bool:
            raise BadRequest(f"bad_{name}", f"{name} is true or false.")
    if not chosen.get("all") and not set(chosen) - {"all", "dry_run", "cursor"}:
        raise BadRequest(
            "nothing_chosen", "Nothing was chosen.", hint='Name ids, code, site, since or until, or "all": true.'
        )
    site = _site(parts, request, chosen.get("site")) if "site" in chosen else own_site
    rows = await run_in_threadpool(parts.queue.list_rejected, _wanted(chosen, site), MAX_LIMIT + 1)
    replayer = Replayer(pipeline=parts.receiver.pipeline, queue=parts.queue, sites=parts.sites)
    done = await replayer.replay(rows[:MAX_LIMIT], is_dry=chosen.get("dry_run") is True)
    return JsonAnswer(
        {
            "accepted": done.accepted,
            "duplicate": done.duplicate,
            "rejected": done.remaining,
            "dry_run": chosen.get("dry_run") is True,
            "next": _next(rows, MAX_LIMIT),
        }
    )


def _wanted(chosen: Mapping[str, Any], site: str | None) -> RejectedFilter:
    ids = chosen.get("ids")
    if ids is not None and not (isinstance(ids, list) and len(ids) <= MAX_LIMIT and all(_is_id(each) for each in ids)):
        raise BadRequest("bad_ids", f"ids is a list of at most {MAX_LIMIT} ids: rejected_id or the event's own id.")
    code = chosen.get("code")
    if code is not None and not isinstance(code, str):
        raise BadRequest("bad_code", "code is a text.")
    return RejectedFilter(
        site=site,
        code=code,
        ids=ids,
        since_ms=_instant(chosen, "since"),
        until_ms=_instant(chosen, "until"),
        before=_cursor(chosen.get("cursor")),
    )


def _is_id(value: Any) -> bool:
    return isinstance(value, str) or (type(value) is int and 0 <= value < 2**63)


def _instant(chosen: Mapping[str, Any], name: str) -> int | None:
    if chosen.get(name) is None:
        return None
    found = read_instant(chosen[name])
    if found is None:
        raise BadRequest(f"bad_{name}", f"{name} is no instant.", "Use RFC 3339, for example 2026-11-23T14:00:00Z.")
    return found


def _site(parts: Parts, request: Request, named: Any) -> str | None:
    own_site = parts.auth.readable_site(request)
    if not named or named == own_site:
        return own_site
    if own_site is not None or not isinstance(named, str):
        raise BadRequest("other_site", f"This key reads the site {own_site!r} only.", "Leave `site` out.")
    return named


def _cursor(cursor: Any) -> int | None:
    if not cursor:
        return None
    return read_position(cursor if isinstance(cursor, str) else "none")


def _next(rows: list[dict[str, Any]], limit: int) -> str | None:
    return str(rows[limit - 1]["seq"]) if len(rows) > limit else None


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "rejected_id": row["seq"],
        "id": row["event_id"],
        "received_at": write_instant(row["received_at"]),
        "site": row["site"],
        "source": row["source"],
        "code": row["code"],
        "message": row["message"],
        "payload": row["payload"].decode(errors="replace"),
        **whom_of(row["context"]),
    }
