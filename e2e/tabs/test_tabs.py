"""Several tabs of a site are open at once: one visitor, one session, and one of them sends at a time."""

from itertools import pairwise

import pytest

from e2e.footfall import Footfall, names
from e2e.page_server import PageServer
from e2e.visitor import Visitor, flush

pytestmark = pytest.mark.engines("chromium", "firefox")
TABS = 3
STEPS = 40


def test_tabs_share_a_session_and_send_in_turns(visitor: Visitor, footfall: Footfall, pages: PageServer) -> None:
    tabs = [visitor.page, *(visitor.context.new_page() for _ in range(TABS - 1))]
    for tab in tabs:
        tab.goto(pages.url("tabs/site"))
        flush(tab)
    for tab in tabs:
        tab.evaluate("(count) => trackSteps(count)", STEPS)
    footfall.wait_for(TABS * STEPS, name="Step")
    for tab in tabs:
        flush(tab)
    events = footfall.events()
    assert len(events) == 1 + TABS + TABS * STEPS
    assert names(events).count("$session_start") == 1
    assert len({(event["visitor_id"], event["session_id"]) for event in events}) == 1
    requests = sorted(each for tab in tabs for each in tab.evaluate("requests"))
    assert [(one, other) for one, other in pairwise(requests) if one[1] > other[0]] == []
