"""The live stream: what arrives is shown at once, opens to all of its content, and can be filtered."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from e2e.admin import sign_in
from e2e.footfall import Footfall
from e2e.page_server import PageServer
from e2e.visitor import Arrive, Visitor, flush, track


@pytest.fixture
def dashboard(page: Page, footfall: Footfall) -> Page:
    """Return an open dashboard."""
    sign_in(page, footfall)
    return page


@pytest.fixture
def customer(visit: Arrive, pages: PageServer) -> Page:
    """Return a page of a customer's site, whose arrival is stored."""
    page = visit().page
    page.goto(pages.url("privacy/plain"))
    flush(page)
    return page


def rows(dashboard: Page) -> Locator:
    """Return the rows of the stream, newest first."""
    return dashboard.locator("#events > li")


def titles(dashboard: Page) -> list[str]:
    """Return the rows' titles, newest first."""
    return rows(dashboard).locator("button.open").all_inner_texts()


def test_new_event_appears_without_a_reload(dashboard: Page, customer: Page) -> None:
    expect(rows(dashboard)).to_have_count(2)
    dashboard.evaluate("window.mark = 1")
    track(customer, "Wrote a letter")
    expect(rows(dashboard).first.locator("button.open")).to_have_text("Wrote a letter")
    assert titles(dashboard) == ["Wrote a letter", "Page viewed", "Session started"]
    assert dashboard.evaluate("window.mark") == 1


def test_events_of_before_are_shown_on_opening(page: Page, customer: Page, footfall: Footfall) -> None:
    track(customer, "Before")
    flush(customer)
    footfall.wait_for(3)
    sign_in(page, footfall)
    expect(rows(page)).to_have_count(3)
    assert titles(page) == ["Before", "Page viewed", "Session started"]


def test_row_opens_to_every_column_and_property(dashboard: Page, customer: Page, footfall: Footfall) -> None:
    track(customer, "Ordered", {"plan": "pro", "seats": 3, "nested": {"gift": True}})
    row = rows(dashboard).filter(has_text="Ordered")
    row.get_by_role("button", name="Ordered").click()
    flush(customer)
    [event] = footfall.wait_for(1, name="Ordered")
    shown = dict(row.locator(".detail dl > div").evaluate_all(_PAIRS))
    missing = {name for name, value in _texts(event).items() if shown.get(name) != value}
    assert missing == set()
    row.get_by_role("button", name="Ordered").click()
    expect(row.locator(".detail")).to_have_count(0)


def test_stream_is_filtered_by_name(dashboard: Page, customer: Page, footfall: Footfall) -> None:
    track(customer, "Kept")
    track(customer, "Left out")
    expect(rows(dashboard)).to_have_count(4)
    footfall.wait_for(4)  # the filter asks the store, which has them a moment after the stream
    dashboard.get_by_placeholder("Any event").fill("Kept")
    dashboard.keyboard.press("Enter")
    expect(rows(dashboard)).to_have_count(1)
    track(customer, "Left out")
    track(customer, "Kept")
    expect(rows(dashboard)).to_have_count(2)
    assert titles(dashboard) == ["Kept", "Kept"]


def test_stream_is_filtered_by_visitor(
    dashboard: Page, customer: Page, visit: Arrive, pages: PageServer, footfall: Footfall
) -> None:
    other = visit().page
    other.goto(pages.url("privacy/plain?other"))
    track(other, "By the other")
    expect(rows(dashboard)).to_have_count(5)
    footfall.wait_for(5)
    visitor_id = other.evaluate("JSON.parse(localStorage['footfall.default.visitor'])[0]")
    dashboard.get_by_placeholder("Any visitor").fill(visitor_id)
    dashboard.keyboard.press("Enter")
    expect(rows(dashboard)).to_have_count(3)
    track(customer, "Left out")
    flush(customer)
    track(other, "Again")
    expect(rows(dashboard)).to_have_count(4)
    assert titles(dashboard) == ["Again", "By the other", "Page viewed", "Session started"]
    assert set(rows(dashboard).locator(".visitor").all_inner_texts()) == {visitor_id[-6:]}


def test_rows_of_a_user_arrive_although_pages_do_not_name_him(page: Page, footfall: Footfall) -> None:
    footfall.post({"name": "Signed up", "visitor_id": "browser", "user_id": "42"})
    footfall.wait_for(1)
    sign_in(page, footfall)
    page.goto(f"{footfall.base_url}/?site=default&user_id=42")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(rows(page)).to_have_count(1)
    footfall.post({"name": "Clicked", "visitor_id": "browser"}, {"name": "By another", "visitor_id": "other"})
    expect(rows(page)).to_have_count(2)
    assert titles(page) == ["Clicked", "Signed up"]
    footfall.post({"name": "Clicked again", "visitor_id": "browser"})
    expect(rows(page).first.locator("button.open")).to_have_text("Clicked again")


def test_rejected_event_of_a_visitor_is_under_their_filter(
    dashboard: Page, customer: Page, visit: Arrive, pages: PageServer
) -> None:
    other = visit().page
    other.goto(pages.url("privacy/plain?other"))
    visitor_id = customer.evaluate("JSON.parse(localStorage['footfall.default.visitor'])[0]")
    track(customer, "$order_paid", {"$order_id": "1"})
    flush(customer)
    expect(rows(dashboard)).to_have_count(5)
    dashboard.get_by_label("Verdict").select_option("Rejected only")
    dashboard.get_by_placeholder("Any visitor").fill(visitor_id)
    dashboard.keyboard.press("Enter")
    expect(rows(dashboard)).to_have_count(1)
    track(other, "$order_paid", {"$order_id": "2"})
    flush(other)
    track(customer, "$order_paid", {"$order_id": "3"})
    expect(rows(dashboard)).to_have_count(2)
    dashboard.reload()
    expect(rows(dashboard)).to_have_count(2)


