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


INSIDE = (300, 300)
BY_THE_WINDOW = {  # the way of the pointer, and how often it is an attempt
    "in from the top": ([TOP, INSIDE], 0),
    "to the topmost row": ([INSIDE, (300, 0), (300, 1), INSIDE], 0),
    "slowly through the top": ([INSIDE, (300, 20), (300, 2), (300, 0), (300, -1)], 1),
    "in one jump over all rows": ([(640, 790), (640, -400)], 1),
    "slanting through the top": ([(900, 500), (640, -30)], 1),
    "through the top over a button": ([INSIDE, (60, 15), (60, -4)], 1),
    "through the left": ([INSIDE, (-5, 300)], 0),
    "through the right": ([INSIDE, (1290, 300)], 0),
    "through the bottom": ([INSIDE, (300, 830)], 0),
    "over the left corner": ([INSIDE, (-30, -30)], 0),
    "over the right corner": ([INSIDE, (1310, -30)], 0),
    "along the topmost row, out at the side": ([(300, 0), (900, 0), (1290, 0)], 0),
}


@pytest.mark.parametrize(("way", "expected"), BY_THE_WINDOW.values(), ids=BY_THE_WINDOW.keys())
def test_only_a_way_out_through_the_top_is_an_attempt(
    site: Page, footfall: Footfall, way: list[tuple[int, int]], expected: int
) -> None:
    site.clock.fast_forward(5500)
    for point in way:
        site.mouse.move(*point)
    assert len(attempts(site, footfall)) == expected


def test_pointer_that_draws_text_or_a_selection_out_is_no_attempt(site: Page, footfall: Footfall) -> None:
    site.clock.fast_forward(5500)
    for start in ((100, 80), (300, 300)):  # selected text, which is dragged, and an empty place, which selects
        site.get_by_role("heading").select_text()
        site.mouse.move(*start)
        site.mouse.down()
        site.mouse.move(300, 20)
        site.mouse.move(*TOP)
        site.mouse.up()
        site.mouse.move(*INSIDE)
    assert attempts(site, footfall) == []


def test_list_that_is_open_makes_no_attempt(site: Page, footfall: Footfall) -> None:
    site.clock.fast_forward(5500)
    site.mouse.move(*INSIDE)
    site.get_by_role("combobox").click()
    for y in (30, 60, 90):
        site.mouse.move(40, y)
    site.keyboard.press("ArrowDown")
    site.keyboard.press("Enter")
    assert site.evaluate("document.querySelector('select').value") == "b"
    site.mouse.move(*INSIDE)
    assert attempts(site, footfall) == []


def test_frame_at_the_top_neither_makes_nor_hides_an_attempt(page: Page, footfall: Footfall, pages: PageServer) -> None:
    page.clock.install()
    page.goto(pages.url("exit_intent/framed"))
    page.wait_for_function("tracker.version")
    page.clock.fast_forward(5500)
    for y in (300, 50, 300, 50, 300):
        page.mouse.move(300, y)
    assert attempts(page, footfall) == []
    page.mouse.move(300, 50)
    page.mouse.move(*TOP)
    assert len(attempts(page, footfall)) == 1


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
