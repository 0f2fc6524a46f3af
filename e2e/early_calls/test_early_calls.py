"""The page calls the tracker from its first line on, long before the script is there."""

from datetime import datetime

import pytest
from playwright.sync_api import Page

from e2e.footfall import Footfall, names
from e2e.page_server import PageServer
from e2e.visitor import Visitor, flush, track

pytestmark = pytest.mark.engines("chromium", "firefox")
FLUSHED = "html[data-flushed]"


@pytest.fixture
def waiting(page: Page, pages: PageServer) -> Page:
    """Return a page that has made its first calls and waits for the tracker's script."""
    pages.hold_script()
    page.goto(pages.url("early_calls/early?utm_source=early"), wait_until="commit")
    page.wait_for_function("window.tracker && tracker.q.length >= 5")
    return page


def test_calls_before_and_after_loading_are_stored_in_their_order(
    waiting: Page, pages: PageServer, footfall: Footfall
) -> None:
    track(waiting, "Third")
    pages.release_script()
    waiting.wait_for_selector("html[data-ready]", state="attached")
    track(waiting, "Fourth")
    flush(waiting)
    assert names(footfall.events()) == [
        "$session_start",
        "$utm_hit",
        "$page_view",
        "First",
        "Second",
        "Third",
        "Fourth",
    ]


def test_flush_from_the_first_line_ends_when_the_calls_before_it_are_stored(
    waiting: Page, pages: PageServer, footfall: Footfall
) -> None:
    pages.release_script()
    waiting.wait_for_selector(FLUSHED, state="attached")
    assert names(footfall.events())[-2:] == ["First", "Second"]


def test_flush_does_not_end_while_nothing_was_sent(waiting: Page) -> None:
    waiting.wait_for_timeout(500)
    assert waiting.locator(FLUSHED).count() == 0


@pytest.mark.alone
def test_early_call_keeps_its_own_time_and_what_was_set_before(
    waiting: Page, pages: PageServer, footfall: Footfall
) -> None:
    waiting.wait_for_timeout(500)
    pages.release_script()
    waiting.wait_for_selector(FLUSHED, state="attached")
    [first] = footfall.events(name="First")
    assert first["props"]["plan"] == "pro"
    stored_ms = datetime.fromisoformat(first["time"]).timestamp() * 1000
    assert abs(stored_ms - first["props"]["at_ms"]) < 50


def test_campaign_survives_a_router_that_cleans_the_address(
    waiting: Page, pages: PageServer, footfall: Footfall
) -> None:
    pages.release_script()
    waiting.wait_for_selector(FLUSHED, state="attached")
    [hit] = footfall.events(name="$utm_hit")
    assert hit["props"]["$utm_source"] == "early"
    assert {event["utm_source"] for event in footfall.events()} == {"early"}


def test_method_kept_from_the_stub_goes_on_working(waiting: Page, pages: PageServer, footfall: Footfall) -> None:
    waiting.evaluate("void (window.kept = tracker.track)")
    pages.release_script()
    waiting.wait_for_selector(FLUSHED, state="attached")
    waiting.evaluate("void kept('Through the kept method')")
    flush(waiting)
    assert names(footfall.events())[-1] == "Through the kept method"


def test_flush_ends_when_the_script_never_comes(visitor: Visitor, pages: PageServer, footfall: Footfall) -> None:
    visitor.expect_noise("404")
    visitor.page.goto(pages.url("early_calls/never"))
    track(visitor.page, "Unheard")
    flush(visitor.page)
    assert footfall.events() == []
