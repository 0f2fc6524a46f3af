"""A phone, 390 pixels wide and touched with fingers: nothing is cut off or scrolls sideways, and buying works."""

import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.admin import sign_in
from e2e.footfall import Footfall, names
from e2e.visitor import Arrive, flush

WIDTH = 390
SHOP_PAGES = [
    "",
    "catalogue",
    "catalogue?q=basket",
    "catalogue?q=" + 60 * "wide",
    "bicycles/pelican",
    "cart",
    "checkout",
    "thank-you",
    "lookbook/",
    "lookbook/harbour",
]
LONG = 300 * "w"


AGENT = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{0}.0.0.0 Mobile Safari/537.36"
)


@pytest.fixture
def phone(visit: Arrive, browser: Browser) -> Page:
    """Return the page of somebody on an Android phone, whose string is frozen and whose hints tell the rest."""
    version = browser.version.split(".")[0]
    agent = AGENT.format(version)
    viewport = {"width": WIDTH, "height": 844}
    visitor = visit(user_agent=agent, viewport=viewport, has_touch=True, is_mobile=True, device_scale_factor=2)
    hints = {
        "brands": [{"brand": "Google Chrome", "version": version}],
        "fullVersionList": [{"brand": "Google Chrome", "version": browser.version}],
        "platform": "Android",
        "platformVersion": "15.0.0",
        "architecture": "",
        "model": "Pixel 9",
        "mobile": True,
        # left to itself, an emulated phone says that it is a desktop
        "formFactors": ["Mobile"],
    }
    session = visitor.context.new_cdp_session(visitor.page)
    session.send("Emulation.setUserAgentOverride", {"userAgent": agent, "userAgentMetadata": hints})
    return visitor.page


def overhang(page: Page) -> list[str]:
    """Return what makes the page wider than the screen. A phone zooms out then, so innerWidth would hide it."""
    found: list[str] = page.evaluate(
        """(width) => document.scrollingElement.scrollWidth <= width && innerWidth === width ? [] :
            ["the page: " + document.scrollingElement.scrollWidth, ...[...document.body.querySelectorAll("*")]
            .filter((each) => each.getBoundingClientRect().right > width + 0.5)
            .map((each) => each.tagName + "." + each.className + " " + each.getBoundingClientRect().right)]""",
        WIDTH,
    )
    return found


def fill_cart(phone: Page, footfall: Footfall) -> None:
    """Put two bicycles into the cart."""
    for slug in ("pelican", "swans"):
        phone.goto(f"{footfall.shop_url}bicycles/{slug}")
        phone.get_by_role("button", name="Add to cart").tap()


def test_no_page_of_the_shop_scrolls_sideways(phone: Page, footfall: Footfall) -> None:
    fill_cart(phone, footfall)
    for path in SHOP_PAGES:
        phone.goto(f"{footfall.shop_url}{path}")
        assert (path, overhang(phone)) == (path, [])


def test_open_panel_does_not_scroll_sideways(phone: Page, footfall: Footfall) -> None:
    phone.goto(footfall.shop_url)
    phone.evaluate("long => void tracker.track(long, {[long.slice(0, 60)]: long})", LONG[:250])
    flush(phone)
    phone.get_by_role("button", name="What the tracker sent").tap()
    for entry in phone.locator("[data-panel-list] summary").all():
        entry.tap()
    assert overhang(phone) == []


def test_order_can_be_placed_with_fingers(phone: Page, footfall: Footfall) -> None:
    fill_cart(phone, footfall)
    phone.get_by_role("link", name="Open the cart").tap()
    phone.wait_for_url("**/demo/cart")
    phone.get_by_role("link", name="Check out").tap()
    phone.wait_for_url("**/demo/checkout")
    phone.get_by_label("Name").tap()
    phone.keyboard.type("Ottilie Brandvold")
    phone.get_by_label("Email", exact=True).tap()
    phone.keyboard.type("ottilie@order.example")
    phone.get_by_label("Create an account").tap()
    phone.get_by_label("Password").tap()
    phone.keyboard.type("hunter2-hunter2")
    assert overhang(phone) == []
    phone.get_by_role("button", name="Place the order").tap()
    phone.wait_for_url("**/thank-you")
    expect(phone.get_by_role("heading", name="Thank you, Ottilie Brandvold.")).to_be_visible()
    flush(phone)
    events = footfall.events()
    assert names(events).count("$order_completed") == 1
    assert {event["device_type"] for event in events} == {"mobile"}
    assert {(event["browser"], event["os"]) for event in events} == {("Chrome", "Android")}


def test_dashboard_does_not_scroll_sideways(empty: Footfall, phone: Page) -> None:
    phone.goto(f"{empty.base_url}/login")
    assert overhang(phone) == []
    sign_in(phone, empty)
    assert ("no events yet", overhang(phone)) == ("no events yet", [])
    empty.post(
        {"name": "Ordered", "visitor_id": "ann", "props": {"plan": "pro"}},
        {"name": LONG[:255], "visitor_id": LONG, "user_id": LONG, "props": {LONG[:70]: LONG, "nested": {LONG: [LONG]}}},
    )
    expect(phone.locator("#events > li")).to_have_count(2)
    assert ("stream", overhang(phone)) == ("stream", [])
    for button in phone.locator("#events > li button.open").all():
        button.tap()
    assert ("opened rows", overhang(phone)) == ("opened rows", [])
    phone.get_by_role("button", name="Counts").tap()
    expect(phone.locator("#cards")).to_be_visible()
    assert ("counts", overhang(phone)) == ("counts", [])
