"""Writes docs/shop.png and docs/dashboard.png, of a shop that several people have just visited.

Run: `python -m e2e.screenshots`.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from e2e import agents
from e2e.admin import sign_in
from e2e.agents import Agent
from e2e.footfall import Footfall
from e2e.visitor import arrive, flush, look_ordinary
from server.sites import DEMO_SITE
from tools.browsers import launch

DOCS = Path(__file__).resolve().parent.parent / "docs"
SIZE = {"width": 1280, "height": 860}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Somebody who visits the shop. Shape: address is a public name server's, because those stay where they are."""

    agent: Agent
    address: str
    query: str = ""
    referrer: str = ""
    do: Callable[[Page, str], None]


def go(page: Page, address: str) -> None:
    """Open a page once the one before has sent everything: what is sent in leaving carries no forwarded address."""
    flush(page)
    page.goto(address)


def look_around(page: Page, shop: str) -> None:
    """Turn the leaves of the lookbook."""
    go(page, f"{shop}lookbook/")
    page.get_by_role("link", name="Saturday market").click()
    page.get_by_role("link", name="Next: The bridge in the rain").click()


def glance(page: Page, shop: str) -> None:
    """Look at one bicycle."""
    go(page, f"{shop}bicycles/swift")


def search(page: Page, shop: str) -> None:
    """Search, and look at what was found."""
    go(page, f"{shop}catalogue?q=basket")
    go(page, f"{shop}bicycles/heron")


def choose(page: Page, shop: str) -> None:
    """Put two things into the cart."""
    for slug in ("pelican", "bell"):
        go(page, f"{shop}bicycles/{slug}")
        page.get_by_role("button", name="Add to cart").click()
    go(page, f"{shop}cart")


def order(page: Page, shop: str) -> None:
    """Buy what is in the cart."""
    choose(page, shop)
    go(page, f"{shop}checkout")
    page.get_by_label("Name").press_sequentially("Ottilie Brandvold")
    page.get_by_label("Email", exact=True).press_sequentially("ottilie@example.org")
    page.get_by_role("button", name="Place the order").click()
    page.wait_for_url("**/thank-you")


def subscribe(page: Page, shop: str) -> None:
    """Ask for the newsletter."""
    go(page, f"{shop}bicycles/wren")
    page.get_by_label("Email address").press_sequentially("ottilie@example.org")
    page.get_by_role("button", name="Send it to me").click()


SPRING = "?utm_source=newsletter&utm_medium=email&utm_campaign=spring"
SEARCH_ENGINE = "https://www.google.com/"
# short visits last, so that several people are to be seen
GUESTS = [
    Guest(agent=agents.CHROME_WINDOWS, address="84.200.69.80", query=SPRING, do=order),
    Guest(agent=agents.FIREFOX_LINUX, address="77.88.8.8", do=choose),
    Guest(agent=agents.SAFARI_MAC, address="84.200.70.40", referrer=SEARCH_ENGINE, do=subscribe),
    Guest(agent=agents.SAFARI_IPHONE, address="80.67.169.40", query=SPRING, do=choose),
    Guest(agent=agents.CHROME_WINDOWS, address="193.110.81.0", query=SPRING, do=look_around),
    Guest(agent=agents.CHROME_ANDROID, address="114.114.114.114", referrer=SEARCH_ENGINE, do=order),
    Guest(agent=agents.EDGE_WINDOWS, address="9.9.9.9", referrer="https://www.bing.com/", do=search),
    Guest(agent=agents.SAFARI_IPHONE, address="80.67.169.12", referrer="https://www.instagram.com/", do=glance),
    Guest(agent=agents.CHROME_WINDOWS, address="195.46.39.39", query=SPRING, do=glance),
]


def visit(playwright: Playwright, footfall: Footfall, guest: Guest) -> None:
    """Let somebody visit the shop."""
    viewport = {"width": guest.agent.width, "height": guest.agent.height}
    with launch(playwright.chromium, args=look_ordinary(guest.agent.user_agent)) as browser:
        page = arrive(browser, viewport=viewport, extra_http_headers={"X-Forwarded-For": guest.address}).page
        agents.pass_for(page, guest.agent)
        page.goto(f"{footfall.shop_url}{guest.query}", referer=guest.referrer or None)
        guest.do(page, footfall.shop_url)
        flush(page)


def picture_shop(browser: Browser, footfall: Footfall) -> None:
    """Take the picture of the shop and of its panel."""
    page = arrive(browser, viewport=SIZE).page
    page.goto(f"{footfall.shop_url}{SPRING}")
    search(page, footfall.shop_url)
    page.get_by_role("button", name="Add to cart").click()
    go(page, footfall.shop_url)
    flush(page)
    expect(page.get_by_text("Listening, all answered")).to_be_visible()
    page.screenshot(path=DOCS / "shop.png", animations="disabled")


def picture_dashboard(browser: Browser, footfall: Footfall) -> None:
    """Take the picture of the dashboard."""
    page = arrive(browser, viewport=SIZE).page
    footfall.events()  # waits until all of them are stored
    sign_in(page, footfall)
    page.get_by_label("Site", exact=True).select_option(DEMO_SITE)
    expect(page.locator("#events > li")).to_have_count(50)
    expect(page.locator("[data-total=visitors]")).to_have_text(str(len(GUESTS)))
    page.screenshot(path=DOCS / "dashboard.png", animations="disabled")


def main() -> None:
    """Write both pictures."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        footfall = Footfall(Path(folder) / "data", FOOTFALL_TRUSTED_PROXIES="127.0.0.0/8")
        try:
            for guest in GUESTS:
                visit(playwright, footfall, guest)
            with launch(playwright.chromium, args=look_ordinary()) as browser:
                picture_dashboard(browser, footfall)
                picture_shop(browser, footfall)
        finally:
            footfall.kill()


if __name__ == "__main__":
    main()
