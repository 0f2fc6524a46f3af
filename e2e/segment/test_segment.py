"""Segment's browser client, unmodified, sends here, told only where its settings are, through a failing network too."""

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from e2e.footfall import Event, Footfall
from e2e.page_server import PageServer
from e2e.visitor import Visitor
from tests.fault_proxy import Fate, FaultProxy

pytestmark = [pytest.mark.engines("chromium", "firefox"), pytest.mark.timeout(120)]
ROOT = Path(__file__).resolve().parent.parent.parent
CLIENT = ROOT / "tests/segment_clients/node_modules/@segment/analytics-next/dist/umd/index.js"
REFUSED = "status of 4", "status of 5", "net::ERR_", "CORS", "Error sending event", "Cross-Origin"

LOAD = """([cdnURL, integrations]) => {
    window.analytics = AnalyticsNext.AnalyticsBrowser.load({writeKey: "default", cdnURL}, {integrations});
    return analytics.ready().then(() => analytics.user()).then((user) => user.anonymousId());
}"""


@pytest.fixture
def proxy(footfall: Footfall) -> Iterator[FaultProxy]:
    """Return a failing network in front of the server."""
    running = FaultProxy(urlsplit(footfall.base_url).port or 0)
    yield running
    running.close()


def load(page: Page, pages: PageServer, server_url: str, integrations: dict[str, Any] | None = None) -> str:
    """Open the page with Segment's client in it; return the visitor's id."""
    page.goto(pages.url("segment/site?utm_source=mail"))
    page.add_script_tag(path=CLIENT)
    anonymous_id: str = page.evaluate(LOAD, [server_url, integrations or {}])
    return anonymous_id


def seen(events: list[Event]) -> Counter[str]:
    return Counter(event["name"] for event in events)


def test_client_needs_nothing_but_the_servers_address(visitor: Visitor, pages: PageServer, footfall: Footfall) -> None:
    visitor.expect_noise("status of 400")  # the refund
    anonymous_id = load(visitor.page, pages, footfall.base_url)
    visitor.page.evaluate("""async () => {
        await analytics.page("Docs", "Home", {author: "A"});
        await analytics.track("Product Added", {name: "Shoe", price: 19.9, url: "https://shop.example/shoe"});
        await analytics.identify("u-1", {email: "ann@shop.example"});
        await analytics.group("acme", {size: 7});
        await analytics.track("Order Refunded", {order_id: "o-1"});
    }""")
    events = footfall.wait_for(3)
    assert seen(events) >= Counter({"$page_view": 1, "$cart_added": 1, "Group Joined": 1})
    assert "$order_refunded" not in seen(events), "a page may not say that"
    assert {event["visitor_id"] for event in events} == {anonymous_id}
    assert {event["user_id"] for event in events} == {None}
    view = next(event for event in events if event["name"] == "$page_view")
    told = (view["url"], view["title"], view["utm_source"], view["source"])
    assert told == (pages.url("segment/site?utm_source=mail"), "A shop with Segment's client", "mail", "page")
    assert {"name": "Home", "category": "Docs", "author": "A"}.items() <= view["props"].items()


def test_signed_user_is_joined_and_unsigned_ones_are_not(page: Page, pages: PageServer, footfall: Footfall) -> None:
    load(page, pages, footfall.base_url)
    signature = hmac.new(footfall.auth_key().encode(), b"u-signed", hashlib.sha256).hexdigest()
    page.evaluate(
        """async (user_hash) => {
            await analytics.track("Before");
            await analytics.identify("u-signed", {plan: "pro"}, {integrations: {Footfall: {user_hash}}});
            await analytics.identify("u-forged", {}, {integrations: {Footfall: {user_hash: "0".repeat(64)}}});
            await analytics.identify("u-claimed");
        }""",
        signature,
    )
    found = footfall.wait_for(1, user_id="u-signed", name="Before")
    assert len(found) == 1
    assert footfall.events(user_id="u-forged") == []
    assert footfall.events(user_id="u-claimed") == []


@pytest.mark.parametrize("strategy", ["single", "batching"])
def test_everything_arrives_once_through_faults(
    visitor: Visitor, pages: PageServer, footfall: Footfall, proxy: FaultProxy, strategy: str
) -> None:
    visitor.expect_noise(*REFUSED)
    delivery = {"strategy": "batching", "config": {"size": 4, "timeout": 300}} if strategy == "batching" else {}
    load(visitor.page, pages, proxy.base_url, {"Segment.io": {"deliveryStrategy": delivery}})
    visitor.page.evaluate("""async () => {
        for (let number = 0; number < 20; number++) {
            void analytics.track("Step", {number});
            if (number % 4 === 3) await new Promise((done) => setTimeout(done, 800));
        }
    }""")
    steps = footfall.wait_for(20, name="Step")
    visitor.page.wait_for_timeout(3000)  # whatever it sends again is to be known
    assert sorted(step["props"]["number"] for step in footfall.events(name="Step")) == list(range(20))
    assert len(steps) == 20
    assert {fate for fate in Fate if proxy.met[fate]} == set(Fate), "each fault happened"
