"""Is it alive, is it ready, what are its numbers: for load balancers, Prometheus and people."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from server import __version__
from server.web.answers import JsonAnswer
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
    registry.register(_Numbers(parts_of(request)))
    body = await run_in_threadpool(generate_latest, registry)
    return Response(body, headers={"content-type": CONTENT_TYPE_LATEST})


def check_parts(parts: Parts) -> dict[str, str | None]:
    """Return what is wrong with each part, None where nothing is."""
    checks: dict[str, str | None] = {
        "queue": parts.queue.last_error,
        "disk": _disk_problem(parts.settings.data_dir),
    }
    if parts.writer is not None:
        checks["store"] = parts.writer.state.last_error
    return checks


def _disk_problem(folder: Path) -> str | None:
    free_bytes = shutil.disk_usage(folder).free
    return None if free_bytes >= MIN_FREE_BYTES else f"only {free_bytes} bytes free"


class _Numbers(Collector):
    """Turns the parts' plain counters into metrics when asked, so that counting costs the hot path nothing."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def describe(self) -> list[Metric]:
        """Tell nothing in advance: collecting is cheap enough."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        yield from self._events()
        yield from self._queue_and_store()

    def _events(self) -> Iterator[Metric]:
        accounts = self._parts.accounts
        received = accounts.received
        yield _counter("footfall_events_received", "Events with a final verdict.", received)
        yield _counter("footfall_events_accepted", "Events accepted: on disk before the answer.", accounts.accepted)
        yield _counter("footfall_events_duplicate", "Events that were there already.", accounts.duplicate)
        rejected = CounterMetricFamily("footfall_events_rejected", "Events rejected, by code.", labels=["code"])
        for code, count in sorted(accounts.rejected.items()):
            rejected.add_metric([code], count)
        yield rejected
        corrected = CounterMetricFamily("footfall_corrections", "Corrections to accepted events.", labels=["code"])
        for code, count in sorted(accounts.corrected.items()):
            corrected.add_metric([code], count)
        yield corrected
        refused = CounterMetricFamily("footfall_requests_refused", "Ingest requests refused whole.", labels=["code"])
        for code, count in sorted(accounts.refused_requests.items()):
            refused.add_metric([code], count)
        yield refused

    def _queue_and_store(self) -> Iterator[Metric]:
        queue, writer, store = self._parts.queue, self._parts.writer, self._parts.store
        yield _counter("footfall_queue_commits", "Group commits of the queue.", queue.commits)
        yield _gauge("footfall_queue_waiting", "Accepted events not yet in the store.", queue.waiting())
        yield _gauge("footfall_disk_free_bytes", "Free on the data folder's disk.", _free(self._parts))
        if writer is not None:
            yield _counter("footfall_events_stored", "Events moved into the store.", writer.state.stored)
            yield _counter("footfall_events_set_aside", "Events the store refused.", writer.state.set_aside)
        if store is not None:
            yield _gauge("footfall_store_bytes", "Size of the store on disk.", store.size_bytes())


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _free(parts: Parts) -> int:
    return shutil.disk_usage(parts.settings.data_dir).free
