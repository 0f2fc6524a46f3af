"""Every one of the 48 system events has a way in: sent by it through the whole application, it is in the store."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.dialects.hooks.vendors import VENDORS
from server.events.catalogue import load_catalogue
from tests.conftest import StandingClock, wait_until_stored
from tests.factories import AUTH_KEY, NOW_MS, SECRET_KEY, make_batch, make_event, make_settings
from tests.hook_calls import HOOKS, PAYLOADS, signed

CATALOGUE = load_catalogue()
PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
FULL = json.loads((Path(__file__).parents[1] / "events" / "full_events.json").read_text(encoding="utf-8"))
SECRET = {"authorization": f"Bearer {SECRET_KEY}"}

# Written by hand: which keys take an event, which vendors' calls become one, and what the product itself records.
BY_PAGES = [
    "$session_start",
    "$utm_hit",
    "$page_view",
    "$leave_site_attempt",
    "$input_filled",
    "$form_sended",
    "$registered",
    "$authorized",
    "$logout",
    "$push_subscribed",
    "$push_unsubscribed",
    "$calendly_invitee_created",
    "$conversation_screen_opened",
    "$start_screen_opened",
    "$conversation_user_started",
    "$message_read",
    "$message_replied",
    "$message_clicked",
    "$message_unsubscribed",
    "$chat_bot_sent",
    "$chat_bot_read",
    "$chat_bot_replied",
    "$chat_bot_finished",
    "$chat_bot_interrupted",
    "$product_viewed",
    "$cart_added",
    "$cart_viewed",
    "$order_started",
    "$order_completed",
    "$order_cancelled",
]
BY_SERVERS_ONLY = [
    "$user_merged",
    "$name_changed",
    "$email_changed",
    "$phone_changed",
    "$user_banned",
    "$user_unbanned",
    "$double_opt_in_send",
    "$double_opt_in_confirmed",
    "$filled_facebook_lead_ad",
    "$zoom_meeting_joined",
    "$conversation_part_group_closed",
    "$message_sended",
    "$message_control_group",
    "$message_spam",
    "$message_bounced",
    "$order_paid",
    "$order_closed",
    "$order_refunded",
]
BY_VENDORS = {
    "$calendly_invitee_created": ["calendly"],
    "$zoom_meeting_joined": ["zoom"],
    "$filled_facebook_lead_ad": ["facebook"],
    "$conversation_user_started": ["chatwoot"],
    "$message_replied": ["chatwoot"],
    "$conversation_part_group_closed": ["chatwoot"],
    "$message_read": ["sendgrid", "mailgun", "postmark"],
    "$message_clicked": ["sendgrid", "mailgun", "postmark"],
    "$message_unsubscribed": ["sendgrid", "mailgun", "postmark"],
    "$message_spam": ["sendgrid", "mailgun", "postmark"],
    "$message_bounced": ["sendgrid", "mailgun", "postmark"],
}
CONTACTS = {"$name_changed": "$name", "$email_changed": "$email", "$phone_changed": "$phone"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Return a client of one application that takes everything in."""
    settings = make_settings(tmp_path_factory.mktemp("ways") / "data", hooks=HOOKS)
    with TestClient(create_app(settings, clock=StandingClock())) as running:
        yield running


