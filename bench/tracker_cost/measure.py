"""One run: the page is loaded, clicked, moved over and left alone, and Chromium's trace tells what the tracker did.

Times are processor time of the page's main thread, so that other programs change them little. Chromium slows the
thread by keeping it busy, which counts as its processor time.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

from playwright.sync_api import Browser, CDPSession, Page

from bench.tracker_cost.site import Site
from tools.traces import calls_within, forced_layouts, runs, timers, trace

NORMAL, SLOWED = 1, 4
SCRIPT = "/tracker.js"
HANDLER = "/shop.js"
QUEUE_SIZES = (0, 50, 500)
_FLUSH_LIMIT_MS = 5000
# the page's clock can be set forward: the cap on runaway loops, 10 events a second, is not what is measured
_CLOCK = """
window.ahead_ms = 0;
const { now } = Date;
Date.now = () => now() + ahead_ms;
"""
_FIND = "Object.keys(localStorage).filter((key) => key.startsWith('footfall.default.queue.'))"
_COUNT = f"() => {_FIND}.length"
_EMPTY = f"() => {_FIND}.forEach((key) => localStorage.removeItem(key))"
_IS_TOLD = "() => (localStorage['footfall.default.wait'] || '').includes('true')"
_STARTED = "window.tracker?.version"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is done. Units: idle_s is how long nobody touches the page."""

    loads: int
    calls: int
    moves: int
    idle_s: float


FULL = Plan(loads=30, calls=2000, moves=300, idle_s=60)
QUICK = Plan(loads=5, calls=200, moves=50, idle_s=5)

Values = dict[tuple[str, int], list[float]]


@dataclass(slots=True)
class Results:
    """What was measured.

    Shape:  times by what took them and by how much the processor was slowed; counts of what must not be.
    Units:  times in milliseconds, long_frames those of Chromium's "long animation frames" of which the tracker is part.
    """

    times: Values = field(default_factory=lambda: defaultdict(list))
    long_frames: list[float] = field(default_factory=list)
    forced_layouts: int = 0
    idle_runs: int = 0
    idle_timers: int = 0
    heap_bytes: int = 0
    growth_bytes: int = 0


def calls_name(size: int) -> str:
    """Return the name of `track()` with a queue of that many events."""
    return f"track() in a click, {size} events in the queue"


def measure(browser: Browser, plan: Plan) -> Results:
    """Return the results of the whole plan."""
    results = Results()
    site = Site()
    try:
        for rate in (NORMAL, SLOWED):
            _measure_starts(browser, site, plan, rate, results)
            for size in QUEUE_SIZES:
                _measure_calls(browser, site, plan, rate, size, results)
            _measure_listeners(browser, site, plan, rate, results)
        _measure_layouts(browser, site, plan, results)
        _measure_idle(browser, site, plan, results)
        _measure_memory(browser, site, plan, results)
    finally:
        site.close()
    return results


@contextmanager
def _visit(browser: Browser, address: str, rate: int = NORMAL) -> Iterator[tuple[Page, CDPSession]]:
    """Show a page to a new visitor, whose browser knows nothing of the script."""
    context = browser.new_context()
    try:
        context.add_init_script(_CLOCK)
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": rate})
        page.goto(address)
        if address.endswith(("/", "?plugins")):
            page.wait_for_function(_STARTED)
        yield page, session
    finally:
        context.close()


def _measure_starts(browser: Browser, site: Site, plan: Plan, rate: int, results: Results) -> None:
    for name, query in (("start", ""), ("start with all plugins named", "?plugins")):
        for _ in range(plan.loads):
            results.times[name, rate] += _starts(browser, f"{site.url}{query}", rate)


def _starts(browser: Browser, address: str, rate: int) -> list[float]:
    with _visit(browser, "about:blank", rate) as (page, _), trace(browser, page, has_stacks=False) as events:
        page.goto(address)
        page.wait_for_function(_STARTED)
    return [each["tdur"] / 1000 for each in runs(events, SCRIPT, "EvaluateScript")]


