"""Anyone may send events: whatever they hold is shown as text, runs nothing and leads nowhere."""

import json

import pytest
from playwright.sync_api import Locator, Page, expect

from e2e.admin import sign_in
from e2e.footfall import Footfall
from e2e.page_server import PageServer
from e2e.visitor import Arrive, Visitor, flush, track

IMAGE = "<img src=x onerror=\"window.hacked='event'\">"
SCRIPT = "</script><script>window.hacked='script'</script>"
TEMPLATE = "{{ 7 * 7 }}${7*7}"
LINK = "javascript:window.hacked='link'"
PROPS = {"link": LINK, "$name": IMAGE, IMAGE: SCRIPT, "template": TEMPLATE, "data": "data:text/html,<script>1</script>"}


@pytest.fixture
def attacked(page: Page, visit: Arrive, pages: PageServer, footfall: Footfall) -> Page:
    """Return a dashboard on which a customer's page has put whatever it wanted, accepted and rejected."""
    sign_in(page, footfall)
    attacker = visit().page
    attacker.goto(pages.url(f"dashboard/customer?utm_source={IMAGE}&utm_campaign={LINK}"))
    track(attacker, IMAGE, PROPS)
    track(attacker, "$order_paid", {"$order_id": IMAGE, "link": LINK})
    flush(attacker)
    footfall.post({"name": LINK, "visitor_id": IMAGE, "user_id": SCRIPT, "page": {"url": LINK, "title": SCRIPT}})
    expect(rows(page)).to_have_count(6)
    return page


def rows(page: Page) -> Locator:
    """Return the rows of the stream."""
    return page.locator("#events > li")


def open_all(page: Page) -> None:
    """Open every row."""
    for button in page.locator("#events > li button.open").all():
        button.click()
    expect(page.locator("#events .detail")).to_have_count(6)


def traces(page: Page) -> dict[str, object]:
    """Return what an attack that worked would leave in the page."""
    found: dict[str, object] = page.evaluate("""() => ({
        hacked: window.hacked,
        elements: [...document.querySelectorAll("#events img, #events script, #cards img, #cards script")].length,
        links: [...document.links].map((link) => link.protocol).filter((each) => !/^https?:$/.test(each)),
        handlers: [...document.querySelectorAll("[onerror], [onclick], [onload]")].length,
    })""")
    return found


CLEAN: dict[str, object] = {"hacked": None, "elements": 0, "links": [], "handlers": 0}


def test_stream_shows_hostile_text_as_text(attacked: Page) -> None:
    open_all(attacked)
    text = attacked.locator("#events").inner_text()
    assert [each for each in (IMAGE, SCRIPT, TEMPLATE, LINK) if each not in text] == []
    assert traces(attacked) == CLEAN


def test_counts_and_history_show_hostile_text_as_text(attacked: Page, footfall: Footfall) -> None:
    footfall.wait_for(5)
    attacked.reload()
    expect(rows(attacked)).to_have_count(6)
    expect(attacked.locator("#cards").get_by_role("button", name=IMAGE)).to_be_visible()
    open_all(attacked)
    assert traces(attacked) == CLEAN


def test_filters_take_hostile_text_as_text(attacked: Page, footfall: Footfall) -> None:
    footfall.wait_for(5)
    attacked.get_by_placeholder("Any event").focus()
    expect(attacked.locator(f"#names option[value={json.dumps(IMAGE)}]")).to_be_attached()
    attacked.get_by_placeholder("Any event").fill(IMAGE)
    attacked.keyboard.press("Enter")
    expect(rows(attacked)).to_have_count(1)
    attacked.reload()
    expect(rows(attacked)).to_have_count(1)
    assert traces(attacked) == CLEAN


def test_shop_and_its_panel_show_hostile_text_as_text(page: Page, footfall: Footfall) -> None:
    page.goto(f"{footfall.shop_url}catalogue?q={IMAGE}")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"“{IMAGE}”")
    track(page, IMAGE, PROPS)
    flush(page)
    entry = page.locator("[data-panel-list] > li").first
    expect(entry.locator(".event-name")).to_have_text(IMAGE)
    entry.locator("summary").click()
    expect(entry.locator("pre")).to_contain_text(LINK)
    assert traces(page) == CLEAN
    assert page.locator("[data-panel-list] img, [data-panel-list] script, main h1 img").count() == 0


def test_policy_would_stop_what_slipped_through(visitor: Visitor, footfall: Footfall) -> None:
    """The last line of defence, and the proof that every story hears of violations."""
    sign_in(visitor.page, footfall)
    visitor.page.evaluate("""() => {
        const script = document.createElement("script");
        script.textContent = "window.hacked = 'inline'";
        document.body.append(script);
    }""")
    assert visitor.page.evaluate("window.hacked") is None
    assert any("policy violated: script-src" in line for line in visitor.complaints())
    visitor.expect_noise("policy violated")
    visitor.expect_noise("Content Security Policy")
