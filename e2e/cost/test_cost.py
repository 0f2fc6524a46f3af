"""The host page is sacred: the tracker makes no layout happen, sleeps when nothing happens, and asks for little.

Counts only, which are the same on every machine; times are measured by `python -m bench.tracker_cost`.
"""

from statistics import median
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from e2e.page_server import PageServer
from e2e.visitor import flush
from tools.traces import forced_layouts, trace

PAGE = "cost/counted"
pytestmark = pytest.mark.alone
# cancellable events for which a browser waits before it scrolls, unless the listener is passive
HOLD_UP_SCROLLING = {"touchstart", "touchmove", "wheel", "mousewheel"}
MAX_STORAGE_ACCESSES = 12
CALLS, BURST, PER_SECOND = 1000, 100, 10
HOURS_OF_NOTHING = "03:00:00"


def open_counted(page: Page, pages: PageServer) -> None:
    """Open the page and wait until its arrival is stored and every plugin has come."""
    with page.expect_response(lambda answer: "/plugins/touch.js" in answer.url):
        page.goto(pages.url(PAGE))
    page.wait_for_function("window.tracker?.version")
    page.wait_for_load_state("networkidle")
    flush(page)


def read(page: Page, what: str) -> Any:
    """Return what the page has counted."""
    return page.evaluate(f"counted.{what}")


def test_no_layout_happens_because_the_tracker_waits_for_it(browser: Browser, page: Page, pages: PageServer) -> None:
    with trace(browser, page) as events:
        open_counted(page, pages)
        page.evaluate("forceLayout()")
        page.click("button")
        page.fill("input", "ann@example.org")
        page.select_option("select", "M")
        for step in range(20):
            page.mouse.move(10 + step * 20, 100 + step * 20)
            page.mouse.wheel(0, 200)
        page.mouse.move(300, -5)
        page.evaluate("history.pushState({}, '', '?next')")
        flush(page)
    assert forced_layouts(events, PAGE)  # the page's own is seen, so one of the tracker's would be
    assert forced_layouts(events, "/tracker.js") == []
    assert forced_layouts(events, "/plugins/") == []


def test_nothing_runs_while_nothing_happens(page: Page, pages: PageServer) -> None:
    page.clock.install()
    open_counted(page, pages)
    page.clock.run_for(20_000)
    before = page.evaluate("[counted.timers, counted.runs, counted.storage]")
    page.clock.fast_forward(HOURS_OF_NOTHING)
    page.clock.run_for(60_000)
    assert page.evaluate("[counted.timers, counted.runs, counted.storage]") == before
    page.evaluate("tracker.track('Bought')")
    assert read(page, "timers") > before[0]  # what the tracker asks for is counted


def test_loop_that_runs_away_is_capped_and_says_so(page: Page, pages: PageServer) -> None:
    open_counted(page, pages)
    kept, dropped, lasted_ms = page.evaluate(
        """(calls) => {
      const reasons = [];
      tracker.on("drop", ({ reason }) => reasons.push(reason));
      const begun_ms = Date.now();
      for (let call = 0; call < calls; call++) tracker.track("Bought");
      const waiting = Object.keys(localStorage).filter((key) => key.includes(".queue."));
      return [waiting.length, reasons.filter((each) => each === "rate_limited").length, Date.now() - begun_ms];
    }""",
        CALLS,
    )
    assert kept + dropped == CALLS
    assert 0 < kept <= BURST + PER_SECOND * lasted_ms / 1000 + 1


@pytest.mark.parametrize("waiting", [0, 40])
def test_a_call_looks_into_the_storage_a_few_times_however_much_waits(
    page: Page, pages: PageServer, waiting: int
) -> None:
    open_counted(page, pages)
    page.evaluate("(count) => void countCalls(count)", waiting)
    counts = page.evaluate("countCalls(40)")
    assert 0 < median(counts) <= MAX_STORAGE_ACCESSES


def test_moving_the_pointer_looks_into_the_storage_once_a_second_at_most(page: Page, pages: PageServer) -> None:
    open_counted(page, pages)
    accesses = page.evaluate("""() => {
      const before = counted.storage;
      for (let move = 0; move < 200; move++) dispatchEvent(new PointerEvent("pointermove"));
      return counted.storage - before;
    }""")
    assert accesses <= MAX_STORAGE_ACCESSES


def test_no_listener_holds_up_scrolling(page: Page, pages: PageServer) -> None:
    open_counted(page, pages)
    listeners = read(page, "listeners")
    assert {"pointermove", "scroll", "click", "touchstart"} <= {each["type"] for each in listeners}
    held = [each for each in listeners if each["type"] in HOLD_UP_SCROLLING]
    # browsers take such listeners at the window for passive unless they say otherwise
    assert [each for each in held if not each["isWindow"] or _is_cancelling(each["options"])] == []


def _is_cancelling(options: Any) -> bool:
    return isinstance(options, dict) and options.get("passive") is False
