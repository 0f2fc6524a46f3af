"""Is it alive, is it ready, what are its numbers: for load balancers, Prometheus and people."""

import shutil
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from server import __version__
from server.web.answers import JsonAnswer
from server.web.numbers import Numbers
from server.web.parts import Parts
from server.web.queries import parts_of

MIN_FREE_BYTES = 64 * 1024 * 1024


async def get_live(_: Request) -> Response:
    """Answer that the process runs."""
    return JsonAnswer({"status": "ok", "version": __version__})


async def get_ready(request: Request) -> Response:
    """Answer whether events can be accepted and answered for: queue, store and disk, each by name."""
    checks = await run_in_threadpool(check_parts, parts_of(request))
    is_ready = all(problem is None for problem in checks.values())
    told = {name: "ok" if problem is None else problem for name, problem in checks.items()}
    status = "ok" if is_ready else "unavailable"
    return JsonAnswer({"status": status, "checks": told}, status_code=200 if is_ready else 503)


async def get_metrics(request: Request) -> Response:
    """Return the numbers in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(Numbers(parts_of(request)))
    body = await run_in_threadpool(generate_latest, registry)
    return Response(body, headers={"content-type": CONTENT_TYPE_LATEST})


def check_parts(parts: Parts) -> dict[str, str | None]:
    """Return what is wrong with each part, None where nothing is."""
    is_stopping = parts.stopping.is_set() or (parts.shares is not None and parts.shares.is_stopping())
    checks: dict[str, str | None] = {
        "server": "it is stopping" if is_stopping else None,
        "queue": parts.queue.last_error,
        "disk": _disk_problem(parts.settings.data_dir),
    }
    if parts.shares is not None:
        errors = [told["error"] for told in parts.shares.tallies.read_all() if told["error"]]
        checks["queue"] = checks["queue"] or next(iter(errors), None)
    if parts.writer is not None:
        checks["store"] = parts.writer.state.last_error
    return checks


def _disk_problem(folder: Path) -> str | None:
    try:
        free_bytes = shutil.disk_usage(folder).free
    except OSError as error:
        return str(error)
    return None if free_bytes >= MIN_FREE_BYTES else f"only {free_bytes} bytes free"
