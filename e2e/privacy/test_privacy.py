"""The visitor's word counts: opt-out, consent, Global Privacy Control, Do Not Track; and the owner's switches."""

from datetime import datetime
from typing import Any

import pytest
from playwright.sync_api import Page

from e2e.footfall import Footfall, names
from e2e.page_server import PageServer
from e2e.visitor import Arrive, Visitor, flush, track

pytestmark = pytest.mark.engines("chromium", "firefox")
ARRIVAL = ["$session_start", "$page_view"]
CONSENT_KEY = "footfall.default.consent"
GPC = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true, configurable: true})"
DNT = "Object.defineProperty(Navigator.prototype, 'doNotTrack', {get: () => '1', configurable: true})"


def open_page(page: Page, pages: PageServer, name: str) -> Page:
    """Open a page of this story and wait for the tracker."""
    page.goto(pages.url(f"privacy/{name}"))
    page.wait_for_function("tracker.version")
    return page


def left_behind(page: Page) -> dict[str, Any]:
    """Return what the browser keeps for the page's origin, wherever a page can keep something."""
    kept: dict[str, Any] = page.evaluate(
        """async () => ({
            ...localStorage, ...sessionStorage, ...(document.cookie && {cookie: document.cookie}),
            ...Object.fromEntries((await indexedDB.databases()).map(({name}) => [name, "database"])),
            ...Object.fromEntries((await caches.keys()).map((name) => [name, "cache"])),
        })"""
    )
    return kept


def test_nothing_is_stored_after_opting_out(page: Page, footfall: Footfall, pages: PageServer) -> None:
    open_page(page, pages, "plain")
    flush(page)
    page.evaluate("void tracker.optOut()")
    track(page, "Unheard")
    flush(page)
    assert left_behind(page) == {CONSENT_KEY: '"denied"'}
    page.reload()
    track(page, "Unheard too")
    flush(page)
    assert names(footfall.events()) == ARRIVAL
    assert "Unheard" not in footfall.everything()


def test_opting_in_again_starts_a_new_visitor(page: Page, footfall: Footfall, pages: PageServer) -> None:
    open_page(page, pages, "plain")
    flush(page)
    page.evaluate("void tracker.optOut()")
    page.evaluate("void tracker.optIn()")
    track(page, "Back")
    flush(page)
    events = footfall.events()
    assert names(events) == [*ARRIVAL, "$session_start", "Back"]
    assert events[0]["visitor_id"] != events[3]["visitor_id"]


def test_link_can_opt_out(page: Page, footfall: Footfall, pages: PageServer) -> None:
    open_page(page, pages, "plain?footfall_optout")
    open_page(page, pages, "plain")
    flush(page)
    assert footfall.events() == []


def test_opting_out_by_a_link_can_be_taken_back(page: Page, footfall: Footfall, pages: PageServer) -> None:
    open_page(page, pages, "plain?footfall_optout")
    assert left_behind(page) == {CONSENT_KEY: '"denied"'}
    open_page(page, pages, "plain")
    page.evaluate("void tracker.optIn()")
    flush(page)
    open_page(page, pages, "plain")
    flush(page)
    assert names(footfall.events()) == ARRIVAL


def test_denying_later_forgets_visitor_cookie_and_queue(
    visitor: Visitor, footfall: Footfall, pages: PageServer
) -> None:
    page = open_page(visitor.page, pages, "consent")
    page.evaluate("void tracker.consent('granted')")
    flush(page)
    assert [cookie["name"] for cookie in visitor.context.cookies()] == ["footfall.default.visitor"]
    page.evaluate("tracker.on('drop', ({event, reason}) => (window.dropped = [event.name, reason]))")
    page.evaluate("void (tracker.track('Unheard'), tracker.consent('denied'))")
    assert page.evaluate("dropped") == ["Unheard", "denied"]
    flush(page)
    assert left_behind(page) == {CONSENT_KEY: '"denied"'}
    assert visitor.context.cookies() == []
    assert names(footfall.events()) == ARRIVAL
    assert "Unheard" not in footfall.everything()


def test_nothing_is_kept_or_sent_before_consent(visitor: Visitor, footfall: Footfall, pages: PageServer) -> None:
    page = open_page(visitor.page, pages, "consent?utm_source=x")
    track(page, "Early")
    flush(page)
    page.wait_for_timeout(700)  # longer than any pause before a request
    assert left_behind(page) == {}
    assert visitor.context.cookies() == []
    page.close()
    assert footfall.events() == []


