"""Fixtures of the stories: browsers for all, a server for each story, pages and a visitor for each test.

A story by Playwright (`page`, `visit`) runs in Chromium, one by Selenium (`driver`) in all three engines, unless its
module or the test says otherwise: `@pytest.mark.engines("chromium", "firefox")`, the nearest mark counts.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright
from selenium.webdriver.remote.webdriver import WebDriver

from e2e.driven import leave
from e2e.engines import Driven, Launched
from e2e.footfall import Footfall
from e2e.page_server import PageServer
from e2e.visitor import TIMEOUT_MS, Arrive, Visitor, arrive
from tools.browsers import ENGINES

TEST_TIMEOUT_S = 90
expect.set_options(timeout=TIMEOUT_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each story a limit: a browser that hangs must not hold up the rest."""
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TEST_TIMEOUT_S))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a story once in each of its engines."""
    if "engine" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("engines")
        usual = ENGINES if "driver" in metafunc.fixturenames else ENGINES[:1]
        metafunc.parametrize("engine", mark.args if mark else usual, indirect=True)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """Return the engine that the story runs in, one of ENGINES."""
    return str(request.param)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Return Playwright's driver."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def launched(playwright: Playwright) -> Iterator[Launched]:
    """Return the browsers that Playwright drives."""
    with ExitStack() as stack:
        yield Launched(playwright, stack)


@pytest.fixture(scope="session")
def driven() -> Iterator[Driven]:
    """Return the browsers that Selenium drives."""
    with ExitStack() as stack:
        yield Driven(stack)


@pytest.fixture
def browser(launched: Launched, engine: str) -> Browser:
    """Return the engine's browser, which looks like a person's."""
    return launched.get(engine)


@pytest.fixture
def driver(driven: Driven, engine: str, footfall: Footfall, pages: PageServer) -> Iterator[WebDriver]:
    """Return the engine's browser driven by Selenium, with one visible tab and nothing kept."""
    running = driven.get(engine, pages.base_url, footfall.base_url)
    yield running
    leave(running)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Footfall]:
    """Return the server that the tests of one story share."""
    yield from _serve(tmp_path_factory.mktemp("standing"))


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Footfall]:
    """Return a server of this test's own, with an empty data folder. Ask for it before visitors: they leave first."""
    yield from _serve(tmp_path)


@pytest.fixture
def footfall(standing: Footfall) -> Footfall:
    """Return the story's server, which tells only of what happens from now on."""
    standing.begin()
    return standing


@pytest.fixture
def pages(footfall: Footfall) -> Iterator[PageServer]:
    """Return the customer's site: the pages beside the tests, from an origin of another site than the tracker's."""
    serving = PageServer(footfall.base_url)
    yield serving
    serving.close()


@pytest.fixture
def visit(browser: Browser, pages: PageServer) -> Iterator[Arrive]:
    """Return a function that makes visitors; in the end none of their consoles may have shown an error."""
    del pages  # asked for so that visitors leave before both servers do: their last requests must not fail
    visitors: list[Visitor] = []

    def make(**options: object) -> Visitor:
        visitors.append(arrive(browser, **options))
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.context.close()
    assert [line for visitor in visitors for line in visitor.complaints()] == []


@pytest.fixture
def visitor(visit: Arrive) -> Visitor:
    """Return one ordinary visitor."""
    return visit()


@pytest.fixture
def page(visitor: Visitor) -> Page:
    """Return the visitor's page."""
    return visitor.page


def _serve(folder: Path) -> Iterator[Footfall]:
    running = Footfall(folder / "data")
    yield running
    running.kill()
