"""A page allows nothing but scripts with its nonce: the tracker and all its plugins work, and violate nothing."""

from selenium.webdriver.remote.webdriver import WebDriver

from e2e.driven import click, flush, hide, noise, show, track, wait_until
from e2e.footfall import Footfall, names
from e2e.page_server import PageServer

ARRIVAL = ["$session_start", "$page_view"]
PLUGINS = ("vitals", "outbound", "scroll", "errors", "engagement", "ecommerce", "push", "calendly", "touch")


def test_tracker_and_plugins_work_under_a_strict_policy_without_a_word(
    driver: WebDriver, footfall: Footfall, pages: PageServer
) -> None:
    driver.get(pages.url("strict_policy/site"))
    wait_until(driver, "tracker.version")
    for name in PLUGINS:
        wait_until(
            driver, f"performance.getEntriesByType('resource').some(({{name}}) => name.includes('/plugins/{name}.js'))"
        )
    click(driver, "input")
    driver.switch_to.active_element.send_keys("Bergen")
    driver.execute_script("document.activeElement.blur(); history.pushState({}, '', '?next')")
    track(driver, "By hand")
    hide(driver)
    wait_until(driver, "document.hidden")
    show(driver)
    wait_until(driver, "!document.hidden")
    flush(driver)
    stored = names(footfall.events())
    told = [name for name in stored if name not in {"Web vital", "Page engaged"}]
    assert told == [*ARRIVAL, "$input_filled", "$page_view", "By hand"]
    assert noise(driver) == []
    # the policy is in force, and the page would have told
    driver.execute_script("new Image().src = 'http://elsewhere.localhost/'")
    wait_until(driver, "noise.some((line) => line.startsWith('violated: img-src'))")
