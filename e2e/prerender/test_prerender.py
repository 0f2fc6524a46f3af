"""The browser renders a page before anybody asks for it: it is viewed when it is shown, and only then."""

import time
from datetime import datetime

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from e2e.driven import click, flush, noise, wait_for, wait_until
from e2e.footfall import Footfall, named, names
from e2e.page_server import PageServer

# Firefox and WebKit have no speculation rules
pytestmark = [pytest.mark.engines("chromium"), pytest.mark.alone]
ARRIVAL = ["$session_start", "$page_view"]
LONGER_THAN_ANY_PAUSE_S = 1.5


@pytest.fixture
def site(driver: WebDriver, pages: PageServer) -> WebDriver:
    """Return the page whose next page has been rendered in the background, where its tracker is ready."""
    driver.get(pages.url("prerender/site"))
    wait_for(lambda: "/next-is-ready" in pages.asked, "the next page is prerendered")
    time.sleep(LONGER_THAN_ANY_PAUSE_S)
    flush(driver)
    return driver


def test_page_that_is_never_shown_records_nothing(site: WebDriver, footfall: Footfall) -> None:
    assert names(footfall.events()) == ARRIVAL
    site.get("about:blank")
    time.sleep(LONGER_THAN_ANY_PAUSE_S)
    assert names(footfall.events()) == ARRIVAL


def test_page_is_viewed_once_when_it_is_shown(site: WebDriver, footfall: Footfall) -> None:
    click(site, "a")
    wait_until(site, "window.shown_ms")
    assert site.execute_script("return wasPrerendered")
    flush(site)
    events = footfall.events()
    assert sorted(names(events)) == sorted([*ARRIVAL, "From the first line", "$page_view"])
    assert len({event["session_id"] for event in events}) == 1
    [view] = [event for event in named(events, "$page_view") if event["title"] == "Rendered before it is seen"]
    viewed_ms = datetime.fromisoformat(view["time"]).timestamp() * 1000
    assert viewed_ms >= site.execute_script("return shown_ms") - 50
    [first] = named(events, "From the first line")
    assert abs(datetime.fromisoformat(first["time"]).timestamp() * 1000 - first["props"]["at_ms"]) < 50
    assert noise(site) == []
