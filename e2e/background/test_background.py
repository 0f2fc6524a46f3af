"""A tab is opened in the background: what it tracks is stored, and it is viewed when it is seen, if ever."""

import time

from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver

from e2e.driven import flush, noise, wait_for, wait_until
from e2e.footfall import Footfall, names
from e2e.page_server import PageServer

LONGER_THAN_ANY_PAUSE_S = 1.0


def open_behind(driver: WebDriver, pages: PageServer, engine: str) -> str:
    """Open the link in a new tab behind this one, as a person does; return the tab, which stays behind."""
    first, known = driver.current_window_handle, set(driver.window_handles)
    if engine == "webkit":  # it opens nothing by Control and click, but all its new tabs stay behind
        driver.switch_to.new_window("tab")
        driver.get(pages.url("background/behind"))
        driver.switch_to.window(first)
    else:
        link = driver.find_element(By.CSS_SELECTOR, "a")
        ActionChains(driver).key_down(Keys.CONTROL).click(link).key_up(Keys.CONTROL).perform()
    [tab] = wait_for(lambda: set(driver.window_handles) - known, "the tab is there")
    return str(tab)


def test_tab_is_viewed_when_it_is_seen_and_not_before(
    driver: WebDriver, engine: str, footfall: Footfall, pages: PageServer
) -> None:
    driver.get(pages.url("background/site"))
    wait_until(driver, "tracker.version")
    flush(driver)
    tab = open_behind(driver, pages, engine)
    arrival = ["$session_start", "$page_view", "From behind"]
    assert names(footfall.wait_for(3)) == arrival
    [behind] = footfall.events(name="From behind")
    assert behind["props"] == {"hidden": True}
    time.sleep(LONGER_THAN_ANY_PAUSE_S)
    assert names(footfall.events()) == arrival
    assert noise(driver) == []
    driver.switch_to.window(tab)
    if engine == "webkit":  # its driver cannot bring a tab to the front: this one is never seen
        driver.close()
        driver.switch_to.window(driver.window_handles[0])
        expected = arrival
    else:
        wait_until(driver, "!document.hidden")
        expected = [*arrival, "$page_view"]
    flush(driver)
    assert names(footfall.events()) == expected
    assert noise(driver) == []
