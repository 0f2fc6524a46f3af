"""The browser lets the page keep nothing, or no cookies: the tracker works in memory, throws nothing, and says so."""

from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from e2e.driven import flush, noise, track, wait_until
from e2e.engines import drive_own
from e2e.footfall import Footfall, names
from e2e.page_server import PageServer

# what localStorage is, or which error it throws
STORAGE = "(() => { try { return typeof localStorage } catch (error) { return error.name } })()"
COOKIE = "(() => { try { document.cookie = 'a=b'; return document.cookie } catch (error) { return error.name } })()"
NOTHING: dict[str, dict[str, Any]] = {
    "chromium": {"prefs": {"profile.default_content_setting_values.cookies": 2}},
    "firefox": {"prefs": {"network.cookie.cookieBehavior": 2}},
    "webkit": {"arguments": ["--cookies-policy=never"]},
}
# where third parties' storage is not forbidden it is partitioned, which takes nothing away from a page
NO_THIRD_PARTY: dict[str, dict[str, Any]] = {
    "chromium": {
        "prefs": {"profile.block_third_party_cookies": True, "profile.cookie_controls_mode": 1},
        "arguments": ["--disable-features=ThirdPartyStoragePartitioning"],
    },
    "firefox": {"prefs": {"network.cookie.cookieBehavior": 1}},
}


def check(driver: WebDriver, footfall: Footfall) -> None:
    """Prove that everything arrives, of one visitor in one session, and that the page hears nothing of it."""
    wait_until(driver, "tracker.version")
    track(driver, "Late")
    flush(driver)
    events = footfall.events()
    assert names(events) == ["$session_start", "$page_view", "Early", "Late"]
    assert len({(event["visitor_id"], event["session_id"]) for event in events}) == 1
    assert noise(driver) == []


def check_debugged(driver: WebDriver) -> None:
    """Prove that a debugged tracker says that it works in memory."""
    wait_until(driver, "tracker.version")
    flush(driver)
    said = noise(driver)
    assert [line for line in said if not line.startswith("log: tracker ")] == []
    assert said.count("log: tracker fault storage") == 1


@pytest.fixture
def forbidding(engine: str) -> Iterator[WebDriver]:
    """Return a browser that lets no page keep anything; WebKit's setting is for cookies alone."""
    with drive_own(engine, **NOTHING[engine]) as driver:
        yield driver


@pytest.mark.engines("chromium", "firefox", "webkit")
def test_events_arrive_from_a_browser_that_keeps_nothing(
    forbidding: WebDriver, engine: str, footfall: Footfall, pages: PageServer
) -> None:
    forbidding.get(pages.url("no_storage/site"))
    kept = [forbidding.execute_script(f"return {each}") for each in (STORAGE, COOKIE)]
    assert kept == {"webkit": ["object", ""]}.get(engine, ["SecurityError", ""])
    check(forbidding, footfall)
    if engine != "webkit":
        forbidding.get(pages.url("no_storage/site?debug"))
        check_debugged(forbidding)


@pytest.mark.engines("chromium", "firefox", reason="WebKit has no setting that takes a frame's storage away")
def test_events_arrive_from_a_frame_of_another_site(engine: str, footfall: Footfall, pages: PageServer) -> None:
    with drive_own(engine, **NO_THIRD_PARTY[engine]) as driver:
        driver.get(pages.url("no_storage/frame").replace("localhost", "127.0.0.1"))
        driver.switch_to.frame(0)
        assert driver.execute_script(f"return {STORAGE}") == "SecurityError"
        check(driver, footfall)


def test_events_arrive_from_a_sandboxed_frame(driver: WebDriver, footfall: Footfall, pages: PageServer) -> None:
    driver.get(pages.url("no_storage/sandbox"))
    driver.switch_to.frame(0)
    assert driver.execute_script(f"return {STORAGE}") == "SecurityError"
    check(driver, footfall)
    driver.get(pages.url("no_storage/sandbox?debug"))
    driver.switch_to.frame(0)
    check_debugged(driver)


@pytest.mark.engines("chromium", "firefox", "webkit")
def test_events_arrive_where_the_storage_throws_at_each_use(
    driver: WebDriver, footfall: Footfall, pages: PageServer
) -> None:
    """As Firefox's does when its file is broken, here made by the page."""
    driver.get(pages.url("no_storage/broken"))
    assert driver.execute_script(f"return {STORAGE}") == "object"
    check(driver, footfall)
    driver.get(pages.url("no_storage/broken?debug"))
    check_debugged(driver)
