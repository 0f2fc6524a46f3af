"""The server is killed and comes back while pages stay open: everything is stored, once, without a new event."""

from datetime import datetime, timedelta
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Route

from e2e.driven import wait_for
from e2e.footfall import Footfall, names
from e2e.page_server import PageServer
from e2e.visitor import FAILED_REQUEST, Visitor, flush, track
from tests.fault_proxy import Fate, FaultProxy

pytestmark = pytest.mark.engines("chromium", "firefox")
ARRIVAL = ["$session_start", "$page_view"]


@pytest.fixture
def patient(visitor: Visitor, pages: PageServer) -> Visitor:
    """Return a visitor whose page is open and settled; that the network fails later on is part of the story."""
    visitor.expect_noise(*FAILED_REQUEST)
    visitor.page.goto(pages.url("outage/site"))
    flush(visitor.page)
    return visitor


def test_events_of_an_outage_are_stored_once_when_the_server_is_back(patient: Visitor, footfall: Footfall) -> None:
    footfall.kill()
    for number in range(3):
        track(patient.page, f"During {number}")
    patient.page.wait_for_timeout(2500)  # long enough for several failures
    footfall.restart()
    assert names(footfall.wait_for(5)) == [*ARRIVAL, "During 0", "During 1", "During 2"]
    flush(patient.page)
    assert len(footfall.events()) == 5


def test_acknowledged_events_survive_the_kill_and_are_not_sent_again(patient: Visitor, footfall: Footfall) -> None:
    # the server would hide a repetition: it stores nothing twice
    patient.page.evaluate("""() => {
        window.sent = [];
        tracker.on("sent", ({events}) => sent.push(...events.map(({name}) => name)));
    }""")
    track(patient.page, "Before")
    flush(patient.page)
    footfall.kill()
    footfall.restart()
    assert names(footfall.wait_for(3)) == [*ARRIVAL, "Before"]
    track(patient.page, "After")
    flush(patient.page)
    assert names(footfall.wait_for(4)) == [*ARRIVAL, "Before", "After"]
    assert patient.page.evaluate("sent") == ["Before", "After"]


def test_kill_in_the_middle_of_sending_loses_nothing_and_doubles_nothing(patient: Visitor, footfall: Footfall) -> None:
    patient.page.evaluate("""() => {
        let number = 0;
        const timer = setInterval(() => {
            tracker.track("Step", {number: number++});
            if (number === 60) clearInterval(timer);
        }, 25);
    }""")
    for _ in range(2):
        patient.page.wait_for_timeout(600)
        footfall.kill()
        footfall.restart()
    footfall.wait_for(60, name="Step")
    flush(patient.page)
    steps = footfall.events(name="Step")
    assert [step["props"]["number"] for step in steps] == list(range(60))


def test_lost_answers_and_refusals_lose_nothing_and_double_nothing(
    patient: Visitor, footfall: Footfall, pages: PageServer
) -> None:
    patient.expect_noise("status of 503", "status of 429", "Cross-Origin")
    proxy = FaultProxy(urlsplit(footfall.base_url).port or 0)
    try:
        patient.page.goto(pages.url(f"outage/proxied?{proxy.base_url}"))
        for number in range(4):
            track(patient.page, "Step", {"number": number})
            while patient.page.evaluate("tracker.flush().then(() => findWaiting())"):
                pass
    finally:
        patient.page.goto("about:blank")
        proxy.close()
    assert [step["props"]["number"] for step in footfall.events(name="Step")] == list(range(4))
    assert {fate for fate in Fate if proxy.met[fate]} == set(Fate), "each fault happened"


def test_next_page_sends_what_an_outage_held_back(patient: Visitor, footfall: Footfall, pages: PageServer) -> None:
    footfall.kill()
    track(patient.page, "During")
    patient.page.wait_for_timeout(600)
    footfall.restart()
    patient.page.goto(pages.url("outage/site?next"))
    assert names(footfall.wait_for(4)) == [*ARRIVAL, "During", "$page_view"]


def test_other_tab_sends_what_a_closed_one_left(patient: Visitor, footfall: Footfall, pages: PageServer) -> None:
    other = patient.context.new_page()
    other.goto(pages.url("outage/site?other"))
    flush(other)
    footfall.kill()
    track(patient.page, "During")
    patient.page.wait_for_timeout(600)
    patient.page.close()
    footfall.restart()
    track(other, "Nudge")
    assert names(footfall.wait_for(5)) == [*ARRIVAL, "$page_view", "During", "Nudge"]


def test_offline_browser_sends_when_it_is_back(patient: Visitor, footfall: Footfall) -> None:
    patient.page.clock.install()
    patient.context.set_offline(offline=True)
    with patient.page.expect_event("requestfailed"):
        track(patient.page, "Offline")
    # the wait after a failure never ends: what sends is that the browser is back
    patient.page.clock.pause_at(datetime.now().astimezone() + timedelta(seconds=1))
    patient.context.set_offline(offline=False)
    assert names(footfall.wait_for(3)) == [*ARRIVAL, "Offline"]


def test_blocked_tracker_is_silent_until_the_next_page(visitor: Visitor, footfall: Footfall, pages: PageServer) -> None:
    visitor.expect_noise(*FAILED_REQUEST)
    page = visitor.page
    asked: list[str] = []

    def block(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    visitor.context.route("**/collect", block)
    page.add_init_script("Math.random = () => 0")  # the shortest waits: one second each
    page.goto(pages.url("outage/site"))
    page.wait_for_function("tracker.version")
    wait_for(lambda: page.evaluate("1") and len(asked) == 3, "three attempts")
    track(page, "Unheard yet")
    page.wait_for_timeout(3000)  # longer than any of its waits
    assert len(asked) == 3
    visitor.context.unroute("**/collect")
    later = visitor.context.new_page()
    later.goto(pages.url("outage/site?later"))
    flush(later)
    assert names(footfall.events()) == [*ARRIVAL, "Unheard yet", "$page_view"]
