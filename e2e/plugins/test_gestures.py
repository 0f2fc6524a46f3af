"""Plugins that listen to what only a real browser does: other buttons, messages of frames, fingers."""

import json

import pytest
from playwright.sync_api import Page

from e2e.footfall import Footfall, named
from e2e.page_server import PageServer
from e2e.plugins.test_plugins import open_page
from e2e.visitor import Arrive, flush

CALENDLY = "https://calendly.com/ann/visit"
BOOKED = {
    "event": "calendly.event_scheduled",
    "payload": {"event": {"uri": "https://api.calendly.com/e/1"}, "invitee": {"uri": "https://api.calendly.com/i/2"}},
}
STAY = "for (const type of ['click', 'auxclick']) addEventListener(type, (event) => event.preventDefault())"


@pytest.mark.engines("chromium", "firefox")
def test_link_is_followed_with_the_middle_button_and_the_keyboard_too(
    page: Page, footfall: Footfall, pages: PageServer
) -> None:
    open_page(page, pages, "plugins/gestures", "outbound")
    page.evaluate(STAY)
    elsewhere = page.get_by_role("link", name="Elsewhere")
    elsewhere.click(button="middle")
    elsewhere.click(button="right")
    elsewhere.press("Enter")
    page.get_by_role("link", name="Quiet").click(button="middle")
    page.get_by_role("link", name="Report").click()
    flush(page)
    events = footfall.events()
    followed = {"url": "https://elsewhere.example/terms", "domain": "elsewhere.example"}
    assert [event["props"] for event in named(events, "Link followed")] == [followed, followed]
    (downloaded,) = named(events, "File downloaded")
    assert downloaded["props"] == {"url": f"{pages.base_url}/report", "extension": ""}


def test_booking_in_a_calendar_is_told_by_its_frame_only(page: Page, footfall: Footfall, pages: PageServer) -> None:
    """The vendor's page stands in for itself; the frame, its origin and its message are the browser's own."""
    html = f"<script>parent.postMessage({json.dumps(BOOKED)}, '*')</script>"
    for origin in (CALENDLY, "https://calendly.com.evil.example/", "http://calendly.com/"):
        page.context.route(f"{origin}**", lambda route: route.fulfill(content_type="text/html", body=html))
    open_page(page, pages, "plugins/gestures", "calendly")
    for origin in ("https://calendly.com.evil.example/", CALENDLY, "http://calendly.com/"):
        page.evaluate(
            """(src) => new Promise((resolve) => {
                addEventListener("message", resolve, {once: true});
                document.body.append(Object.assign(document.createElement("iframe"), {src}));
            })""",
            origin,
        )
    flush(page)
    (booked,) = footfall.events(name="$calendly_invitee_created")
    assert booked["props"] == {
        "event_uri": "https://api.calendly.com/e/1",
        "invitee_uri": "https://api.calendly.com/i/2",
    }


@pytest.mark.alone
def test_finger_that_flings_the_page_back_is_an_attempt(visit: Arrive, footfall: Footfall, pages: PageServer) -> None:
    page = visit(has_touch=True, is_mobile=True).page
    open_page(page, pages, "plugins/gestures", "touch")
    fingers = page.context.new_cdp_session(page)

    def fling(from_y: int, to_y: int) -> None:
        fingers.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": 200, "y": from_y}]})
        fingers.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": 200, "y": to_y}]})
        fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    fling(100, 600)  # too early
    page.wait_for_function("performance.now() > 5200")
    fling(600, 100)  # downwards
    flush(page)
    assert footfall.events(name="$leave_site_attempt") == []
    fling(100, 700)
    fling(100, 700)  # once a minute
    flush(page)
    (attempt,) = footfall.events(name="$leave_site_attempt")
    assert attempt["props"] == {"$trigger": "scroll"}


PUSH = """
const state = { subscribed: false };
Object.defineProperty(navigator, "serviceWorker", { value: {
  getRegistration: async () => ({ pushManager: { getSubscription: async () => state.subscribed ? {} : null } }),
} });
window.setSubscribed = (is) => { state.subscribed = is; dispatchEvent(new Event("visibilitychange")); };
"""


def test_push_subscription_is_told_when_it_appears_and_goes(page: Page, footfall: Footfall, pages: PageServer) -> None:
    """No browser here reaches a push service, so the subscription alone is made up."""
    page.add_init_script(PUSH)
    open_page(page, pages, "plugins/gestures", "push")
    for is_subscribed in ("true", "true", "false"):
        page.evaluate(f"setSubscribed({is_subscribed})")
        page.wait_for_timeout(50)
    page.reload()
    page.wait_for_function("tracker.version")
    flush(page)
    told = [event["name"] for event in footfall.events() if event["name"].startswith("$push")]
    assert told == ["$push_subscribed", "$push_unsubscribed"]
