"""`GET /api/stats`: counts by dimensions."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from server.errors import BadRequest
from server.events.wire import write_instant
from server.reports.stats import count_events
from server.web.answers import JsonAnswer
from server.web.queries import read_filter, read_limit, read_names, store_of

DEFAULT_LIMIT = 100
MAX_LIMIT = 10_000


async def get_stats(request: Request) -> Response:
    """Return rows of dimensions and metrics; events of bots only with `bots=include`."""
    query = request.query_params
    bots = query.get("bots", "")
    if bots not in {"", "include"}:
        raise BadRequest("bad_bots", "bots is `include`, or left out.")
    wanted = read_filter(request, with_bots=bots == "include")
    metrics = read_names(query, "metrics", "events")
    dimensions = read_names(query, "dimensions", "")
    limit = read_limit(query, DEFAULT_LIMIT, MAX_LIMIT)
    rows = await run_in_threadpool(count_events, store_of(request), wanted, metrics, dimensions, limit)
    return JsonAnswer(
        {
            "since": None if wanted.since_ms is None else write_instant(wanted.since_ms),
            "until": None if wanted.until_ms is None else write_instant(wanted.until_ms),
            "metrics": metrics,
            "dimensions": dimensions,
            "rows": rows,
        }
    )
