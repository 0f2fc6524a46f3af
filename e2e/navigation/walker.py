"""Walks one row of the table in one browser, as a visitor would. What the steps do is said in the table's head."""

import time
from typing import Any

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver

from e2e.driven import click, flush, hide, show, wait_for, wait_until
from e2e.navigation.site import Site
from e2e.navigation.table import Navigation

_BRIEFLY_S = 0.03
_HERE = "return location.href === arguments[0] && document.readyState === 'complete'"
_SETTLE_S = 0.15  # one view too many must have had its chance
_HAS_TRACKER = "return !!(document.tracker || window.tracker || {}).version"


class Walker:
    """Shape: root is the address of the row's first page."""

    def __init__(self, driver: WebDriver, site: Site, root: str) -> None:
        self._driver = driver
        self._site = site
        self._root = root

    def walk(self, row: Navigation) -> None:
        """Go through the row's steps and return once the server has answered for all that was recorded."""
        self._open(row.start)
        for step in row.steps:
            verb, _, what = step.partition(" ")
            getattr(self, f"_{verb}")(*([what] if what else []))
        time.sleep(_SETTLE_S)
        if not self._driver.execute_script(_HAS_TRACKER):
            raise AssertionError("the last page has no tracker that could be flushed")
        flush(self._driver)

    def _url(self, path: str) -> str:
        return self._root + path.removeprefix("/")

    def _open(self, path: str = "") -> None:
        self._driver.get(self._url(path))

    def _run(self, script: str) -> Any:
        return self._driver.execute_script(script)

    def _click(self, selector: str) -> None:
        click(self._driver, selector)

    def _background(self, selector: str) -> None:
        """Open a link as the middle button does: in a tab behind this one."""
        before = len(self._driver.window_handles)
        link = self._driver.find_element(By.CSS_SELECTOR, selector)
        ActionChains(self._driver).key_down(Keys.CONTROL).click(link).key_up(Keys.CONTROL).perform()
        wait_for(lambda: len(self._driver.window_handles) > before, "the tab behind opens")
        time.sleep(0.5)

    def _newest(self) -> None:
        self._driver.switch_to.window(self._driver.window_handles[-1])

    def _back(self) -> None:
        self._driver.back()

    def _reload(self) -> None:
        self._driver.refresh()

    def _hide(self) -> None:
        hide(self._driver)
        wait_until(self._driver, "document.hidden")

    def _show(self) -> None:
        show(self._driver)
        wait_until(self._driver, "!document.hidden")

    def _settle(self) -> None:
        flush(self._driver)

    def _wait(self, ms: str) -> None:
        time.sleep(int(ms) / 1000)

    def _at(self, path: str = "") -> None:
        url = self._url(path)
        try:
            wait_for(lambda: self._driver.execute_script(_HERE, url), "")
        except AssertionError as error:
            raise AssertionError(f"never at {url}, but at {self._driver.current_url}") from error
        time.sleep(_BRIEFLY_S)

    def _until(self, expression: str) -> None:
        if expression.startswith("prerendered "):
            url = self._url(expression.removeprefix("prerendered "))
            wait_for(lambda: self._site.was_prerendered(url), expression)
            time.sleep(0.5)
        else:
            wait_until(self._driver, expression)
