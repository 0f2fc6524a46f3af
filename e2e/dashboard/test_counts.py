"""Counts of the last 24 hours: events and visitors, by name and by device, without bots unless asked for."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from e2e.admin import sign_in
from e2e.footfall import Footfall
from e2e.visitor import Visitor

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


@pytest.fixture
def counted(page: Page, footfall: Footfall) -> Page:
    """Return a dashboard over four events of three people and a robot; one of them is older than a day."""
    old = (datetime.now(tz=UTC) - timedelta(hours=25)).isoformat()
    footfall.post(
        {"name": "Ordered", "visitor_id": "ann", "user_agent": FIREFOX},
        {"name": "Ordered", "visitor_id": "bob", "user_agent": IPHONE},
        {"name": "Asked", "visitor_id": "bob", "user_agent": IPHONE},
        {"name": "Ordered", "visitor_id": "eve", "user_agent": FIREFOX, "time": old},
        {"name": "Crawled", "visitor_id": "bot", "user_agent": GOOGLEBOT},
    )
    footfall.wait_for(5)
    sign_in(page, footfall)
    return page


def card(page: Page, title: str) -> list[list[str]]:
    """Return the rows of a card of counts: value, events, visitors."""
    rows = page.locator("#cards .card", has=page.get_by_role("columnheader", name=title, exact=True)).locator(
        "tbody tr"
    )
    expect(rows.first).to_be_visible()
    return [row.locator("th, td").all_inner_texts() for row in rows.all()]


def test_totals_are_of_the_last_day_and_of_people(counted: Page) -> None:
    expect(counted.locator("[data-total=events]")).to_have_text("3")
    expect(counted.locator("[data-total=visitors]")).to_have_text("2")


def test_period_reaches_further_back_and_stays(counted: Page) -> None:
    counted.get_by_label("Period").select_option("Last 7 days")
    expect(counted.locator("[data-total=events]")).to_have_text("4")
    expect(counted.locator("[data-total=visitors]")).to_have_text("3")
    counted.reload()
    expect(counted.locator("[data-total=events]")).to_have_text("4")
    counted.get_by_label("Period").select_option("Last 24 hours")
    expect(counted.locator("[data-total=events]")).to_have_text("3")


def test_last_day_moves_on_when_nothing_arrives(page: Page, footfall: Footfall) -> None:
    footfall.post({"name": "Once", "visitor_id": "v"})
    footfall.wait_for(1)
    page.clock.install()
    sign_in(page, footfall)
    expect(page.locator("[data-total=events]")).to_have_text("1")
    page.clock.fast_forward(25 * 3_600_000)
    expect(page.locator("[data-total=events]")).to_have_text("0")


def test_counts_of_another_period_do_not_stand_under_the_new_one(counted: Page, visitor: Visitor) -> None:
    visitor.expect_noise("net::ERR_")
    total = counted.locator("[data-total=events]")
    expect(total).to_have_text("3")
    counted.route("**/api/overview?*", lambda route: route.abort(), times=1)
    counted.get_by_label("Period").select_option("Last 7 days")
    expect(total).to_have_text("\u2013")
    expect(counted.locator("#cards tbody").first).to_have_text("No answer yet")
    expect(total).to_have_text("4", timeout=20_000)


def test_focus_stays_on_a_value_when_its_count_changes(counted: Page, footfall: Footfall) -> None:
    button = counted.locator("#cards").get_by_role("button", name="Asked", exact=True)
    button.focus()
    footfall.post({"name": "Asked", "visitor_id": "bob", "user_agent": IPHONE})
    expect(counted.locator("[data-total=events]")).to_have_text("4", timeout=25_000)
    expect(button).to_be_focused()


def test_bots_are_counted_when_asked_for(counted: Page) -> None:
    counted.get_by_label("with bots").check()
    expect(counted.locator("[data-total=events]")).to_have_text("4")
    expect(counted.locator("[data-total=visitors]")).to_have_text("3")
    assert ["Crawled", "1", "1"] in card(counted, "Event")
    counted.reload()
    expect(counted.locator("[data-total=events]")).to_have_text("4")
    counted.get_by_label("with bots").uncheck()
    expect(counted.locator("[data-total=events]")).to_have_text("3")


def test_counts_are_split_by_name_browser_system_device_and_sender(counted: Page) -> None:
    assert card(counted, "Event") == [["Ordered", "2", "2"], ["Asked", "1", "1"]]
    assert card(counted, "Browser") == [["Safari", "2", "1"], ["Firefox", "1", "1"]]
    assert card(counted, "System") == [["iOS", "2", "1"], ["Windows", "1", "1"]]
    assert card(counted, "Device") == [["Phone", "2", "1"], ["Computer", "1", "1"]]
    assert card(counted, "Sender") == [["Server", "3", "2"]]


def test_counts_follow_without_a_reload(page: Page, footfall: Footfall) -> None:
    page.clock.install()
    sign_in(page, footfall)
    expect(page.locator("[data-total=events]")).to_have_text("0")
    footfall.post({"name": "Ordered", "visitor_id": "ann"})
    expect(page.locator("#events > li")).to_have_count(1)
    footfall.wait_for(1)
    page.clock.fast_forward(11_000)
    expect(page.locator("[data-total=events]")).to_have_text("1")


def test_counts_know_what_arrived_while_the_stream_was_broken(visitor: Visitor, footfall: Footfall) -> None:
    visitor.expect_noise("net::ERR_")
    page = visitor.page
    page.clock.install()
    sign_in(page, footfall)
    page.clock.fast_forward(11_000)  # the counts are up to date now
    expect(page.locator("[data-total=events]")).to_have_text("0")
    footfall.kill()
    expect(page.get_by_text("Reconnecting")).to_be_visible()
    footfall.restart()
    footfall.post({"name": "Ordered", "visitor_id": "ann"})
    footfall.wait_for(1)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    page.clock.fast_forward(11_000)
    expect(page.locator("[data-total=events]")).to_have_text("1")
