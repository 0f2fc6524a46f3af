"""What the live stream could not tell is on the page all the same: between newest and oldest no row is missing."""

import pytest
from playwright.sync_api import Page, expect

from e2e.admin import sign_in
from e2e.footfall import Event, Footfall
from e2e.visitor import Visitor


@pytest.fixture
def dashboard(visitor: Visitor, footfall: Footfall) -> Page:
    """Return a dashboard that shows ten events and has settled: it has asked once more after the stream opened."""
    footfall.post(*batch("Old", 10))
    footfall.wait_for(10)
    sign_in(visitor.page, footfall)
    with visitor.page.expect_response(is_history):
        pass
    expect(visitor.page.locator("#events > li")).to_have_count(10)
    return visitor.page


def batch(prefix: str, count: int, first: int = 0) -> list[Event]:
    """Return so many events, each with a name of its own."""
    return [{"name": f"{prefix} {number}", "visitor_id": "v"} for number in range(first, first + count)]


def is_history(response: object) -> bool:
    """Return whether it answers the question for the newest events."""
    return "/api/events?" in str(getattr(response, "url", ""))


def missing(page: Page, prefix: str, count: int) -> set[str]:
    """Return which of a batch the page does not show, after all older ones were asked for."""
    older = page.locator("#older")
    while older.is_visible():
        older.click()
        expect(older).to_be_enabled()
    shown = set(page.locator("#events > li button.open").all_inner_texts())
    return {event["name"] for event in batch(prefix, count)} - shown


def test_pause_may_be_longer_than_what_can_wait(dashboard: Page, footfall: Footfall) -> None:
    pause = dashboard.locator("#pause")
    pause.click()
    for first in range(0, 600, 100):
        footfall.post(*batch("New", 100, first))
        expect(pause).to_contain_text(f"({min(500, first + 100)}")
    expect(pause).to_have_text("Resume (500+ new)")
    footfall.wait_for(610)
    with dashboard.expect_response(is_history):
        pause.click()
    expect(dashboard.locator("#older")).to_be_visible()
    assert missing(dashboard, "New", 600) == set()


def test_batch_may_be_larger_than_what_the_server_keeps_for_a_watcher(dashboard: Page, footfall: Footfall) -> None:
    with dashboard.expect_response(is_history):
        footfall.post(*batch("New", 900))
        footfall.wait_for(910)
    expect(dashboard.locator("#older")).to_be_visible()
    assert missing(dashboard, "New", 900) == set()


def test_question_that_failed_is_asked_again(dashboard: Page, visitor: Visitor) -> None:
    visitor.expect_noise("net::ERR_")
    dashboard.route("**/api/events?*", lambda route: route.abort(), times=1)
    dashboard.get_by_label("Verdict").select_option("Accepted only")
    expect(dashboard.get_by_role("alert")).to_have_text("The server cannot be reached.")
    expect(dashboard.locator("#events > li")).to_have_count(10)
    expect(dashboard.get_by_role("alert")).to_be_hidden()


def test_outage_leaves_no_hole_although_something_arrives_at_once(
    dashboard: Page, visitor: Visitor, footfall: Footfall
) -> None:
    visitor.expect_noise("net::ERR_")
    footfall.kill()
    expect(dashboard.get_by_text("Reconnecting")).to_be_visible()
    footfall.restart()
    footfall.post(*batch("Missed", 200))
    expect(dashboard.get_by_text("Live", exact=True)).to_be_visible()
    with dashboard.expect_response(is_history):
        footfall.post({"name": "At once", "visitor_id": "v"})
    expect(dashboard.locator("#older")).to_be_visible()
    assert missing(dashboard, "Missed", 200) == set()
    expect(dashboard.locator("#events").get_by_role("button", name="At once", exact=True)).to_be_visible()
