"""The tab is hidden: what waits is sent at once, for hidden pages are often never seen again."""

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from e2e.driven import flush, hide, noise, show, wait_until
from e2e.footfall import Footfall, names
from e2e.page_server import PageServer

ARRIVAL = ["$session_start", "$page_view"]
# a hidden page may be frozen: what is left to a timer may never be sent
FREEZE = "window.thawed = setTimeout; window.setTimeout = () => 0;"
TRACK = "tracker.track('Put aside')"
ON_HIDING = f"document.addEventListener('visibilitychange', () => document.hidden && {TRACK})"


@pytest.mark.parametrize("script", [TRACK, ON_HIDING], ids=["just before", "by the hiding"])
def test_event_is_sent_when_the_tab_is_hidden(
    driver: WebDriver, footfall: Footfall, pages: PageServer, script: str
) -> None:
    driver.get(pages.url("hidden/site"))
    wait_until(driver, "tracker.version")
    flush(driver)
    driver.execute_script(f"{FREEZE} {script}")
    hide(driver)
    wait_until(driver, "document.hidden")
    assert names(footfall.wait_for(3)) == [*ARRIVAL, "Put aside"]
    driver.execute_script("window.setTimeout = thawed")
    show(driver)
    wait_until(driver, "!document.hidden")
    flush(driver)
    assert names(footfall.events()) == [*ARRIVAL, "Put aside"]
    assert noise(driver) == []
