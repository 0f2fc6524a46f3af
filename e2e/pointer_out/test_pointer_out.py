"""The real pointer leaves the page: in every engine only the top edge, and only after a while, is an attempt to leave.

The page stands in a frame, because Firefox and WebKit let no program move the pointer out of the window.
"""

import pytest
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.remote.webdriver import WebDriver

from e2e.driven import flush, noise, wait_until
from e2e.footfall import Event, Footfall
from e2e.page_server import PageServer

pytestmark = pytest.mark.alone
TOP = [(300, 300), (300, 105), (300, 50)]
SIDE = [(300, 300), (105, 300), (50, 300)]


def move(driver: WebDriver, way: list[tuple[int, int]]) -> None:
    """Move the pointer over these points of the window."""
    driver.switch_to.default_content()
    actions = ActionBuilder(driver)
    for x, y in way:
        actions.pointer_action.move_to_location(x, y)  # type: ignore[no-untyped-call]
    actions.perform()
    driver.switch_to.frame(0)


def attempts(driver: WebDriver, footfall: Footfall) -> list[Event]:
    """Return what is stored once everything is."""
    flush(driver)
    return footfall.events(name="$leave_site_attempt")


def test_pointer_that_leaves_through_the_top_is_an_attempt(
    driver: WebDriver, footfall: Footfall, pages: PageServer
) -> None:
    driver.get(pages.url("pointer_out/frame"))
    driver.switch_to.frame(0)
    wait_until(driver, "tracker.version")
    move(driver, TOP)
    assert attempts(driver, footfall) == []  # too early
    wait_until(driver, "performance.now() > 5200")
    move(driver, SIDE)
    assert attempts(driver, footfall) == []
    move(driver, TOP)
    wait_until(driver, "departures.length > 2")
    move(driver, TOP)  # too soon after the first
    wait_until(driver, "departures.length > 3")
    assert driver.execute_script("return departures") == [[True, "top"], [True, "side"], [True, "top"], [True, "top"]]
    [attempt] = attempts(driver, footfall)
    assert attempt["props"] == {"$trigger": "pointer"}
    assert noise(driver) == []
