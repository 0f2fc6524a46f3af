"""The browser keeps a page that was left and shows it again: it is viewed again, in the same session."""

from selenium.webdriver.remote.webdriver import WebDriver

from e2e.driven import click, flush, noise, track, wait_until
from e2e.footfall import Footfall, named, names
from e2e.page_server import PageServer


def test_return_to_a_kept_page_is_one_view_more_in_the_same_session(
    driver: WebDriver, footfall: Footfall, pages: PageServer
) -> None:
    driver.get(pages.url("kept/site"))
    wait_until(driver, "tracker.version")
    flush(driver)
    driver.execute_script("window.mark = 'kept'")
    for _ in range(2):
        click(driver, "a")
        wait_until(driver, "document.title === 'The next page' && window.tracker && tracker.version")
        flush(driver)
        driver.back()
        wait_until(driver, "window.persisted && window.mark === 'kept'")
        flush(driver)
    track(driver, "Still here")
    flush(driver)
    events = footfall.events()
    assert names(events) == ["$session_start", *["$page_view"] * 5, "Still here"]
    titles = [view["title"] for view in named(events, "$page_view")]
    assert titles == ["A page that is kept", *["The next page", "A page that is kept"] * 2]
    assert len({event["session_id"] for event in events}) == 1
    assert noise(driver) == []
