"""A visitor lands in the demo shop: what is recorded by itself, in which order, how often."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Playwright

from e2e.driven import wait_for
from e2e.footfall import Footfall, named, names
from e2e.page_server import PageServer
from e2e.visitor import AGENT, CALL_ITSELF, Arrive, Visitor, arrive, flush, track
from tools.browsers import launch

pytestmark = pytest.mark.engines("chromium", "firefox")
ARRIVAL = ["$session_start", "$utm_hit", "$page_view"]
CAMPAIGN = "utm_source=spring&utm_medium=email&utm_campaign=launch&utm_content=top&utm_term=city+bike"


def land(page: Page, footfall: Footfall, query: str = "") -> None:
    """Open the shop's front page and wait until the server has answered."""
    page.goto(f"{footfall.shop_url}?{query}" if query else footfall.shop_url)
    flush(page)


def test_landing_is_a_session_a_campaign_and_a_view_with_all_attributes(
    page: Page, footfall: Footfall, engine: str
) -> None:
    land(page, footfall, CAMPAIGN)
    start, hit, view = footfall.events()
    assert names([start, hit, view]) == ARRIVAL
    assert start["props"] == {
        "$referrer": "",
        "$referrer_domain": None,
        "$resolution": "1280x800",
        "$browser": start["browser"],
        "$os": "Linux",
        "$device": start["device"],
        "$device_type": "pc",
        "$ip": "127.0.0.1",
    }
    assert start["browser"].startswith(engine.capitalize()[:5])  # Chromium may call itself Chrome
    # Firefox cannot hide that a program drives it
    assert start["bot"] == {"chromium": None, "firefox": "navigator.webdriver"}[engine]
    assert start["id"] == start["session_id"]
    assert hit["props"] == {
        "$utm_source": "spring",
        "$utm_medium": "email",
        "$utm_campaign": "launch",
        "$utm_content": "top",
        "$utm_term": "city bike",
    }
    assert view["props"] == {
        "$url": f"{footfall.shop_url}?{CAMPAIGN}",
        "$title": page.title(),
        "$referrer": "",
        "$referrer_domain": "",
    }
    assert (view["url"], view["path"], view["title"]) == (view["props"]["$url"], "/demo/", page.title())


@pytest.mark.engines("chromium", reason="how an address is read is the same everywhere")
def test_campaign_carries_five_attributes_when_the_link_has_fewer(page: Page, footfall: Footfall) -> None:
    land(page, footfall, "utm_source=x&utm_medium=y")
    assert names(footfall.events()) == ARRIVAL
    [hit] = footfall.events(name="$utm_hit")
    assert hit["props"] == {
        "$utm_source": "x",
        "$utm_medium": "y",
        "$utm_campaign": "",
        "$utm_content": "",
        "$utm_term": "",
    }


def test_campaign_is_in_the_columns_of_every_event_of_the_session(page: Page, footfall: Footfall) -> None:
    land(page, footfall, CAMPAIGN)
    page.get_by_role("link", name="See all bicycles").click()
    page.wait_for_url("**/catalogue")
    track(page, "Later")
    flush(page)
    events = footfall.events()
    assert names(events) == [*ARRIVAL, "$page_view", "Later"]
    columns = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
    assert {tuple(event[column] for column in columns) for event in events} == {
        ("spring", "email", "launch", "top", "city bike")
    }


def test_reload_adds_one_view_and_nothing_else(page: Page, footfall: Footfall) -> None:
    land(page, footfall, CAMPAIGN)
    page.reload()
    flush(page)
    assert names(footfall.events()) == [*ARRIVAL, "$page_view"]


def test_second_tab_belongs_to_the_same_session_and_visitor(visitor: Visitor, footfall: Footfall) -> None:
    land(visitor.page, footfall)
    second = visitor.context.new_page()
    land(second, footfall)
    events = footfall.events()
    assert names(events) == ["$session_start", "$page_view", "$page_view"]
    assert len({event["session_id"] for event in events}) == 1
    assert len({event["visitor_id"] for event in events}) == 1


@pytest.mark.engines("chromium", reason="likewise")
def test_other_tags_are_another_campaign_in_the_same_session(page: Page, footfall: Footfall) -> None:
    land(page, footfall, "utm_source=one")
    land(page, footfall, "utm_source=two")
    land(page, footfall, "utm_source=one")
    events = footfall.events()
    assert names(events) == [*ARRIVAL, "$utm_hit", "$page_view", "$page_view"]
    assert [hit["props"]["$utm_source"] for hit in named(events, "$utm_hit")] == ["one", "two"]


