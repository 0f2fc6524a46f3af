"""Optional plugins, loaded by name beside the tracker, under the strictest of policies."""

from playwright.sync_api import Page

from e2e.footfall import Footfall, named
from e2e.page_server import PageServer
from e2e.visitor import Visitor, flush

_STAY = "addEventListener('click', (event) => event.preventDefault())"


def open_page(page: Page, pages: PageServer, path: str, *plugins: str) -> None:
    """Open a page and return when its plugins have been loaded and run."""
    page.goto(pages.url(path))
    for name in plugins:
        page.wait_for_function(
            "(file) => performance.getEntriesByType('resource').some((each) => each.name.includes(file))",
            arg=f"/plugins/{name}.js",
        )
    # a module runs in a task after it has arrived
    page.evaluate("new Promise((resolve) => setTimeout(resolve, 50))")


def test_links_are_recorded_under_a_strict_policy_and_trusted_types(
    page: Page, footfall: Footfall, pages: PageServer
) -> None:
    open_page(page, pages, "plugins/strict", "outbound")
    page.evaluate(_STAY)
    for name in ("Elsewhere", "Prices", "Inside"):
        page.get_by_role("link", name=name).click()
    flush(page)
    events = footfall.events()
    (followed,) = named(events, "Link followed")
    assert followed["props"] == {"url": "https://elsewhere.example/terms", "domain": "elsewhere.example"}
    (downloaded,) = named(events, "File downloaded")
    assert downloaded["props"] == {"url": f"{pages.base_url}/price-list.pdf", "extension": "pdf"}


def test_unknown_plugin_is_reported_in_debug_and_harms_nothing(
    visitor: Visitor, footfall: Footfall, pages: PageServer
) -> None:
    visitor.expect_noise("nonesuch")
    page = visitor.page
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    with page.expect_console_message(lambda message: "fault" in message.text):
        page.goto(pages.url("plugins/unknown"))
    flush(page)
    assert any("nonesuch" in line for line in told)
    assert len(named(footfall.events(), "$page_view")) == 1
