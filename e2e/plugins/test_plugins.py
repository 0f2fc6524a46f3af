"""Optional plugins, loaded by name beside the tracker, under the strictest of policies."""

import pytest
from playwright.sync_api import Page

from e2e.footfall import Footfall, named
from e2e.page_server import PageServer
from e2e.visitor import Visitor, flush

pytestmark = pytest.mark.engines("chromium", "firefox")
ALL = ("vitals", "scroll", "errors", "engagement", "ecommerce", "push", "calendly", "touch")
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
    page = visitor.page  # whose console may show no error
    page.add_init_script("window.told = []; console.log = (...words) => told.push(words.join(' '))")
    page.goto(pages.url("plugins/unknown"))
    page.wait_for_function("told.some((line) => line.startsWith('tracker fault'))")
    flush(page)
    assert any("no such plugin; there are: calendly," in line for line in page.evaluate("told"))
    assert len(named(footfall.events(), "$page_view")) == 1


def test_all_plugins_together_tell_what_happened(visitor: Visitor, footfall: Footfall, pages: PageServer) -> None:
    visitor.expect_noise("a fault of the page")
    page = visitor.page
    open_page(page, pages, "plugins/all", *ALL)
    page.get_by_role("button", name="Cart").click()
    page.mouse.wheel(0, 1500)
    page.wait_for_function("scrollY >= 1500")
    page.evaluate("void setTimeout(() => { throw new Error('a fault of the page') })")
    page.wait_for_timeout(1100)  # less than a second is no engagement
    page.goto("about:blank")
    # a beacon's answer is never read, so what arrived is the only proof
    for name in ("Page engaged", "Web vital", "Script error", "Page scrolled", "$cart_viewed"):
        footfall.wait_for(1, name=name)
    events = footfall.events()
    (viewed,) = named(events, "$product_viewed")
    assert viewed["props"]["$name"] == "Lamp"
    assert viewed["props"]["$img"] == f"{pages.base_url}/lamp.jpg"
    assert viewed["props"]["$amount"] == 50
    (cart,) = named(events, "$cart_viewed")
    assert cart["props"]["$name"] == ["Lamp"]
    assert [event["props"]["percent"] for event in named(events, "Page scrolled")] == [25, 50]
    (fault,) = named(events, "Script error")
    # Chromium puts a word before what was thrown
    assert fault["props"]["message"].removeprefix("Uncaught ") == "Error: a fault of the page"
    (engaged,) = named(events, "Page engaged")
    assert engaged["props"]["seconds"] >= 1
    metrics = {event["props"]["metric"] for event in named(events, "Web vital")}
    assert {"TTFB", "FCP", "LCP"} <= metrics


def test_page_of_another_product_moves_by_changing_one_address(
    page: Page, footfall: Footfall, pages: PageServer
) -> None:
    page.goto(pages.url("plugins/moved"))
    page.wait_for_function("window.tracker && tracker.version")
    page.evaluate("void carrotquest.track('Second', { step: 2 })")
    flush(page)
    events = footfall.events()
    (rung,) = named(events, "Bell rung")
    assert rung["props"] == {"loud": True}
    assert len(named(events, "Second")) == 1
    assert len(named(events, "$page_view")) == 1
