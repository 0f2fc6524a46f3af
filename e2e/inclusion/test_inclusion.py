"""How the script is included: twice, without the inline part, where storage is forbidden. It works once, quietly."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Response

from e2e.footfall import Footfall, names
from e2e.page_server import PageServer
from e2e.visitor import Visitor, flush, track

pytestmark = pytest.mark.engines("chromium", "firefox")


def test_script_included_twice_starts_once(page: Page, footfall: Footfall, pages: PageServer) -> None:
    page.goto(pages.url("inclusion/twice"))
    page.locator("[name=city]").press_sequentially("Bergen")
    page.get_by_role("button").click()
    page.evaluate("history.pushState({}, '', '?next')")
    track(page, "By hand")
    flush(page)
    assert names(footfall.events()) == [
        "$session_start",
        "$page_view",
        "$input_filled",
        "$form_sended",
        "$page_view",
        "By hand",
    ]


def test_script_works_without_its_inline_part(page: Page, footfall: Footfall, pages: PageServer) -> None:
    page.goto(pages.url("inclusion/bare"))
    flush(page)
    assert names(footfall.events()) == ["$session_start", "$page_view", "At once"]


def test_events_arrive_where_storage_is_forbidden(page: Page, footfall: Footfall, pages: PageServer) -> None:
    page.goto(pages.url("inclusion/frame"))
    sandbox = page.frames[1]
    sandbox.wait_for_function("tracker.version")
    assert sandbox.evaluate("(() => { try { return typeof localStorage } catch (error) { return error.name } })()") == (
        "SecurityError"
    )
    sandbox.evaluate("tracker.flush()")
    assert names(footfall.events()) == ["$session_start", "$page_view", "From the sandbox"]
    sandbox.evaluate("void tracker.track('Later')")
    sandbox.evaluate("tracker.flush()")
    assert names(footfall.events())[3:] == ["Later"]


def globals_of(page: Page) -> set[str]:
    """The names of the window's own properties, but for Playwright's, which comes and goes with them as it likes."""
    names: list[str] = page.evaluate("Object.getOwnPropertyNames(window)")
    return {name for name in names if not name.startswith("__pw")}


def test_page_gets_one_global_and_no_cookie_of_the_trackers_host(
    visitor: Visitor, footfall: Footfall, pages: PageServer
) -> None:
    page = visitor.page
    answers: list[Response] = []

    def note(answer: Response) -> None:
        answers.append(answer)

    page.on("response", note)
    page.goto(pages.url("inclusion/twice"))
    flush(page)
    own = globals_of(page)
    # browsers may refuse a cookie of another site, so its absence from their store proves little
    told = {
        urlsplit(each.url).path: each.header_value("set-cookie") for each in answers if footfall.base_url in each.url
    }
    assert told == {"/tracker.js": None, "/collect": None}
    page.goto(pages.url("inclusion/frame"))
    assert own - globals_of(page) == {"tracker"}
    assert visitor.context.cookies(footfall.base_url) == []


def test_widest_domain_takes_the_cookie_and_nothing_is_said(
    visitor: Visitor, footfall: Footfall, pages: PageServer
) -> None:
    page = visitor.page
    page.goto(pages.url("inclusion/bare").replace("//localhost", "//www.shop.localhost"))
    page.evaluate("tracker.flush()")
    [cookie] = visitor.context.cookies()
    assert cookie["domain"] == ".shop.localhost"
    # Firefox tells the console of every domain that refuses a cookie
    assert visitor.noise == []
    assert names(footfall.events()) == ["$session_start", "$page_view", "At once"]
