"""The numbers of `/metrics`: the accounts of one instant, and what each part counts. Called by health."""

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from typing import TypeVar

import duckdb
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from server.errors import Unavailable
from server.ingest.histogram import Histogram
from server.ingest.tally import Tally, tell
from server.outgoing.subscriptions import count_deliveries
from server.web.parts import Parts

F = TypeVar("F", GaugeMetricFamily, CounterMetricFamily)

_NEWEST = "select site, epoch_ms(max(received_at)) from events group by site"


class Numbers(Collector):
    """Turns the parts' plain counters into metrics when asked, so that counting costs the hot path nothing."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._tally = Tally()

    def describe(self) -> list[Metric]:
        """Tell nothing in advance: collecting is cheap enough."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        self._tally = all_tallies(self._parts)
        yield from self._events()
        yield from self._requests()
        yield from self._queue()
        yield from self._store()
        yield from self._webhooks()
        yield from self._sites()

    def _events(self) -> Iterator[Metric]:
        """Yield the accounts: both equations hold in every scrape, because one transaction reads them."""
        counts = self._parts.queue.counts()
        yield _counter("footfall_events_received", "Events with a verdict.", counts.received)
        yield _counter("footfall_events_accepted", "Events accepted: on disk before the answer.", counts.accepted)
        yield _counter("footfall_events_duplicate", "Events that were there already.", counts.duplicate)
        yield _counters("footfall_events_rejected", "Events rejected, by code.", "code", counts.rejected)
        yield _counter("footfall_events_stored", "Accepted events that reached the store.", counts.stored)
        yield _gauge("footfall_queue_waiting", "Accepted events that are not in the store.", counts.waiting)
        yield _gauge("footfall_events_set_aside", "Of those: refused by the store, or damaged.", counts.set_aside)
        yield _counter("footfall_events_erased", "Stored events left out: of somebody erased.", counts.erased)
        yield _counter("footfall_events_replayed", "Rejected events accepted by a replay.", counts.replayed)
        text = "Stored events that people or webhooks could not take."
        yield _counters("footfall_events_untold", text, "follower", counts.untold)
        yield _gauge("footfall_rejected_kept", "Rejected events that can be seen.", counts.rejected_kept)
        yield _counters("footfall_rejected_dropped", "Rejected events dropped, by bound.", "bound", counts.dropped)
        oldest = counts.oldest_received_ms
        age_s = max(0, self._parts.clock() - oldest) / 1000 if oldest is not None else 0
        yield _gauge("footfall_queue_oldest_seconds", "Age of the event that has been waiting longest.", age_s)

    def _requests(self) -> Iterator[Metric]:
        tally = self._tally
        yield _counters("footfall_corrections", "Corrections to accepted events.", "code", tally.corrected)
        refused = tally.refused_requests
        yield _counters("footfall_requests_refused", "Ingest requests refused whole.", "code", refused)
        yield _ignored_notices(tally.ignored_notices)
        yield _counters("footfall_http_answers", "HTTP answers, by status.", "status", tally.answers)

    def _queue(self) -> Iterator[Metric]:
        queue = self._tally
        yield _counter("footfall_queue_commits", "Group commits of the queue.", queue.commits)
        yield _histogram("footfall_queue_commit_seconds", "Group commits, the fsync included.", queue.commit_seconds)
        yield _histogram("footfall_queue_sync_seconds", "The commit proper: write and fsync.", queue.sync_seconds)
        yield _histogram("footfall_queue_commit_events", "Events in each group commit.", queue.commit_events)
        free_bytes = shutil.disk_usage(self._parts.settings.data_dir).free
        yield _gauge("footfall_disk_free_bytes", "Free on the data folder's disk.", free_bytes)

    def _store(self) -> Iterator[Metric]:
        writer, store = self._parts.writer, self._parts.store
        if writer is not None:
            state = writer.state
            yield _histogram("footfall_writer_batch_events", "Events in each batch.", state.batch_events)
            yield _histogram("footfall_writer_batch_seconds", "Time that each batch took.", state.batch_seconds)
            lag_s = (state.lag_ms or 0) / 1000
            yield _gauge("footfall_writer_lag_seconds", "Wait of the last batch's first event.", lag_s)
        if store is not None:
            yield _gauge("footfall_store_bytes", "Size of the store on disk.", store.size_bytes())

    def _webhooks(self) -> Iterator[Metric]:
        outbox = self._parts.outbox
        if outbox is None:
            return
        with outbox.reading() as database:
            counts = count_deliveries(database)
        waiting = _by_webhook(GaugeMetricFamily, "waiting", "Deliveries that wait, or are under way.")
        dead = _by_webhook(GaugeMetricFamily, "dead", "Deliveries that were given up and can be tried again.")
        delivered = _by_webhook(CounterMetricFamily, "delivered", "Deliveries that have arrived.")
        failed = _by_webhook(CounterMetricFamily, "failed", "Attempts that failed.")
        dropped = _by_webhook(CounterMetricFamily, "dropped", "Dead deliveries beyond their bounds.")
        for each in outbox.subscriptions():
            names = [each.site, each.id]
            waiting.add_metric(names, counts.get(each.id, (0, 0))[0])
            dead.add_metric(names, counts.get(each.id, (0, 0))[1])
            delivered.add_metric(names, each.delivered)
            failed.add_metric(names, each.failed)
            dropped.add_metric(names, each.dropped)
        yield from (waiting, dead, delivered, failed, dropped)

    def _sites(self) -> Iterator[Metric]:
        _read_newest(self._parts)
        newest = self._tally.last_received_ms
        for site, received_ms in dict(self._parts.accounts.last_received_ms).items():
            newest[site] = max(received_ms, newest.get(site, 0))
        ages = GaugeMetricFamily("footfall_last_event_age_seconds", "Since a site's last event.", labels=["site"])
        for site, received_ms in sorted(newest.items()):
            ages.add_metric([site], max(0, self._parts.clock() - received_ms) / 1000)
        yield ages


def all_tallies(parts: Parts) -> Tally:
    """Return what this process has counted, and the collectors whose answers it gives."""
    tally = Tally()
    tally.add(tell(parts.accounts, parts.queue))
    for told in parts.shares.tallies.read_all() if parts.shares is not None else ():
        tally.add(told)
    return tally


def _read_newest(parts: Parts) -> None:
    """Have accounts know each site's newest stored event, once: what comes later is noted when it comes."""
    store, known = parts.store, parts.accounts.last_received_ms
    if store is None or parts.accounts.is_store_read:
        return
    with contextlib.suppress(duckdb.Error, Unavailable):  # a store that is away is told by other numbers
        for site, received_ms in store.query(_NEWEST, {}):
            known[site] = max(received_ms, known.get(site, 0))
        parts.accounts.is_store_read = True


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _counters(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, count in sorted(values.items()):
        family.add_metric([key], count)
    return family


def _ignored_notices(counts: Mapping[tuple[str, str], int]) -> Metric:
    text = "What webhooks told that is no event here."
    family = CounterMetricFamily("footfall_hooks_ignored", text, labels=["vendor", "reason"])
    for labels, count in sorted(counts.items()):
        family.add_metric(labels, count)
    return family


def _by_webhook(family: type[F], name: str, text: str) -> F:
    return family(f"footfall_webhook_{name}", text, labels=["site", "webhook"])


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(name, text, buckets=histogram.buckets(), sum_value=histogram.total)
