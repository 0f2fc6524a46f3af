"""The browsers that the stories share: each engine is started once, when a story first asks for it.

An engine that this machine has not is a skipped story with its reason; where CI is set it is a failure.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn

import pytest
from playwright.sync_api import Browser, Playwright
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.remote.webdriver import WebDriver

from e2e.driven import begin_clean
from e2e.visitor import look_ordinary
from tools.browsers import Missing, drive, launch


class Launched:
    """Owns the browsers that Playwright drives; each visitor gets a context of its own in one of them."""

    def __init__(self, playwright: Playwright, stack: ExitStack) -> None:
        self._playwright = playwright
        self._stack = stack
        self._browsers: dict[str, Browser] = {}

    def get(self, engine: str) -> Browser:
        """Return the engine's browser."""
        if engine not in self._browsers:
            with available(f"playwright:{engine}"):
                browser = launch_ordinary(self._playwright, engine)
            self._browsers[engine] = self._stack.enter_context(browser)
        return self._browsers[engine]


class Driven:
    """Owns the browsers that Selenium drives. All stories share a profile, so it is emptied for each."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._drivers: dict[str, WebDriver] = {}

    def get(self, engine: str, *origins: str) -> WebDriver:
        """Return the engine's browser with one visible, empty tab, and nothing kept for these origins."""
        try:
            return begin_clean(self._started(engine), *origins)
        except WebDriverException:  # a story closed its last tab, or the browser has died
            del self._drivers[engine]
            return begin_clean(self._started(engine), *origins)

    def _started(self, engine: str) -> WebDriver:
        if engine not in self._drivers:
            self._drivers[engine] = self._stack.enter_context(drive_own(engine))
        return self._drivers[engine]


def launch_ordinary(playwright: Playwright, engine: str, **options: Any) -> Browser:
    """Return a browser that looks like a person's. Shape: options are those of Playwright's `launch`."""
    arguments = look_ordinary() if engine == "chromium" else []
    return launch(getattr(playwright, engine), args=arguments, **options)


@contextmanager
def drive_own(engine: str, **options: Any) -> Iterator[WebDriver]:
    """Return a browser with a profile of this story's own. Shape: options are those of `tools.browsers.drive`."""
    with ExitStack() as stack:
        with available(f"selenium:{engine}"):
            driver = stack.enter_context(drive(engine, **options))
        yield driver


_missing: dict[str, str] = {}  # a browser that is not there is looked for once


@contextmanager
def available(browser: str) -> Iterator[None]:
    """Skip the story when a browser cannot be started here; fail it where that must not happen."""
    if browser in _missing:
        refuse(_missing[browser])
    try:
        yield
    except Missing as error:
        _missing[browser] = str(error)
        refuse(str(error))


def refuse(reason: str) -> NoReturn:
    """Skip the story and print why; a machine that runs CI has to have every engine."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
