"""More than one site: each row names its own; of the chosen one events, counts, snippet and files are shown alone."""

import pytest
from playwright.sync_api import Locator, Page, expect

from e2e.admin import sign_in
from e2e.footfall import Footfall
from e2e.visitor import Visitor
from server.sites import DEFAULT_SITE, DEMO_SITE

REFUSED = "Refused"


@pytest.fixture
def dashboard(page: Page, footfall: Footfall) -> Page:
    """Return a dashboard over two sites, one accepted and one rejected event in each."""
    for site in (DEFAULT_SITE, DEMO_SITE):
        refused = {"name": f"{REFUSED} {site}", "time": "never"}
        footfall.post({"name": f"Asked {site}", "visitor_id": site}, refused, site=site)
    footfall.wait_for(2)
    sign_in(page, footfall)
    return page


def rows(page: Page) -> Locator:
    """Return the rows of the stream."""
    return page.locator("#events > li")


def titles(page: Page) -> set[str]:
    """Return the rows' titles."""
    return set(rows(page).locator("button.open").all_inner_texts())


def choose(page: Page, site: str) -> None:
    """Choose a site."""
    page.get_by_label("Site", exact=True).select_option(site)


def test_rows_of_all_sites_name_their_own(dashboard: Page) -> None:
    expect(rows(dashboard)).to_have_count(4)
    for site in (DEFAULT_SITE, DEMO_SITE):
        named = rows(dashboard).filter(has=dashboard.locator(".site").get_by_text(site, exact=True))
        assert set(named.locator("button.open").all_inner_texts()) == {f"Asked {site}", f"{REFUSED} {site}"}
    expect(dashboard.locator("[data-total=events]")).to_have_text("2")


def test_chosen_site_is_shown_alone(dashboard: Page, footfall: Footfall) -> None:
    choose(dashboard, DEMO_SITE)
    expect(rows(dashboard)).to_have_count(2)
    assert titles(dashboard) == {f"Asked {DEMO_SITE}", f"{REFUSED} {DEMO_SITE}"}
    expect(dashboard.locator("[data-total=events]")).to_have_text("1")
    expect(dashboard.locator("#cards .card").first.locator("tbody tr")).to_have_count(1)
    expect(rows(dashboard).locator(".site")).to_have_count(0)
    footfall.post({"name": "Elsewhere", "visitor_id": "v"}, {"name": REFUSED, "time": "never"}, site=DEFAULT_SITE)
    footfall.post({"name": "Here", "visitor_id": "v"}, site=DEMO_SITE)
    expect(rows(dashboard).first.locator("button.open")).to_have_text("Here")
    expect(rows(dashboard)).to_have_count(3)
    dashboard.reload()
    expect(rows(dashboard)).to_have_count(3)
    expect(dashboard.get_by_label("Site", exact=True)).to_have_value(DEMO_SITE)
    dashboard.get_by_label("Verdict").select_option("rejected")
    expect(rows(dashboard)).to_have_count(1)


def test_site_of_a_row_leads_to_it(dashboard: Page) -> None:
    rows(dashboard).locator(".site").get_by_text(DEMO_SITE, exact=True).first.click()
    expect(rows(dashboard)).to_have_count(2)
    expect(dashboard.get_by_label("Site", exact=True)).to_have_value(DEMO_SITE)
    dashboard.go_back()
    expect(rows(dashboard)).to_have_count(4)


def test_snippet_is_to_be_had_although_there_are_events(dashboard: Page, footfall: Footfall) -> None:
    choose(dashboard, DEFAULT_SITE)
    dashboard.evaluate("navigator.clipboard.writeText = async text => { window.copied = text }")
    dashboard.get_by_role("button", name="Snippet").click()
    dialog = dashboard.get_by_role("dialog", name="Snippet")
    dialog.get_by_role("button", name="Copy").click()
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    tag = f'<script async src="{footfall.base_url}/tracker.js" data-site="{DEFAULT_SITE}"></script>'
    assert tag in dashboard.evaluate("copied")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()


@pytest.mark.parametrize("kind", ["CSV", "NDJSON"])
def test_file_holds_what_the_filter_leaves(dashboard: Page, footfall: Footfall, kind: str) -> None:
    choose(dashboard, DEMO_SITE)
    footfall.post({"name": "Another", "visitor_id": "v"}, site=DEMO_SITE)
    footfall.wait_for(3)
    dashboard.get_by_label("Event", exact=True).fill(f"Asked {DEMO_SITE}")
    dashboard.keyboard.press("Enter")
    expect(rows(dashboard)).to_have_count(1)
    with dashboard.expect_download() as download:
        dashboard.get_by_role("link", name=kind, exact=True).click()
    text = download.value.path().read_text(encoding="utf-8")
    assert f"Asked {DEMO_SITE}" in text
    assert "Another" not in text
    assert f"Asked {DEFAULT_SITE}" not in text
    dashboard.get_by_label("Verdict").select_option("rejected")
    expect(dashboard.get_by_role("link", name=kind, exact=True)).to_be_hidden()


def test_what_was_tried_in_the_shop_is_gone_when_it_is_closed(
    visitor: Visitor, dashboard: Page, footfall: Footfall
) -> None:
    """The store still holds it; the only site's dashboard does not show it."""
    visitor.expect_noise("net::ERR_")
    footfall.kill()
    footfall.restart(shows_demo=False)
    dashboard.reload()
    expect(rows(dashboard)).to_have_count(2)
    assert titles(dashboard) == {f"Asked {DEFAULT_SITE}", f"{REFUSED} {DEFAULT_SITE}"}
    expect(dashboard.locator("[data-total=events]")).to_have_text("1")
    expect(dashboard.get_by_label("Site", exact=True)).to_be_hidden()
    expect(dashboard.get_by_role("link", name="Demo shop")).to_have_count(0)
