"""The page ends: what its last handlers track is stored, once, in whatever order the engine calls them."""

from collections import Counter

from selenium.webdriver.remote.webdriver import WebDriver

from e2e.driven import flush, noise, track, wait_until
from e2e.footfall import Footfall, names
from e2e.page_server import PageServer

ARRIVAL = ["$session_start", "$page_view"]


def open_site(driver: WebDriver, pages: PageServer, query: str = "") -> None:
    """Open the story's page and return when what it recorded is stored."""
    driver.get(pages.url(f"closing/site{query}"))
    wait_until(driver, "tracker.version")
    flush(driver)


def test_last_events_are_stored_once_when_the_page_is_left_in_the_same_task(
    driver: WebDriver, footfall: Footfall, pages: PageServer
) -> None:
    open_site(driver, pages)
    driver.execute_script("tracker.track('Bye'); location.href = '?next'")
    wait_until(driver, "location.search === '?next' && window.tracker && tracker.version")
    flush(driver)
    last = ["Bye", "Before unload", "Gone", "Hidden"]
    assert Counter(names(footfall.wait_for(7))) == Counter([*ARRIVAL, *last, "$page_view"])
    assert noise(driver) == []


def test_last_events_are_stored_once_when_the_tab_is_closed(
    driver: WebDriver, footfall: Footfall, pages: PageServer
) -> None:
    first = driver.current_window_handle
    driver.switch_to.new_window("window")  # WebKit would open a tab behind the others
    open_site(driver, pages)
    track(driver, "Bye")
    driver.close()
    driver.switch_to.window(first)
    open_site(driver, pages, "?again")
    # engines may drop what a closing page sends: it comes with the next visit at the latest, in front of its page view
    footfall.wait_for(2, name="$page_view")
    stored = Counter(names(footfall.events()))
    assert (stored["$session_start"], stored["$page_view"], stored["Bye"]) == (1, 2, 1)
    # not every engine calls every handler of a tab that a program closes; what it called is there once
    assert {stored[name] for name in ("Gone", "Hidden")} == {1}
