"""The pointer leaves the page: only through the top edge, only after a while, only once a minute is it an attempt."""

import pytest
from playwright.sync_api import Page

from e2e.footfall import Event, Footfall
from e2e.page_server import PageServer
from e2e.visitor import Arrive, flush

# Firefox refuses to move the pointer out of the window; pointer_out/ leaves by a frame, in all engines
pytestmark = pytest.mark.engines("chromium")
TOP = (300, -5)
SIDE = (-5, 300)


def arrive_at(page: Page, pages: PageServer) -> Page:
    """Open the page under a clock that can be moved on."""
    page.clock.install()
    page.goto(pages.url("exit_intent/site"))
    page.wait_for_function("tracker.version")
    return page


@pytest.fixture
def site(page: Page, pages: PageServer) -> Page:
    """Return the page, just opened."""
    return arrive_at(page, pages)


def leave(page: Page, through: tuple[int, int]) -> None:
    """Move the pointer from the middle of the page out of it."""
    page.mouse.move(300, 300)
    page.mouse.move(*through)


def departures(page: Page) -> int:
    """Return how often the pointer has left the page, by whatever edge."""
    return int(page.evaluate("departures"))


def attempts(page: Page, footfall: Footfall) -> list[Event]:
    """Return what is stored once everything is."""
    flush(page)
    return footfall.events(name="$leave_site_attempt")


def test_leaving_through_the_top_is_an_attempt(site: Page, footfall: Footfall) -> None:
    site.clock.fast_forward(5500)
    leave(site, TOP)
    assert [event["props"] for event in attempts(site, footfall)] == [{"$trigger": "pointer"}]


def test_leaving_at_once_is_no_attempt_yet(site: Page, footfall: Footfall) -> None:
    leave(site, TOP)
    site.clock.fast_forward(3000)
    leave(site, TOP)
    assert attempts(site, footfall) == []


def test_leaving_through_the_side_is_no_attempt(site: Page, footfall: Footfall) -> None:
    site.clock.fast_forward(5500)
    leave(site, SIDE)
    assert departures(site) == 1
    assert attempts(site, footfall) == []


def test_attempts_count_once_a_minute(site: Page, footfall: Footfall) -> None:
    site.clock.fast_forward(5500)
    leave(site, TOP)
    leave(site, TOP)
    assert len(attempts(site, footfall)) == 1
    site.clock.fast_forward(55_000)
    leave(site, TOP)
    assert len(attempts(site, footfall)) == 1
    site.clock.fast_forward(10_000)
    leave(site, TOP)
    assert len(attempts(site, footfall)) == 2


def test_coarse_pointer_makes_no_attempt(visit: Arrive, footfall: Footfall, pages: PageServer) -> None:
    page = arrive_at(visit(has_touch=True, is_mobile=True).page, pages)
    assert page.evaluate("matchMedia('(pointer: coarse)').matches")
    page.clock.fast_forward(5500)
    leave(page, TOP)
    assert departures(page) == 1
    assert attempts(page, footfall) == []
