"""What a browser is taken for, from its own string and hints through the tracker and the server into the columns."""

from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Page
from selenium.webdriver.remote.webdriver import WebDriver

from e2e.agents import CHROME_ANDROID, CHROME_WINDOWS, EDGE_WINDOWS, Agent, pass_for
from e2e.driven import flush as flush_driven
from e2e.driven import wait_until
from e2e.footfall import Footfall, named
from e2e.page_server import PageServer
from e2e.visitor import flush, track

COLUMNS = ("browser", "browser_version", "os", "os_version", "device", "device_type", "bot")
# The tracker never waits for the hints; the story does, to see what an event says that has them.
HINTS_ARE_THERE = "navigator.userAgentData.getHighEntropyValues(['model']).then(() => true)"


def hinted(agent: Agent, **changes: Any) -> Agent:
    """Return an agent with other hints."""
    return replace(agent, hints={**(agent.hints or {}), **changes})


def brands(name: str) -> dict[str, list[dict[str, str]]]:
    """Return the hints' two lists of brands for a browser of this name."""
    both = [("Chromium", "155"), (name, "155"), ("Not?A_Brand", "24")]
    return {
        "brands": [{"brand": brand, "version": version} for brand, version in both],
        "fullVersionList": [{"brand": brand, "version": f"{version}.0.7.1"} for brand, version in both],
    }


TABLET = replace(
    hinted(CHROME_ANDROID, model="SM-X200", mobile=False, formFactors=["Tablet"]),
    user_agent=CHROME_ANDROID.user_agent.replace(" Mobile", ""),
)
DESKTOP_SITE = replace(
    hinted(TABLET), user_agent=CHROME_WINDOWS.user_agent.replace("Windows NT 10.0; Win64; x64", "X11; Linux x86_64")
)
HEADLESS = hinted(CHROME_WINDOWS, **brands("HeadlessChrome"))

RECOGNISED = [
    (CHROME_WINDOWS, ("Chrome", "155.0.0.0", "Windows", "11", "Other", "pc", None)),
    (EDGE_WINDOWS, ("Edge", "155.0.0.0", "Windows", "10", "Other", "pc", None)),
    (hinted(CHROME_WINDOWS, **brands("Brave")), ("Brave", "155.0.7.1", "Windows", "11", "Other", "pc", None)),
    (CHROME_ANDROID, ("Chrome", "155.0.0.0", "Android", "16", "Google Pixel 9", "mobile", None)),
    (TABLET, ("Chrome", "155.0.0.0", "Android", "16", "Samsung SM-X200", "tablet", None)),
    (DESKTOP_SITE, ("Chrome", "155.0.0.0", "Android", "16", "Samsung SM-X200", "tablet", None)),
    (HEADLESS, ("Chrome", "155.0.7.1", "Windows", "11", "Other", "pc", "headless")),
]
IDS = ["windows-11", "edge", "brave", "phone", "tablet", "tablet-asks-for-desktop", "headless-by-brand-alone"]


@pytest.mark.engines("chromium", reason="only Chromium has client hints")
@pytest.mark.parametrize(("agent", "wanted"), RECOGNISED, ids=IDS)
def test_browser_is_recognised_by_its_hints(
    page: Page, footfall: Footfall, pages: PageServer, agent: Agent, wanted: tuple[str | None, ...]
) -> None:
    pass_for(page, agent)
    page.goto(pages.url("recognition/site"))
    assert page.evaluate(HINTS_ARE_THERE)
    track(page, "Looked")
    flush(page)
    (looked,) = named(footfall.events(), "Looked")
    assert tuple(looked[column] for column in COLUMNS) == wanted


@pytest.mark.engines("chromium", reason="only Chromium has client hints")
@pytest.mark.parametrize(("agent", "wanted"), RECOGNISED[:4], ids=IDS[:4])
def test_first_event_knows_browser_system_and_type(
    page: Page, footfall: Footfall, pages: PageServer, agent: Agent, wanted: tuple[str | None, ...]
) -> None:
    """Three headers come with every request; what they leave open (versions, model) is all that may be missing."""
    pass_for(page, agent)
    page.goto(pages.url("recognition/site"))
    flush(page)
    first = footfall.events()[0]
    assert (first["browser"], first["os"], first["device_type"]) == (wanted[0], wanted[2], wanted[5])


def test_real_engine_is_recognised(driver: WebDriver, footfall: Footfall, pages: PageServer, engine: str) -> None:
    driver.get(pages.url("recognition/site"))
    wait_until(driver, "tracker.version")
    flush_driven(driver)
    first = footfall.events()[0]
    names = {"chromium": {"Chromium", "Chrome"}, "firefox": {"Firefox"}, "webkit": {"Safari"}}
    assert first["browser"] in names[engine]
    assert (first["os"], first["device"], first["device_type"]) == ("Linux", "Other", "pc")
    assert str(first["browser_version"]).split(".")[0] in driver.execute_script("return navigator.userAgent")
