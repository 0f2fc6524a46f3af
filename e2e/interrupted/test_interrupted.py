"""A navigation that comes to nothing meets a request on its way: the page lives on, and so does its sending.

WebKit drops such a request without a word: it neither ends nor heeds its signal (measured in WebKitGTK 2.50).
"""

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from e2e.driven import flush, noise, track, wait_until
from e2e.footfall import Footfall, names
from e2e.page_server import PageServer


@pytest.mark.timeout(120)  # the tracker gives such a request half a minute
def test_page_goes_on_sending(driver: WebDriver, footfall: Footfall, pages: PageServer) -> None:
    driver.get(pages.url("interrupted/site"))
    wait_until(driver, "window.stayed")
    track(driver, "Stayed")
    flush(driver)
    assert names(footfall.events()) == ["$session_start", "$page_view", "Stayed"]
    assert noise(driver) == []