@pytest.fixture
def stored(client: TestClient) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that returns the stored events of a name."""

    def read(**filters: str) -> list[dict[str, Any]]:
        wait_until_stored(client)
        found: list[dict[str, Any]] = client.get("/api/events", params=filters, headers=SECRET).json()["events"]
        return found

    return read


Stored = Callable[..., list[dict[str, Any]]]


def sendable(name: str) -> dict[str, Any]:
    """Return all attributes of an event that its sender may set."""
    event = CATALOGUE.get(name)
    assert event is not None
    return {key: value for key, value in FULL[name].items() if key not in event.server_added}


def check_verdict(answer: Any) -> None:
    told = answer.json()
    assert (answer.status_code, told["rejected"], told["warnings"]) == (200, [], []), answer.text
    assert told["accepted"] >= 1


def test_the_table_has_every_event_once() -> None:
    assert len(BY_PAGES) + len(BY_SERVERS_ONLY) == 48
    assert {*BY_PAGES, *BY_SERVERS_ONLY} == {event.name for event in CATALOGUE.events}


@pytest.mark.parametrize("name", BY_PAGES)
def test_the_public_key_takes(client: TestClient, stored: Stored, name: str) -> None:
    event = make_event(name=name, props=sendable(name))
    check_verdict(client.post("/collect", json=make_batch(event)))
    found = {each["id"]: each for each in stored(name=name)}[event["id"]]
    assert found["source"] == "page"
    assert sendable(name).items() <= found["props"].items()


@pytest.mark.parametrize("name", [*BY_PAGES, *BY_SERVERS_ONLY])
def test_the_secret_key_takes(client: TestClient, stored: Stored, name: str) -> None:
    event = {"id": make_event()["id"], "name": name, "user_id": "42", "props": FULL[name]}
    check_verdict(client.post("/api/events", json=event, headers=SECRET))
    found = {each["id"]: each for each in stored(name=name)}[event["id"]]
    assert (found["source"], found["user_id"]) == ("server", "42")
    assert FULL[name].items() <= found["props"].items()


@pytest.mark.parametrize("name", BY_SERVERS_ONLY)
def test_the_public_key_does_not_take(client: TestClient, stored: Stored, name: str) -> None:
    event = make_event(name=name, props=sendable(name))
    answer = client.post("/collect", json=make_batch(event)).json()
    assert [each["code"] for each in answer["rejected"]] == ["reserved_for_server"]
    assert event["id"] not in {each["id"] for each in stored(name=name)}


@pytest.mark.parametrize(("name", "vendor"), [(name, each) for name, vendors in BY_VENDORS.items() for each in vendors])
def test_the_vendor_tells(client: TestClient, stored: Stored, name: str, vendor: str) -> None:
    for payload in PAYLOADS[vendor].values():
        call = signed(vendor, payload)
        answer = client.post(call.path, content=call.body, headers=call.headers)
        assert (answer.status_code, answer.json()["rejected"], answer.json()["warnings"]) == (200, [], [])
    found = [each for each in stored(name=name) if each["source"] == "webhook"]
    assert found
    known = CATALOGUE.get(name)
    assert known is not None
    required = {attribute.name for attribute in known.attributes if attribute.is_required}
    assert all(required <= set(each["props"]) for each in found)


@pytest.mark.parametrize("name", CONTACTS)
def test_the_product_records_a_changed_contact(client: TestClient, stored: Stored, name: str) -> None:
    body = {"properties": {CONTACTS[name]: "new"}}
    assert client.post(f"/api/users/{name}/properties", json=body, headers=SECRET).status_code == 200
    wait_until_stored(client)
    assert [each["props"][CONTACTS[name]] for each in stored(name=name, user_id=name)] == ["new"]


def test_the_product_records_a_merge(client: TestClient, stored: Stored) -> None:
    before = NOW_MS - 1000
    client.post("/api/events", json={"name": "Order", "user_id": "u-1", "time": before}, headers=SECRET)
    start = make_event(name="$session_start", props={}, time=before)
    client.post("/collect", json=make_batch(start, visitor_id="v-1"))
    proof = hmac.new(AUTH_KEY.encode(), b"u-1", hashlib.sha256).hexdigest()
    auth = make_event(name="$auth", props={"user_id": "u-1", "hash": proof})
    check_verdict(client.post("/collect", json=make_batch(auth, visitor_id="v-1")))
    wait_until_stored(client)
    merges = [each["props"] for each in stored(name="$user_merged", user_id="u-1")]
    assert [(each["$from"], each["$to"]) for each in merges if "$cause" in each] == [("v-1", "u-1")]


def sections() -> Mapping[str, str]:
    return {part.split("`", 1)[0]: part for part in PAGE.split("\n### `")[1:]}


@pytest.mark.parametrize("name", [*BY_PAGES, *BY_SERVERS_ONLY])
def test_the_page_of_events_tells_the_same_ways(name: str) -> None:
    line = next(each for each in sections()[name].splitlines() if each.startswith("Who may send it: "))
    assert ("pages and servers" in line) == (name in BY_PAGES)
    maker = line.split("Made by: ")[1].lower()
    vendors = {each for each in VENDORS if "webhook" in maker and each in maker}
    assert vendors == set(BY_VENDORS.get(name, []))
    assert ("the server, when" in line) == (name in {*CONTACTS, "$user_merged"})