@pytest.mark.engines("chromium", reason="likewise")
def test_landing_without_tags_is_no_campaign(page: Page, footfall: Footfall) -> None:
    land(page, footfall)
    assert names(footfall.events()) == ["$session_start", "$page_view"]


def test_referrer_is_told_when_the_visitor_comes_from_another_site(
    page: Page, footfall: Footfall, pages: PageServer
) -> None:
    page.goto(pages.url("landing/campaign_link"))
    page.get_by_role("link").click()
    page.wait_for_url("**/demo/**")
    flush(page)
    start, _, view = footfall.events()
    # browsers tell other sites no more than the origin
    assert start["props"]["$referrer"] == view["props"]["$referrer"] == f"{pages.base_url}/"
    assert start["props"]["$referrer_domain"] == view["props"]["$referrer_domain"] == "localhost"


def test_new_session_starts_when_half_an_hour_has_passed(page: Page, footfall: Footfall) -> None:
    page.clock.install()
    land(page, footfall)
    page.clock.fast_forward("29:00")
    track(page, "Still here")
    flush(page)
    page.clock.fast_forward("31:00")
    track(page, "Back again")
    flush(page)
    events = footfall.events()
    assert names(events) == ["$session_start", "$page_view", "Still here", "$session_start", "Back again"]
    first, second = events[0]["session_id"], events[3]["session_id"]
    assert [event["session_id"] for event in events] == [first, first, first, second, second]
    assert first != second


def move_pointer(page: Page) -> None:
    """Move the pointer over the page."""
    page.mouse.move(300, 300)


def press_key(page: Page) -> None:
    """Press a key that does nothing by itself."""
    page.keyboard.press("Shift")


def scroll(page: Page) -> None:
    """Turn the wheel, and return when the page has moved."""
    page.mouse.wheel(0, 300)
    wait_for(lambda: page.evaluate("scrollY > 0"), "a scroll")  # asked from here: the page evaluates no texts


@pytest.mark.parametrize("act", [move_pointer, press_key, scroll])
def test_session_lives_on_while_the_visitor_is_active(
    page: Page, footfall: Footfall, act: Callable[[Page], None]
) -> None:
    page.clock.install()
    land(page, footfall)
    page.clock.fast_forward("20:00")
    act(page)
    page.clock.fast_forward("20:00")
    track(page, "Still here")
    flush(page)
    assert names(footfall.events()) == ["$session_start", "$page_view", "Still here"]


def test_visitor_is_known_by_a_first_party_cookie(visitor: Visitor, footfall: Footfall) -> None:
    land(visitor.page, footfall)
    [cookie] = visitor.context.cookies()
    [start, _] = footfall.events()
    assert cookie["name"] == "footfall.demo.visitor"
    assert cookie["value"].startswith(start["visitor_id"])
    assert cookie["sameSite"] == "Lax"


def test_returning_visitor_is_recognised_when_only_the_cookie_is_left(visitor: Visitor, footfall: Footfall) -> None:
    land(visitor.page, footfall)
    visitor.page.evaluate("localStorage.clear()")
    land(visitor.page, footfall)
    assert len({event["visitor_id"] for event in footfall.events()}) == 1


@pytest.mark.engines("chromium", reason="a context of its own is the whole story")
def test_visitors_are_told_apart(visit: Arrive, footfall: Footfall) -> None:
    for _ in range(2):
        land(visit().page, footfall)
    assert len({event["visitor_id"] for event in footfall.events(name="$page_view")}) == 2


@pytest.mark.engines("chromium", reason="the server decides")
def test_automated_browser_is_marked_as_a_bot(playwright: Playwright, footfall: Footfall) -> None:
    with launch(playwright.chromium, args=[CALL_ITSELF + AGENT]) as automated:
        robot = arrive(automated)
        land(robot.page, footfall)
        assert {event["bot"] for event in footfall.events()} == {"navigator.webdriver"}


@pytest.mark.engines("chromium", reason="Firefox cannot hide that a program drives it, which comes first")
def test_crawler_is_marked_as_a_bot(visit: Arrive, footfall: Footfall) -> None:
    crawler = visit(user_agent="Googlebot/2.1 (+http://www.google.com/bot.html)")
    land(crawler.page, footfall)
    assert {event["bot"] for event in footfall.events()} == {"crawler-user-agents"}
