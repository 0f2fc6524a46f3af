"""Each row of the written table, in each engine: exactly the views that it says, in its order."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.engines import Driven, refuse
from e2e.footfall import Event, Footfall
from e2e.navigation.site import Site
from e2e.navigation.table import Navigation, read_table
from e2e.navigation.walker import Walker

ROWS = read_table()
WALKS = sorted(((engine, row) for row in ROWS for engine in row.engines), key=lambda walk: walk[0])
LEAST_ROWS = 40
PACKAGE = Path(__file__).parents[2] / "tracker_js"
KEPT = "until window.kept"  # a busy machine's browser may not keep the page
LONE_ENGINE = "firefox"  # two at once on a busy machine: requests took longer than a flush waits


def marks_of(engine: str, row: Navigation) -> list[pytest.MarkDecorator]:
    """Return how the row has to be run."""
    return [pytest.mark.alone] if engine == LONE_ENGINE or KEPT in row.steps else []


@pytest.fixture(scope="module")
def site(standing: Footfall) -> Iterator[Site]:
    """Return the site of all rows, whose package is built from the sources."""
    bundler = PACKAGE / "node_modules" / ".bin" / "esbuild"
    if not bundler.exists():
        refuse("the tracker's packages are not installed: make setup")
    command = [str(bundler), "src/module.ts", "--bundle", "--format=esm", '--define:__VERSION__="0"']
    built = subprocess.run(command, cwd=PACKAGE, capture_output=True, check=True)
    serving = Site(standing.base_url, built.stdout)
    yield serving
    serving.close()


@pytest.mark.parametrize(
    ("engine_name", "row"),
    [pytest.param(engine, row, marks=marks_of(engine, row), id=f"{row.slug}-{engine}") for engine, row in WALKS],
)
def test_navigation_is_viewed_as_the_table_says(
    engine_name: str, row: Navigation, driven: Driven, footfall: Footfall, site: Site
) -> None:
    root = site.add(f"{row.slug}-{engine_name}", row)
    driver = driven.get(engine_name)
    Walker(driver, site, root).walk(row)
    events = [event for event in footfall.events() if event["url"].startswith(root)]
    views = [event for event in events if event["name"] == "$page_view"]
    assert [view["url"].removeprefix(root) for view in views] == row.views
    if row.titles is not None:
        assert [view["props"]["$title"] for view in views] == row.titles
    if row.referrers is not None:
        assert [_shorten(view["props"]["$referrer"], root) for view in views] == row.referrers
    if row.hits is not None:
        assert [_source(event) for event in events if event["name"] == "$utm_hit"] == row.hits


def test_table_is_as_long_as_promised() -> None:
    assert len(ROWS) >= LEAST_ROWS


def _shorten(url: str, root: str) -> str:
    return "/" + url.removeprefix(root) if url.startswith(root) else url


def _source(event: Event) -> str:
    return str(event["props"]["$utm_source"])