def test_click_on_a_rows_visitor_or_name_filters(dashboard: Page, customer: Page, footfall: Footfall) -> None:
    track(customer, "Only this")
    footfall.wait_for(3)
    rows(dashboard).first.get_by_role("button", name="own event").click()
    expect(rows(dashboard)).to_have_count(1)
    dashboard.get_by_placeholder("Any event").fill("")
    dashboard.keyboard.press("Enter")
    expect(rows(dashboard)).to_have_count(3)
    dashboard.go_back()
    expect(rows(dashboard)).to_have_count(1)


def test_focus_stays_in_the_stream_when_a_row_filters(dashboard: Page, customer: Page, footfall: Footfall) -> None:
    track(customer, "Only this")
    footfall.wait_for(3)
    rows(dashboard).first.get_by_role("button", name="own event").press("Enter")
    expect(dashboard).to_have_url(f"{footfall.base_url}/?name=Only+this")
    expect(dashboard.locator("#events")).to_be_focused()


def test_row_names_its_day_and_its_year_where_they_are_others(page: Page, footfall: Footfall) -> None:
    footfall.post({"name": "Long ago", "visitor_id": "v", "time": "2023-11-28T10:00:00Z"})
    footfall.post({"name": "Now", "visitor_id": "v"})
    footfall.wait_for(2)
    page.clock.install()
    sign_in(page, footfall)
    times = rows(page).locator("time")
    expect(times).to_have_text([re.compile(r"^\d\d:\d\d:\d\d$"), re.compile(r"^28 Nov 2023, ")])
    page.clock.fast_forward(25 * 3_600_000)
    expect(times.first).to_have_text(re.compile(r"^\d+ \w+( \d{4})?, \d\d:\d\d:\d\d$"))


def test_pause_counts_only_what_the_filter_leaves(page: Page, footfall: Footfall) -> None:
    sign_in(page, footfall)
    page.goto(f"{footfall.base_url}/?name=Kept")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    pause = page.locator("#pause")
    pause.click()
    footfall.post(*({"name": name, "visitor_id": "v"} for name in ("Left out", "Kept", "Left out")))
    expect(pause).to_have_text("Resume (1 new)")
    pause.click()
    expect(rows(page)).to_have_count(1)


def test_rejected_event_is_shown_with_its_reason(dashboard: Page, customer: Page, footfall: Footfall) -> None:
    track(customer, "$order_paid", {"$order_id": "1"})
    row = rows(dashboard).first
    expect(row.locator(".badge")).to_have_text("rejected")
    expect(row).to_contain_text("reserved_for_server")
    flush(customer)
    assert footfall.events(name="$order_paid") == []


def test_equal_rejected_events_are_a_row_each_whoever_tells_of_them(dashboard: Page, footfall: Footfall) -> None:
    footfall.post({"name": ""}, {"name": ""}, {"name": ""})
    expect(rows(dashboard)).to_have_count(3)
    dashboard.get_by_label("Verdict").select_option("Rejected only")  # history tells of them now
    footfall.post({"name": ""})
    expect(rows(dashboard)).to_have_count(4)
    dashboard.reload()
    expect(rows(dashboard)).to_have_count(4)


def test_two_sites_may_have_events_of_one_id(dashboard: Page, footfall: Footfall) -> None:
    footfall.post({"id": "order-1", "name": "Of one", "visitor_id": "v"})
    footfall.post({"id": "order-1", "name": "Of the other", "visitor_id": "v"}, site="demo")
    expect(rows(dashboard)).to_have_count(2)
    footfall.wait_for(2)
    dashboard.reload()
    expect(rows(dashboard)).to_have_count(2)


def test_stream_comes_back_by_itself_after_an_outage(visitor: Visitor, footfall: Footfall) -> None:
    visitor.expect_noise("net::ERR_")
    sign_in(visitor.page, footfall)
    footfall.kill()
    expect(visitor.page.get_by_text("Reconnecting")).to_be_visible()
    footfall.restart()
    expect(visitor.page.get_by_text("Live", exact=True)).to_be_visible()
    footfall.post({"name": "After the outage", "visitor_id": "v"})
    expect(rows(visitor.page).first.locator("button.open")).to_have_text("After the outage")


def test_connection_that_died_silently_is_noticed(page: Page, footfall: Footfall) -> None:
    page.clock.install()
    sign_in(page, footfall)
    page.clock.fast_forward(50_000)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    # the page's clock runs ahead of the server's, which is as if the server had said nothing for so long
    with page.expect_request("**/api/live"):
        page.clock.fast_forward(20_000)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    footfall.post({"name": "After", "visitor_id": "v"})
    expect(rows(page).first.locator("button.open")).to_have_text("After")


_PAIRS = """rows => rows.map(row => [
    row.querySelector("dt").textContent,
    row.querySelector("dd").textContent.trim(),
])"""


def _texts(event: dict[str, Any]) -> dict[str, str]:
    """Return each column and property as the dashboard writes it; nested ones are checked by being there."""
    texts = {name: "\u2013" if value is None else str(value) for name, value in event.items() if name != "props"}
    return {**texts, "plan": "pro", "seats": "3", "nested": '{\n  "gift": true\n}'}
