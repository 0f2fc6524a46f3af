"""The tab is hidden: what waits is sent at once, for hidden pages are often never seen again."""

from selenium.webdriver.remote.webdriver import WebDriver

from e2e.driven import flush, hide, noise, show, wait_until
from e2e.footfall import Footfall, names
from e2e.page_server import PageServer

ARRIVAL = ["$session_start", "$page_view"]


def test_event_is_sent_when_the_tab_is_hidden(driver: WebDriver, footfall: Footfall, pages: PageServer) -> None:
    driver.get(pages.url("hidden/site"))
    wait_until(driver, "tracker.version")
    flush(driver)
    driver.execute_script("document.addEventListener('visibilitychange', () => tracker.track('Put aside'))")
    hide(driver)
    wait_until(driver, "document.hidden")
    assert names(footfall.wait_for(3)) == [*ARRIVAL, "Put aside"]
    show(driver)
    wait_until(driver, "!document.hidden")
    flush(driver)
    assert names(footfall.events()) == [*ARRIVAL, "Put aside", "Put aside"]
    assert noise(driver) == []
