"""`GET /api/stats`: counts by dimensions; `GET /api/overview`: what the dashboard shows of a period, at once."""

from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from server.events.wire import write_instant
from server.reports.filters import Filter
from server.reports.overview import overview
from server.reports.stats import count_events
from server.web.answers import JsonAnswer
from server.web.queries import read_filter, read_limit, read_names, read_with_bots, store_of, with_person

DEFAULT_LIMIT = 100
MAX_LIMIT = 10_000
DEFAULT_ROWS = 8
MAX_ROWS = 100


async def get_stats(request: Request) -> Response:
    """Return rows of dimensions and metrics; events of bots only with `bots=include`."""
    query = request.query_params
    read = read_filter(request, with_bots=read_with_bots(request))
    wanted = await run_in_threadpool(with_person, request, read)
    metrics = read_names(query, "metrics", "events")
    dimensions = read_names(query, "dimensions", "")
    limit = read_limit(query, DEFAULT_LIMIT, MAX_LIMIT)
    rows = await run_in_threadpool(count_events, store_of(request), wanted, metrics, dimensions, limit)
    return JsonAnswer(
        {
            **_period(wanted),
            "metrics": metrics,
            "dimensions": dimensions,
            "rows": rows,
        }
    )


async def get_overview(request: Request) -> Response:
    """Return totals and cards of counts; events of bots only with `bots=include`, how many they are in any case."""
    query = request.query_params
    wanted = await run_in_threadpool(with_person, request, read_filter(request))
    limit = read_limit(query, DEFAULT_ROWS, MAX_ROWS)
    with_bots = read_with_bots(request)
    found = await run_in_threadpool(partial(overview, store_of(request), wanted, limit, with_bots=with_bots))
    return JsonAnswer({**_period(wanted), **found})


def _period(wanted: Filter) -> dict[str, str | None]:
    return {
        "since": None if wanted.since_ms is None else write_instant(wanted.since_ms),
        "until": None if wanted.until_ms is None else write_instant(wanted.until_ms),
    }
