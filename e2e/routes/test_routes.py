"""A single-page section: one view for each route, however the visitor gets there, and none for anything else."""

import pytest
from playwright.sync_api import Page, Playwright, expect

from e2e.footfall import Event, Footfall
from e2e.page_server import PageServer
from e2e.visitor import arrive, flush, look_ordinary
from tools.browsers import launch

pytestmark = pytest.mark.engines("chromium", "firefox")
HIDE_NAVIGATION_API = "Object.defineProperty(window, 'navigation', {value: undefined})"
RIDE = "Harbour, quarter past six"


@pytest.fixture(params=["navigation_api", "history_only"])
def lookbook(request: pytest.FixtureRequest, page: Page, footfall: Footfall) -> Page:
    """Return the shop's single-page section; once as in older browsers, which have no Navigation API."""
    if request.param == "history_only":
        page.add_init_script(HIDE_NAVIGATION_API)
    page.goto(f"{footfall.shop_url}lookbook/")
    flush(page)
    return page


def change(page: Page, script: str) -> None:
    """Change the address as a router would, then let the server answer."""
    page.evaluate(script)
    # a view is told in the task after the change, once the page has its new title
    page.evaluate("new Promise((resolve) => setTimeout(resolve, 50))")
    flush(page)


def views(footfall: Footfall) -> list[Event]:
    """Return the stored page views."""
    return footfall.events(name="$page_view")


def addresses(footfall: Footfall) -> list[str]:
    """Return the addresses of the stored page views, from the lookbook on."""
    return [view["url"].removeprefix(f"{footfall.shop_url}lookbook/") for view in views(footfall)]


def test_each_route_is_viewed_once_by_click_back_and_forward(lookbook: Page, footfall: Footfall) -> None:
    lookbook.get_by_role("link", name=RIDE).click()
    expect(lookbook.get_by_role("heading", name=RIDE)).to_be_visible()
    change(lookbook, "history.back()")
    expect(lookbook.get_by_role("heading", name="Four short rides")).to_be_visible()
    change(lookbook, "history.forward()")
    expect(lookbook.get_by_role("heading", name=RIDE)).to_be_visible()
    flush(lookbook)
    assert addresses(footfall) == ["", "harbour", "", "harbour"]


def test_view_of_a_route_has_its_own_title_and_the_route_before_as_referrer(lookbook: Page, footfall: Footfall) -> None:
    lookbook.get_by_role("link", name=RIDE).click()
    change(lookbook, "null")
    view = views(footfall)[1]["props"]
    assert view["$title"] == lookbook.title() == f"{RIDE} · Kittiwake Cycles"
    assert view["$referrer"] == f"{footfall.shop_url}lookbook/"


def test_route_is_not_viewed_when_path_and_query_stay(lookbook: Page, footfall: Footfall) -> None:
    for script in (
        "history.replaceState({}, '', location.href)",
        "history.pushState({}, '', location.href)",
        "history.replaceState({}, '', '#photo')",
        "history.pushState({}, '', '#words')",
        "location.hash = 'place'",
    ):
        change(lookbook, script)
        assert (script, addresses(footfall)) == (script, [""])


def test_route_is_viewed_when_path_or_query_changed(lookbook: Page, footfall: Footfall) -> None:
    expected = [""]
    for script, viewed in (
        ("history.pushState({}, '', '?page=2')", ["?page=2"]),
        ("history.replaceState({}, '', '?page=3')", ["?page=3"]),
        ("history.pushState({}, '', 'ferry')", ["ferry"]),
        ("history.replaceState({}, '', location.href); history.pushState({}, '', 'market')", ["market"]),
        ("history.pushState({}, '', 'ferry'); history.pushState({}, '', 'bridge')", ["ferry", "bridge"]),
    ):
        change(lookbook, script)
        expected += viewed
        assert (script, addresses(footfall)) == (script, expected)


def test_campaign_of_a_route_is_noted_before_its_view(page: Page, footfall: Footfall) -> None:
    page.goto(f"{footfall.shop_url}lookbook/")
    change(page, "history.pushState({}, '', '?utm_source=inside')")
    [*_, hit, view] = footfall.events()
    assert (hit["name"], hit["props"]["$utm_source"]) == ("$utm_hit", "inside")
    assert (view["name"], view["utm_source"]) == ("$page_view", "inside")


def test_hash_is_a_route_where_the_page_says_so(page: Page, footfall: Footfall, pages: PageServer) -> None:
    page.goto(pages.url("routes/hash_routes"))
    page.get_by_role("link", name="List").click()
    page.get_by_role("link", name="Detail").click()
    page.get_by_role("link", name="Detail").click()
    change(page, "history.back()")
    start = pages.url("routes/hash_routes")
    assert [view["url"] for view in views(footfall)] == [start, f"{start}#/list", f"{start}#/detail", f"{start}#/list"]


def test_return_from_the_back_forward_cache_is_a_view_again(playwright: Playwright, footfall: Footfall) -> None:
    # Playwright switches this cache off, and waits for a load that a page from it never has
    with launch(
        playwright.chromium, args=look_ordinary(), ignore_default_args=["--disable-back-forward-cache"]
    ) as browser:
        page = arrive(browser).page
        page.goto(f"{footfall.shop_url}lookbook/")
        page.evaluate("window.mark = 42")
        flush(page)
        page.goto(f"{footfall.shop_url}catalogue")
        flush(page)
        page.go_back(wait_until="commit")
        page.wait_for_function("window.mark === 42")
        change(page, "null")
    assert [view["path"] for view in views(footfall)] == ["/demo/lookbook/", "/demo/catalogue", "/demo/lookbook/"]