def _fill(page: Page, size: int) -> None:
    """Let that many events wait, as the busy server has asked for. Errors: RuntimeError when others do."""
    page.wait_for_function(_IS_TOLD)
    page.evaluate(_EMPTY)
    page.evaluate("(count) => press(count, true)", size)
    if (found := page.evaluate(_COUNT)) != size:
        raise RuntimeError(f"{size} events should wait, {found} do")


def _measure_calls(browser: Browser, site: Site, plan: Plan, rate: int, size: int, results: Results) -> None:
    """Measure `track()`; then let the server take the queue, which may keep the page busy for too long at a time."""
    site.is_busy = True
    with _visit(browser, f"{site.url}?plugins", rate) as (page, _):
        _fill(page, size)
        with trace(browser, page, has_stacks=False) as events:
            page.evaluate("(count) => press(count, false)", plan.calls)
        site.is_busy = False
        page.evaluate("() => { localStorage.removeItem('footfall.default.wait'); return tracker.flush() }")
        page.wait_for_function(f"({_COUNT})() === 0")
        if rate == SLOWED:
            results.long_frames += page.evaluate("frames_ms")
    # the first few run before the browser has compiled anything, as in any page
    results.times[calls_name(size), rate] = [each / 1000 for each in calls_within(events, HANDLER, "click")]


def _move(page: Page, plan: Plan) -> None:
    for number in range(plan.moves):
        page.mouse.move(20 + number, 100 + number % 200)
    for _ in range(plan.moves // 10):
        page.mouse.wheel(0, 100)
        page.wait_for_timeout(20)


def _measure_listeners(browser: Browser, site: Site, plan: Plan, rate: int, results: Results) -> None:
    with _visit(browser, f"{site.url}?plugins", rate) as (page, _), trace(browser, page, has_stacks=False) as events:
        _move(page, plan)
    for kind in ("pointermove", "scroll"):
        durations = [each / 1000 for each in calls_within(events, SCRIPT, kind)]
        results.times[f"listener of {kind}", rate] = durations


def _measure_layouts(browser: Browser, site: Site, plan: Plan, results: Results) -> None:
    """Do all of it once more, with stacks, and count the layouts for which the tracker or a plugin waits."""
    with _visit(browser, "about:blank") as (page, _), trace(browser, page) as events:
        page.goto(f"{site.url}?plugins")
        page.wait_for_function(_STARTED)
        page.evaluate("() => press(50, true)")
        page.fill("input[name=email]", "ann@example.org")
        page.select_option("select >> nth=0", "M")
        _move(page, plan)
        page.evaluate("tracker.flush()")
    results.forced_layouts = len(forced_layouts(events, SCRIPT)) + len(forced_layouts(events, "/plugins/"))


def _measure_idle(browser: Browser, site: Site, plan: Plan, results: Results) -> None:
    with _visit(browser, f"{site.url}?plugins") as (page, _):
        page.evaluate("tracker.flush()")
        page.wait_for_timeout(_FLUSH_LIMIT_MS + 500)
        with trace(browser, page) as events:
            page.wait_for_timeout(plan.idle_s * 1000)
    for script in (SCRIPT, "/plugins/"):
        results.idle_runs += len(runs(events, script))
        results.idle_timers += len(timers(events, script))


def _measure_memory(browser: Browser, site: Site, plan: Plan, results: Results) -> None:
    """Compare what the page keeps with the tracker and without it, and before and after many calls."""
    with _visit(browser, f"{site.url}?bare") as (page, session):
        bare = _used(page, session)
    with _visit(browser, site.url) as (page, session):
        page.evaluate("tracker.flush()")
        fresh = _used(page, session)
        page.evaluate("(count) => press(count, true)", plan.calls)
        page.evaluate("tracker.flush()")
        results.growth_bytes = _used(page, session) - fresh
    results.heap_bytes = fresh - bare


def _used(page: Page, session: CDPSession) -> int:
    session.send("Performance.enable")
    readings = []
    for _ in range(5):
        session.send("HeapProfiler.collectGarbage")
        page.wait_for_timeout(100)
        metrics = session.send("Performance.getMetrics")["metrics"]
        readings += [each["value"] for each in metrics if each["name"] == "JSHeapUsedSize"]
    return int(median(readings))