@pytest.mark.alone
def test_events_before_consent_arrive_with_their_own_times(page: Page, footfall: Footfall, pages: PageServer) -> None:
    open_page(page, pages, "consent?utm_source=x")
    page.evaluate("void tracker.track('Early', {at_ms: Date.now()})")
    page.wait_for_timeout(700)
    page.evaluate("void tracker.consent('granted')")
    track(page, "Late")
    flush(page)
    events = footfall.events()
    assert names(events) == ["$session_start", "$utm_hit", "$page_view", "Early", "Late"]
    early, late = events[3:]
    assert abs(to_ms(early["time"]) - early["props"]["at_ms"]) < 50
    assert to_ms(late["time"]) - to_ms(early["time"]) >= 700


def test_decision_counts_in_the_other_tabs_at_once(visitor: Visitor, footfall: Footfall, pages: PageServer) -> None:
    first = open_page(visitor.page, pages, "consent")
    second = open_page(visitor.context.new_page(), pages, "consent?second")
    track(second, "Early")
    first.evaluate("void tracker.consent('granted')")
    footfall.wait_for(1, name="Early")
    footfall.wait_for(2, name="$page_view")
    assert len({event["visitor_id"] for event in footfall.events()}) == 1
    first.evaluate("void tracker.consent('denied')")
    second.wait_for_function(f"localStorage['{CONSENT_KEY}'] === '\"denied\"'")
    track(second, "Unheard")
    flush(second)
    assert left_behind(second) == {CONSENT_KEY: '"denied"'}
    assert "Unheard" not in footfall.everything()


def test_consent_is_remembered_on_the_next_page(page: Page, footfall: Footfall, pages: PageServer) -> None:
    open_page(page, pages, "consent")
    page.evaluate("void tracker.consent('granted')")
    flush(page)
    open_page(page, pages, "consent")
    flush(page)
    assert names(footfall.events()) == [*ARRIVAL, "$page_view"]


def test_denied_consent_forgets_what_happened_before(page: Page, footfall: Footfall, pages: PageServer) -> None:
    open_page(page, pages, "consent")
    track(page, "Early")
    page.evaluate("void tracker.consent('denied')")
    track(page, "Late")
    flush(page)
    assert left_behind(page) == {CONSENT_KEY: '"denied"'}
    assert footfall.events() == []


def with_signal(visit: Arrive, script: str, header: str) -> Page:
    """Return the page of a visitor whose browser sends a signal."""
    visitor = visit(extra_http_headers={header: "1"})
    visitor.context.add_init_script(script)
    return visitor.page


@pytest.mark.engines("chromium", reason="imitated; signals/ has Firefox send them for real")
@pytest.mark.parametrize(
    ("script", "header", "name", "expected"),
    [
        (GPC, "Sec-GPC", "plain", []),
        (GPC, "Sec-GPC", "consent", []),
        (GPC, "Sec-GPC", "ignore_gpc", [*ARRIVAL, "Heard"]),
        (DNT, "DNT", "plain", [*ARRIVAL, "Heard"]),
        (DNT, "DNT", "dnt", []),
    ],
    ids=["gpc", "gpc beats consent", "gpc ignored by the owner", "dnt", "dnt where the owner honours it"],
)
def test_browsers_signal_is_honoured(
    visit: Arrive, footfall: Footfall, pages: PageServer, script: str, header: str, name: str, expected: list[str]
) -> None:
    page = open_page(with_signal(visit, script, header), pages, name)
    page.evaluate("void tracker.consent('granted')")
    track(page, "Heard")
    flush(page)
    assert names(footfall.events()) == expected
    assert bool(left_behind(page)) == bool(expected)


def test_automatic_events_can_be_switched_off_one_by_one(page: Page, footfall: Footfall, pages: PageServer) -> None:
    open_page(page, pages, "disabled")
    page.locator("[name=city]").press_sequentially("Bergen")
    page.get_by_role("button").click()
    track(page, "By hand")
    flush(page)
    assert names(footfall.events()) == ["$session_start", "$form_sended", "By hand"]


def to_ms(time: str) -> float:
    """Return an RFC 3339 time in milliseconds since the epoch."""
    return datetime.fromisoformat(time).timestamp() * 1000
