"""From results to the table that people read, and into the page that keeps it."""

import gzip
import os
import platform
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.chart import bar_chart
from bench.contestants import FOOTFALL
from bench.measure import CONNECTIONS, Plan, Results
from bench.table import Row, at_least, at_most, figure, markdown, milliseconds

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
CHART = ROOT / "docs" / "performance.svg"
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
MB = 1_000_000
QUIET = 0.1
_STATIC = ROOT / "server" / "web" / "static"


def create_report(results: Results, plan: Plan, notes: Sequence[str]) -> str:
    """Return the whole report as Markdown."""
    others = results.disturbances
    load = max(block.busy_share for block in results.singles["bare"])
    verdict = "a quiet machine" if median(others) <= QUIET else "trust only what is by processor time"
    machine = f"{processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"
    lines = [
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {machine}, Python {platform.python_version()}.",
        f"{plan.rounds} rounds of {plan.block_s:g} s for each server, in changing order, {CONNECTIONS} connections.",
        f"The load generator was busy at most {load:.0%} of the time, even against the bare stack.",
        f"Others took {median(others):.0%} of the server's core, {max(others):.0%} at most: {verdict}.",
        *notes,
        "",
        *markdown(("Ratio", "median", "min … max", "budget", "", "by processor time"), _ratios(results)),
        "",
        *markdown(("Figure", "median", "min … max", "budget", ""), _figures(results)),
        "",
        *markdown(("Variant", "requests/s", "min … max", "processor µs per request"), _variants(results)),
        "",
        *markdown(("Connections", "requests/s", "min … max", "acknowledgement p50"), _sweep(results)),
    ]
    return "\n".join(lines)


def write_page(report: str, begin: str = BEGIN, end: str = END) -> None:
    """Replace what stands between two of the page's marks. Errors: ValueError when they are gone."""
    text = PAGE.read_text(encoding="utf-8")
    if begin not in text or end not in text:
        raise ValueError(f"{PAGE.name} has lost its marks {begin} and {end}")
    head, rest = text.split(begin, 1)
    PAGE.write_text(f"{head}{begin}\n{report}\n{end}{rest.split(end, 1)[1]}", encoding="utf-8")


def write_chart(results: Results) -> None:
    """Draw what a request costs each variant."""
    rows = [(name, median(costs) * 1e6) for name, costs in results.cpu_s.items()]
    title = "Processor time for one request of one event"
    CHART.write_text(bar_chart(title, sorted(rows, key=lambda row: row[1]), "µs"), encoding="utf-8")


def _ratios(results: Results) -> list[Row]:
    own = [block.requests_per_s for block in results.singles[FOOTFALL]]

    def over(what: str, name: str, limit: float) -> Row:
        values = _quotients(own, [block.requests_per_s for block in results.singles[name]])
        costs = _quotients(results.cpu_s[name], results.cpu_s[FOOTFALL])
        return replace(at_least(what, values, limit), by_processor_time=f"{median(costs):.2f}")

    batches = _quotients([block.events_per_s for block in results.batches], own)
    batches_by_cpu = median(_quotients(results.cpu_s[FOOTFALL], results.batches_cpu_s))
    fastest_s = median(results.fdatasync_s) + median(block.latency_s(0.5) for block in results.half_load["bare"])
    slowest = [block.latency_s(0.99) / fastest_s for block in results.half_load[FOOTFALL]]
    return [
        over("durable single events ÷ the bare HTTP stack", "bare", 0.3),
        over("… ÷ the same pipeline, discarding at the end", "discarding", 0.7),
        over("… ÷ acknowledging from memory, written every 10 s", "memory", 0.85),
        over("… ÷ one transaction for each request", "one-by-one", 3),
        replace(
            at_least("events/s in batches of 100 ÷ single events/s", batches, 8),
            by_processor_time=f"{batches_by_cpu:.2f}",
        ),
        at_most("enrichment's share of a request's processor time", _enrichment_shares(results), 0.25),
        at_most("p99 at half load ÷ (p50 of fdatasync + p50 of the bare stack)", slowest, 3),
    ]


