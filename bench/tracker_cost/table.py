"""From what was measured to the table in docs/performance.md."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime

from bench.report import PAGE, processor
from bench.tracker_cost.measure import NORMAL, QUEUE_SIZES, SLOWED, Plan, Results, calls_name

BEGIN, END = "<!-- tracker-cost:begin -->", "<!-- tracker-cost:end -->"
START_BUDGET_MS = 3.0
CALL_BUDGET_MS = 0.5
LONG_MS = 50
_KB = 1000


def create_report(results: Results, plan: Plan, browser_version: str) -> str:
    """Return the report as Markdown."""
    load = os.getloadavg()[0]
    machine = f"{processor()}, {os.cpu_count()} cores, Chromium {browser_version}"
    lines = [
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {machine}, load {load:.1f}: {_trust(load)}.",
        f"{plan.loads} loads, {plan.calls:,} calls, {plan.moves} moves; processor milliseconds of the main thread.",
        "",
        "| What | p50 | p99 | min … max | slowed to a quarter: p50 | p99 | min … max | budget | |",
        "|---|---|---|---|---|---|---|---|---|",
        *_time_rows(results),
        "",
        "| What | figure | budget | |",
        "|---|---|---|---|",
        *_count_rows(results, plan),
    ]
    return "\n".join(lines)


def write_page(report: str) -> None:
    """Replace what stands between the page's marks. Errors: ValueError when the marks are gone."""
    text = PAGE.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise ValueError(f"{PAGE.name} has lost its marks {BEGIN} and {END}")
    head, rest = text.split(BEGIN, 1)
    PAGE.write_text(f"{head}{BEGIN}\n{report}\n{END}{rest.split(END, 1)[1]}", encoding="utf-8")


def _trust(load: float) -> str:
    if load > (os.cpu_count() or 1):
        return "**a busy machine, slowed down unevenly: trust the unslowed times only**"
    return "a quiet machine"


def _time_rows(results: Results) -> list[str]:
    calls = {calls_name(size) for size in QUEUE_SIZES}
    rows = []
    for name in dict.fromkeys(name for name, _ in results.times):
        slowed = results.times[name, SLOWED]
        budget = verdict = ""
        if name == "start":
            budget, verdict = f"p50 ≤ {START_BUDGET_MS:g}", _verdict(_percentile(slowed, 0.5) <= START_BUDGET_MS)
        elif name in calls:
            budget, verdict = f"p99 ≤ {CALL_BUDGET_MS:g}", _verdict(_percentile(slowed, 0.99) <= CALL_BUDGET_MS)
        cells = [name, *_spread(results.times[name, NORMAL]), *_spread(slowed), budget, verdict]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _count_rows(results: Results, plan: Plan) -> list[str]:
    long_tasks = sum(each >= LONG_MS for each in results.long_frames)
    longest = max(results.long_frames, default=0.0)
    rows = [
        (
            f"its share of slowed long frames: {LONG_MS} ms or more",
            f"{long_tasks}, longest {longest:.0f} ms",
            0,
            long_tasks,
        ),
        ("layouts for which it waits", f"{results.forced_layouts}", 0, results.forced_layouts),
        (f"tasks in {plan.idle_s:g} idle seconds", f"{results.idle_runs}", 0, results.idle_runs),
        (f"timers set in {plan.idle_s:g} idle seconds", f"{results.idle_timers}", 0, results.idle_timers),
    ]
    counted = [
        f"| {what} | {figure} | {budget} | {_verdict(value <= budget)} |" for what, figure, budget, value in rows
    ]
    return [
        *counted,
        f"| memory kept, without plugins | {results.heap_bytes / _KB:.0f} kB | | |",
        f"| … more after {plan.calls:,} calls, all of them sent | {results.growth_bytes / _KB:.0f} kB | | |",
    ]


def _spread(values: Sequence[float]) -> list[str]:
    if not values:
        return ["none", "", ""]
    p50, p99 = _percentile(values, 0.5), _percentile(values, 0.99)
    return [f"{p50:.3f}", f"{p99:.3f}", f"{min(values):.3f} … {max(values):.3f}"]


def _percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def _verdict(is_met: bool) -> str:  # noqa: FBT001 - asked as is
    return "met" if is_met else "**missed**"
