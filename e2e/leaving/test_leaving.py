"""The visitor leaves right after something was tracked: it is stored all the same, and once."""

import pytest
from playwright.sync_api import Page

from e2e.footfall import Footfall, named, names
from e2e.page_server import PageServer
from e2e.visitor import FAILED_REQUEST, Visitor, flush

pytestmark = pytest.mark.engines("chromium", "firefox")
ARRIVAL = ["$session_start", "$page_view"]


@pytest.fixture
def site(page: Page, pages: PageServer) -> Page:
    """Return a customer's page whose own events are already stored."""
    page.goto(pages.url("leaving/site"))
    flush(page)
    return page


def test_event_is_stored_when_the_page_closes_itself_in_the_same_task(
    visitor: Visitor, site: Page, footfall: Footfall, pages: PageServer
) -> None:
    with visitor.context.expect_page() as opened:
        site.evaluate("url => void open(url)", pages.url("leaving/site?popup"))
    popup = opened.value
    popup.wait_for_load_state()
    flush(popup)
    popup.evaluate("() => { setTimeout(() => { tracker.track('Bye'); close(); }) }")
    assert names(footfall.wait_for(4)) == [*ARRIVAL, "$page_view", "Bye"]


@pytest.mark.parametrize("delay_ms", [0, 100], ids=["at once", "after 100 ms"])
def test_event_is_stored_when_the_tab_is_closed(site: Page, footfall: Footfall, delay_ms: int) -> None:
    site.evaluate("void tracker.track('Bye')")
    if delay_ms:
        site.wait_for_timeout(delay_ms)
    site.close()
    assert names(footfall.wait_for(3)) == [*ARRIVAL, "Bye"]


def test_arrival_is_stored_when_the_tab_is_closed_before_anything_was_sent(
    page: Page, footfall: Footfall, pages: PageServer
) -> None:
    page.goto(pages.url("leaving/site"))
    page.wait_for_function("tracker.version")
    page.close()
    assert names(footfall.wait_for(2)) == ARRIVAL


@pytest.mark.parametrize("leave", ["location.href = '?next'", "location.reload()"], ids=["link", "reload"])
def test_event_is_stored_once_when_the_page_is_left_in_the_same_task(
    site: Page, footfall: Footfall, leave: str
) -> None:
    with site.expect_navigation():
        site.evaluate(f"() => {{ tracker.track('Bye'); {leave} }}")
    # the next page finds the event unconfirmed and sends it again, under the same id
    flush(site)
    assert names(footfall.events()) == [*ARRIVAL, "Bye", "$page_view"]


def test_event_is_stored_when_the_visitor_goes_to_another_site(site: Page, footfall: Footfall) -> None:
    site.evaluate("() => { tracker.track('Bye'); location.href = 'about:blank'; }")
    assert names(footfall.wait_for(3)) == [*ARRIVAL, "Bye"]


def test_click_that_leaves_the_page_is_stored(site: Page, footfall: Footfall) -> None:
    site.evaluate("void (document.querySelector('a').onclick = () => tracker.track('Clicked'))")
    with site.expect_navigation():
        site.get_by_role("link").click()
    flush(site)
    assert names(footfall.events()) == [*ARRIVAL, "Clicked", "$page_view"]


def test_more_events_than_a_leaving_page_may_send_come_with_the_next_visit(
    visitor: Visitor, site: Page, footfall: Footfall, pages: PageServer
) -> None:
    site.evaluate("() => { for (let n = 0; n < 99; n++) tracker.track('Bye', {n, text: 'x'.repeat(800)}) }")
    site.close()
    visitor.context.new_page().goto(pages.url("leaving/site?later"))
    stored = footfall.wait_for(102)
    assert [event["props"]["n"] for event in named(stored, "Bye")] == list(range(99))


def test_event_is_stored_once_when_the_server_was_away_while_the_tab_was_closed(
    visitor: Visitor, site: Page, footfall: Footfall, pages: PageServer
) -> None:
    visitor.expect_noise(*FAILED_REQUEST)
    footfall.kill()
    site.evaluate("void tracker.track('Bye')")
    site.close()
    footfall.restart()
    later = visitor.context.new_page()
    later.goto(pages.url("leaving/site?later"))
    flush(later)
    assert names(footfall.wait_for(4)) == [*ARRIVAL, "Bye", "$page_view"]


def test_event_of_a_closed_tab_is_stored_once_when_the_visitor_comes_back(
    visitor: Visitor, site: Page, footfall: Footfall, pages: PageServer
) -> None:
    site.evaluate("void tracker.track('Bye')")
    site.close()
    footfall.wait_for(3)
    later = visitor.context.new_page()
    later.goto(pages.url("leaving/site?later"))
    flush(later)
    assert names(footfall.events()) == [*ARRIVAL, "Bye", "$page_view"]