def _enrichment_shares(results: Results) -> list[float]:
    rounds = zip(results.cpu_s["discarding"], results.cpu_s["unenriched"], results.cpu_s[FOOTFALL], strict=True)
    return [(whole - without) / footfall for whole, without, footfall in rounds]


def _figures(results: Results) -> list[Row]:
    own = results.singles[FOOTFALL]
    half = results.half_load[FOOTFALL]
    bare = results.half_load["bare"]
    waits = sorted(results.fdatasync_s)
    idle_mb, loaded_mb = results.idle_bytes / MB, results.loaded_bytes / MB
    return [
        figure("events/s, batches of 100", [block.events_per_s for block in results.batches], "{:,.0f}"),
        figure("processor µs per event, batches of 100", [each * 1e6 for each in results.batches_cpu_s], "{:.0f}"),
        figure(
            "requests/s, single events packed with gzip", [each.requests_per_s for each in results.packed], "{:,.0f}"
        ),
        figure("processor µs per request, packed", [each * 1e6 for each in results.packed_cpu_s], "{:.0f}"),
        milliseconds("acknowledgement p50, full load", [block.latency_s(0.5) for block in own]),
        milliseconds("acknowledgement p99, full load", [block.latency_s(0.99) for block in own]),
        milliseconds(
            f"acknowledgement p50, half load ({results.half_load_rate:,.0f}/s)", [each.latency_s(0.5) for each in half]
        ),
        milliseconds("acknowledgement p99, half load", [each.latency_s(0.99) for each in half]),
        milliseconds("bare stack p50, same rate", [each.latency_s(0.5) for each in bare]),
        milliseconds("bare stack p99, same rate", [each.latency_s(0.99) for each in bare]),
        milliseconds("fdatasync of one appended page, p50", [waits[len(waits) // 2]]),
        milliseconds("fdatasync of one appended page, p99", [waits[len(waits) * 99 // 100]]),
        Row("memory at rest", f"{idle_mb:.0f} MB", "", "≤ 120 MB", idle_mb <= 120),
        Row("memory under load", f"{loaded_mb:.0f} MB", "", "≤ 400 MB", loaded_mb <= 400),
        *_bundles(),
    ]


def _bundles() -> list[Row]:
    tracker, stub = (
        len(gzip.compress((_STATIC / name).read_bytes(), 9, mtime=0)) for name in ("tracker.js", "stub.js")
    )
    return [
        Row("tracker.js, gzip -9", f"{tracker:,} bytes", "", "≤ 5,120 bytes", tracker <= 5120),
        Row("inline stub, gzip -9", f"{stub:,} bytes", "", "≤ 350 bytes", stub <= 350),
    ]


def _variants(results: Results) -> list[Row]:
    rows = []
    for name, blocks in sorted(results.singles.items(), key=lambda each: median(results.cpu_s[each[0]])):
        speed = figure(name, [block.requests_per_s for block in blocks], "{:,.0f}")
        cost = figure("", [seconds * 1e6 for seconds in results.cpu_s[name]], "{:.0f}")
        rows.append(Row(name, speed.value, speed.spread, f"{cost.value} ({cost.spread})"))
    return rows


def _sweep(results: Results) -> list[Row]:
    rows = []
    for connections, blocks in results.sweep.items():
        speed = figure(f"{connections}", [block.requests_per_s for block in blocks], "{:,.0f}")
        waits = milliseconds("", [block.latency_s(0.5) for block in blocks])
        rows.append(Row(speed.what, speed.value, speed.spread, waits.value))
    return rows


def _quotients(values: Sequence[float], bases: Sequence[float]) -> list[float]:
    return [value / base for value, base in zip(values, bases, strict=True)]


def processor() -> str:
    """Return what the processor calls itself."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
