"""`python -m bench.dashboard`: the dashboard's questions over a large store, idle and while events arrive.

One server takes in real events, is stopped, gets a history (bench/history.py) and is started again. A browser's
requests (bench/browser.py) are timed, first with nothing else to do, then while another process sends at half of
the rate that this server was just found to take at most. `python -m bench` does the same.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.background_load import BackgroundLoad, Sent
from bench.browser import NAMES, Answer, Browser, Question, counts, finding, history, wide_counts, yesterdays
from bench.contestants import FOOTFALL, Contestant, own_folder, start_contestant
from bench.load import run_closed
from bench.measure import CONNECTIONS, warm_up
from bench.report import ROOT, write_page
from bench.store import StoreSize, enlarge_store, fill_store, size_rows
from bench.table import Row, markdown, percentile
from bench.traffic import single_templates

DAYS = 30
PEAK_S = 3.0
PAUSE_S = 0.2
REFRESHES = 3
LIMIT_MS, LIMIT_RATIO = 300.0, 2.0
BEGIN, END = "<!-- dashboard:begin -->", "<!-- dashboard:end -->"
SHARES = (0.5, 0.95)
_PRODUCT_NAME = "$product_viewed"

Tell = Callable[[str], None]
Times = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Scale:
    """How large and how often. Shape: wide is whether the counts are asked over all DAYS as well."""

    events: int
    visits: int
    wide: bool


FULL = Scale(events=10_000_000, visits=10, wide=True)
QUICK = Scale(events=1_000_000, visits=2, wide=False)


@dataclass(slots=True)
class Asked:
    """What was asked. Units: seconds, from when the page asks.

    Shape:  per question a list of all its times. cpu is the server's processor time for a question asked alone, with
            nothing else to do; wide are counts over all days, asked one at a time.
            sent_alone and sent_beside are what the load brought without and with questions.
    """

    events: int
    rate: float
    idle: Times = field(default_factory=lambda: defaultdict(list))
    loaded: Times = field(default_factory=lambda: defaultdict(list))
    cpu: Times = field(default_factory=lambda: defaultdict(list))
    wide_idle: Times = field(default_factory=lambda: defaultdict(list))
    wide_loaded: Times = field(default_factory=lambda: defaultdict(list))
    sent_alone: Sent | None = None
    sent_beside: Sent | None = None
    rss_bytes: int = 0


def main() -> int:
    """Measure, print the table and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.dashboard", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK.events:,} events instead of {FULL.events:,}")
    parser.add_argument("--write", action="store_true", help="write the table into docs/performance.md")
    parser.add_argument("--folder", type=Path, default=ROOT / "data", help="on the disk to measure")
    chosen = parser.parse_args()
    with own_folder(chosen.folder) as folder:
        size, asked = measure_store(folder, QUICK if chosen.quick else FULL, _tell)
    report = create_report(size, asked)
    print(report)
    if chosen.write:
        write_page(report, BEGIN, END)
    return 0


def measure_store(folder: Path, scale: Scale, tell: Tell) -> tuple[StoreSize, Asked]:
    """Return the size of a store of real events, and how fast it answers once it is large. Takes minutes."""
    tell("filling a store")
    size = fill_store(folder)
    tell(f"adding to it, up to {scale.events:,} events")
    events = enlarge_store(folder, scale.events, DAYS)
    footfall = start_contestant(FOOTFALL, folder)
    try:
        return size, _ask(footfall, events, scale, tell)
    finally:
        footfall.server.kill()


def create_report(size: StoreSize, asked: Asked) -> str:
    """Return both tables as Markdown."""
    lines = [
        f"{asked.events:,} events over {DAYS} days; half load is {asked.rate:,.0f} single events a second.",
        "",
        *markdown(("Ratio", "value", "", "budget", ""), [*size_rows(size), *_verdicts(asked)]),
        "",
        *_markdown_of_times(asked),
        "",
        _receiving(asked),
    ]
    return "\n".join(lines)


def _ask(footfall: Contestant, events: int, scale: Scale, tell: Tell) -> Asked:
    warm_up(footfall.port)
    peak = run_closed(footfall.port, single_templates(), CONNECTIONS, PEAK_S).requests_per_s
    footfall.server.wait_until_stored(60)
    asked = Asked(events, peak / 2)
    browser = Browser(footfall.port)
    try:
        _visit(browser)  # what the first questions read from the disk is in memory after them
        for number in range(scale.visits):
            tell(f"idle, visit {number + 1} of {scale.visits}")
            _collect(_visit(browser), asked.idle)
        for question in _each_question(browser):
            for _ in range(scale.visits):
                before_s = footfall.cpu_s()
                browser.ask([question])
                asked.cpu[question.what].append(footfall.cpu_s() - before_s)
        if scale.wide:
            _collect(_ask_wide(browser), asked.wide_idle)
        with BackgroundLoad(footfall.port, asked.rate) as load:
            asked.sent_alone = load.watch(lambda: time.sleep(PEAK_S))
            asked.sent_beside = load.watch(lambda: _visit_loaded(footfall, browser, scale, asked, tell))
            if scale.wide:
                _collect(_ask_wide(browser), asked.wide_loaded)
    finally:
        browser.close()
    return asked


