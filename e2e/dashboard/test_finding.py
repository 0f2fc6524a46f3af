"""The two text fields understand what the page shows: titles, the ends of ids, users and their contacts."""

import pytest
from playwright.sync_api import Locator, Page, expect

from e2e.admin import sign_in
from e2e.footfall import Footfall
from e2e.visitor import Visitor
from server.sites import DEFAULT_SITE, DEMO_SITE

ANN = "0193aaaa-0000-7000-8000-000000aa1111"
BOB = "0193aaaa-0000-7000-8000-000000bb2222"
EMAIL = {"op": "update_or_create", "key": "$email", "value": "ann@a.example"}
PAGE = 50


@pytest.fixture
def dashboard(page: Page, footfall: Footfall) -> Page:
    """Return a dashboard over two visitors, of whom one is a known user; Bob's row is on no first page."""
    footfall.post({"name": "Rare", "visitor_id": BOB})
    footfall.post(
        {"name": "$identify", "visitor_id": ANN, "user_id": "ann-7", "props": {"operations": [EMAIL]}},
        {"name": "$page_view", "visitor_id": ANN, "user_id": "ann-7", "page": {"url": "https://a.example/"}},
        *({"name": "Common", "visitor_id": ANN} for _ in range(PAGE)),
    )
    footfall.wait_for(PAGE + 3)  # `$email_changed` follows by itself
    sign_in(page, footfall)
    expect(rows(page)).to_have_count(PAGE)
    return page


def rows(page: Page) -> Locator:
    """Return the rows of the stream."""
    return page.locator("#events > li")


def type_into(page: Page, label: str, text: str) -> None:
    """Type into a field and leave it."""
    page.get_by_label(label, exact=True).fill(text)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("text", ["Page viewed", "page viewed", "$page_view"])
def test_event_is_found_by_its_title_or_its_name(dashboard: Page, text: str) -> None:
    type_into(dashboard, "Event", text)
    expect(rows(dashboard)).to_have_count(1)
    expect(rows(dashboard).locator("button.open")).to_have_text("Page viewed")


def test_own_event_is_found_whatever_the_case(dashboard: Page) -> None:
    dashboard.get_by_label("Event", exact=True).focus()
    expect(dashboard.locator("#names option")).to_have_count(4)
    type_into(dashboard, "Event", "rare")
    expect(rows(dashboard).locator("button.open")).to_have_text(["Rare"])


@pytest.mark.parametrize("text", [BOB, BOB[-6:], BOB[-6:].upper()], ids=["whole", "end", "upper case"])
@pytest.mark.parametrize("site", ["", DEFAULT_SITE], ids=["all", "one"])
def test_visitor_is_found_by_the_end_of_an_id_that_is_not_on_the_page(dashboard: Page, site: str, text: str) -> None:
    dashboard.get_by_label("Site", exact=True).select_option(site)
    type_into(dashboard, "Visitor or user", text)
    expect(rows(dashboard).locator("button.open")).to_have_text(["Rare"])
    expect(dashboard.get_by_label("Visitor or user")).to_have_value(BOB)


@pytest.mark.parametrize("text", ["ann-7", "ANN@a.example"], ids=["id", "address"])
def test_user_is_found_with_what_they_did_before(dashboard: Page, text: str) -> None:
    dashboard.get_by_label("Site", exact=True).select_option(DEFAULT_SITE)
    type_into(dashboard, "Visitor or user", text)
    expect(dashboard.get_by_label("Visitor or user")).to_have_value("ann-7")
    expect(rows(dashboard)).to_have_count(PAGE)
    dashboard.get_by_role("button", name="Show older events").click()
    expect(rows(dashboard)).to_have_count(PAGE + 2)
    expect(rows(dashboard).filter(has_text="Rare")).to_have_count(0)


def test_nobody_is_found_elsewhere(dashboard: Page) -> None:
    dashboard.get_by_label("Site", exact=True).select_option(DEMO_SITE)
    type_into(dashboard, "Visitor or user", BOB[-6:])
    expect(dashboard.get_by_text("No event matches.")).to_be_visible()
    dashboard.get_by_role("button", name="Show all events").click()
    welcome = dashboard.get_by_role("region", name="No events yet")
    expect(welcome).to_contain_text("open the demo shop")
    expect(welcome.get_by_text("Paste this")).to_be_hidden()  # the shop has its snippet


def test_an_exact_id_is_found_before_longer_ones_however_many_they_are(page: Page, footfall: Footfall) -> None:
    footfall.post({"name": "Right", "user_id": "1042"})
    footfall.wait_for(1)
    later = ({"name": "Later", "visitor_id": f"{number}01042"} for number in range(10, 130))
    footfall.post(*later, {"name": "Wrong", "user_id": "201042"})
    footfall.wait_for(122)
    sign_in(page, footfall)
    expect(rows(page)).to_have_count(PAGE)
    type_into(page, "Visitor or user", "1042")
    expect(rows(page).locator("button.open")).to_have_text(["Right"])


def test_a_question_that_fails_is_no_answer(visitor: Visitor, dashboard: Page) -> None:
    visitor.expect_noise("net::ERR_", "Failed to load", "NetworkError", "access control")
    dashboard.route("**/api/users?*", lambda route: route.abort())
    type_into(dashboard, "Visitor or user", "somebody")
    expect(dashboard.get_by_text("The server cannot be reached.")).to_be_visible()
    expect(rows(dashboard)).to_have_count(PAGE)


def test_a_user_is_found_on_all_sites_with_what_their_browser_did(page: Page, footfall: Footfall) -> None:
    footfall.post({"name": "Before", "visitor_id": BOB}, {"name": "$identify", "visitor_id": BOB, "user_id": "bob"})
    footfall.wait_for(1)
    sign_in(page, footfall)
    expect(rows(page)).to_have_count(1)
    expect(page.get_by_label("Site", exact=True)).to_have_value("")
    type_into(page, "Visitor or user", "bob")
    expect(page.get_by_label("Visitor or user")).to_have_value("bob")
    expect(rows(page).locator("button.open")).to_have_text(["Before"])
