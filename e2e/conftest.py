"""Fixtures of the stories: one browser for all, a server for each story, pages and a visitor for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from e2e.footfall import Footfall
from e2e.page_server import PageServer
from e2e.visitor import TIMEOUT_MS, Arrive, Visitor, arrive, look_ordinary
from tools.browsers import launch

TEST_TIMEOUT_S = 40
expect.set_options(timeout=TIMEOUT_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each story a limit: a browser that hangs must not hold up the rest."""
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TEST_TIMEOUT_S))


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Return Playwright's driver."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Return a Chromium that looks like a person's."""
    with launch(playwright.chromium, args=look_ordinary()) as running:
        yield running


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