def _visit_loaded(footfall: Contestant, browser: Browser, scale: Scale, asked: Asked, tell: Tell) -> None:
    with browser.watching():
        for number in range(scale.visits):
            tell(f"half load, visit {number + 1} of {scale.visits}")
            _collect(_visit(browser), asked.loaded)
            asked.rss_bytes = max(asked.rss_bytes, footfall.rss_bytes())


def _visit(browser: Browser) -> list[Answer]:
    """Open the page, leave it open for some refreshes, then look at this and that."""
    answers = browser.ask([*history(), counts()])
    for questions in [[counts()]] * REFRESHES + _looks(browser, answers[0].body):
        time.sleep(PAUSE_S)
        answers += browser.ask(questions)
    return answers


def _looks(browser: Browser, newest: Mapping[str, Any]) -> list[list[Question]]:
    """Return what is asked for the names, one name, one visitor, and what was before the newest page."""
    visitor_id = browser.ask([yesterdays()])[0].body["events"][0]["visitor_id"]
    filtered = [history(name=_PRODUCT_NAME), history(visitor_id=visitor_id)]
    return [[NAMES], *filtered, history(cursor=newest["next"]), [finding(visitor_id[-6:])]]


def _each_question(browser: Browser) -> list[Question]:
    """Return every question of a visit once."""
    first = history()
    newest = browser.ask(first)[0].body
    asked = [*first, counts(), *(question for questions in _looks(browser, newest) for question in questions)]
    return list({question.what: question for question in asked}.values())


def _ask_wide(browser: Browser) -> list[Answer]:
    return [answer for question in wide_counts(DAYS + 1) for answer in browser.ask([question])]


def _collect(answers: Sequence[Answer], times: Times) -> None:
    for answer in answers:
        times[answer.what].append(answer.seconds)


def _verdicts(asked: Asked) -> list[Row]:
    idle_s, loaded_s = (
        percentile([each for times in kind.values() for each in times], 0.95) for kind in (asked.idle, asked.loaded)
    )
    return [
        Row(
            "the dashboard's questions at half load, p95 of all",
            f"{loaded_s * 1000:.0f} ms",
            "",
            f"≤ {LIMIT_MS:g} ms",
            loaded_s * 1000 <= LIMIT_MS,
        ),
        Row(
            "… ÷ the same, idle",
            f"{loaded_s / idle_s:.2f}",
            "",
            f"≤ {LIMIT_RATIO:g}",
            loaded_s / idle_s <= LIMIT_RATIO,
        ),
    ]


def _receiving(asked: Asked) -> str:
    alone, beside = asked.sent_alone, asked.sent_beside
    if alone is None or beside is None:
        raise ValueError("nothing was sent")
    return (
        f"Meanwhile {beside.per_s:,.0f} events a second were acknowledged, p50 {beside.p50_s * 1000:.1f} ms, p99"
        f" {beside.p99_s * 1000:.0f} ms; without the questions {alone.per_s:,.0f}, {alone.p50_s * 1000:.1f} ms"
        f" and {alone.p99_s * 1000:.0f} ms. The server's memory was {asked.rss_bytes / 1e6:.0f} MB at most."
    )


def _markdown_of_times(asked: Asked) -> list[str]:
    rows = [(what, idle_s, asked.loaded[what]) for what, idle_s in asked.idle.items()]
    rows += [(f"{what} *", times, asked.wide_loaded[what]) for what, times in asked.wide_idle.items()]
    lines = [
        "| Question | asked | processor, idle | idle p50 | idle p95 | half load p50 | half load p95 |",
        "|---|---|---|---|---|---|---|",
    ]
    for what, idle_s, loaded_s in rows:
        times = (percentile(each, share) * 1000 for each in (idle_s, loaded_s) for share in SHARES)
        cost = f"{median(asked.cpu[what]) * 1000:.0f} ms" if what in asked.cpu else ""
        lines.append(f"| {what} | {len(loaded_s)} | {cost} | " + " | ".join(f"{each:.0f} ms" for each in times) + " |")
    return lines


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
