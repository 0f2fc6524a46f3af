"""Firefox itself sends Global Privacy Control or Do Not Track, as its settings say: the owner's rules are kept to."""

from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from e2e.driven import flush, track, wait_until
from e2e.engines import drive_own
from e2e.footfall import Footfall, names
from e2e.page_server import PageServer

ALL = ["$session_start", "$page_view", "Heard"]
GPC = {"privacy.globalprivacycontrol.enabled": True, "privacy.globalprivacycontrol.functionality.enabled": True}
DNT = {"privacy.donottrackheader.enabled": True}


@pytest.fixture(scope="module", params=[GPC, DNT], ids=["gpc", "dnt"])
def signalling(request: pytest.FixtureRequest) -> Iterator[tuple[str, WebDriver]]:
    """Return the signal's name and a Firefox that sends it; Chromium and WebKit have no such setting."""
    prefs: dict[str, Any] = request.param
    with drive_own("firefox", prefs=prefs) as driver:
        yield "gpc" if prefs is GPC else "dnt", driver


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain", {"gpc": [], "dnt": ALL}),
        ("consent", {"gpc": [], "dnt": ALL}),
        ("ignore_gpc", {"gpc": ALL, "dnt": ALL}),
        ("dnt", {"gpc": [], "dnt": []}),
    ],
)
def test_signal_is_honoured(
    signalling: tuple[str, WebDriver], footfall: Footfall, pages: PageServer, name: str, expected: dict[str, list[str]]
) -> None:
    signal, driver = signalling
    driver.get(pages.url(f"privacy/{name}"))
    wait_until(driver, "tracker.version")
    said = driver.execute_script("return [navigator.globalPrivacyControl, navigator.doNotTrack]")
    assert said == {"gpc": [True, "unspecified"], "dnt": [False, "1"]}[signal]
    driver.execute_script("tracker.consent('granted')")
    track(driver, "Heard")
    flush(driver)
    assert names(footfall.events()) == expected[signal]
    kept = driver.execute_script("return [...Object.keys(localStorage), document.cookie].filter(Boolean)")
    assert bool(kept) == bool(expected[signal])
    driver.execute_script("localStorage.clear()")
    driver.delete_all_cookies()
    driver.get("about:blank")
