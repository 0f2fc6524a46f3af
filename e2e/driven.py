"""A page that Selenium drives: its life (hidden, kept, prerendered, closed) is the browser's own, in every engine."""

import time
from collections.abc import Callable
from typing import Any

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver

PATIENCE_S = 8.0
FLUSH_PATIENCE_S = 45.0  # a flush ends after five seconds; a request that WebKit dropped is given up after thirty
_POLL_S = 0.05
_WINDOW = (0, 0, 1000, 800)
# what still waits is told, with the wait that holds it back; a page without storage waits for its answers alone
_FLUSH = """
const done = arguments[0];
const kept = () => Object.entries(localStorage).filter(([key]) => /[.](queue[.].*|wait)$/.test(key));
(document.tracker || tracker).flush().then(() => {
  try { done(kept().some(([key]) => key.includes(".queue.")) ? kept() : []); } catch { done([]); }
});
"""


def begin_clean(driver: WebDriver, *origins: str) -> WebDriver:
    """Close all tabs but one, show that, and forget what these origins have kept."""
    for handle in driver.window_handles[1:]:
        driver.switch_to.window(handle)
        driver.close()
    driver.switch_to.window(driver.window_handles[0])
    show(driver)
    for origin in origins:
        driver.get(f"{origin}/login")
        driver.execute_script("localStorage.clear(); sessionStorage.clear()")
        driver.delete_all_cookies()
    driver.get("about:blank")
    return driver


def leave(driver: WebDriver) -> None:
    """Leave the story's pages before their servers end; a story may have closed them all."""
    for handle in driver.window_handles:
        driver.switch_to.window(handle)
        driver.get("about:blank")


def hide(driver: WebDriver) -> None:
    """Minimize the window: the page is hidden as it is for a person."""
    driver.minimize_window()


def show(driver: WebDriver) -> None:
    """Bring the window back."""
    driver.set_window_rect(*_WINDOW)


def click(driver: WebDriver, selector: str) -> None:
    """Click with the pointer; Firefox keeps no page in its back-forward cache that `element.click()` has touched."""
    ActionChains(driver).click(driver.find_element(By.CSS_SELECTOR, selector)).perform()


def wait_until(driver: WebDriver, expression: str) -> Any:
    """Return the expression's value once it is truthy. Errors: AssertionError after PATIENCE_S seconds."""
    return wait_for(lambda: driver.execute_script(f"return {expression}"), expression)


def wait_for(ask: Callable[[], Any], what: str) -> Any:
    """Return the answer once it is truthy. Errors: AssertionError after PATIENCE_S seconds."""
    end = time.monotonic() + PATIENCE_S
    while not (answer := ask()):
        assert time.monotonic() < end, f"never happened: {what}"
        time.sleep(_POLL_S)
    return answer


def flush(driver: WebDriver) -> None:
    """Return when the server has answered for everything that the page's tracker recorded.

    Errors: AssertionError, with what still waits, after FLUSH_PATIENCE_S seconds.
    """
    end = time.monotonic() + FLUSH_PATIENCE_S
    while waiting := driver.execute_async_script(_FLUSH):
        assert time.monotonic() < end, f"not answered: {waiting}"


def track(driver: WebDriver, name: str, props: dict[str, Any] | None = None) -> None:
    """Call `tracker.track` in the page."""
    driver.execute_script("tracker.track(arguments[0], arguments[1])", name, props or {})


def noise(driver: WebDriver) -> list[str]:
    """Return what the page's console, its uncaught errors and its policy said, where the page holds %WATCH%."""
    told: list[str] = driver.execute_script("return noise")
    return told
