"""Erasing a user reaches what vendors' webhooks have told of every address and number that was theirs alone."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from server.identity.signature import sign
from server.settings import Settings
from tests.conftest import StandingClock, wait_until_stored
from tests.factories import AUTH_KEY, make_batch, make_event, make_settings
from tests.hook_calls import HOOKS, PAYLOADS, HookCall, first_payload, signed
from tests.web.test_hooks import about, send, set_properties

Stored = Callable[..., list[dict[str, Any]]]
Secret = dict[str, str]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings in which every vendor may call."""
    return make_settings(tmp_path / "data", hooks=HOOKS)


def test_erasing_a_user_reaches_what_was_told_before_the_address_was_theirs(
    client: TestClient, stored: Stored, secret: Secret, settings: Settings
) -> None:
    send(client, about(uri="a", email="canary@shop.example"))
    send(client, about(uri="b", text_reminder_number="+49 30 canary 555"))
    send(client, about(uri="c", email="bob@shop.example"))
    set_properties(client, secret, "42", email="canary@shop.example", phone="+4930555")
    assert client.delete("/api/users/42", headers=secret).json()["erased"] >= 2
    assert [each["props"]["email"] for each in stored(name="$calendly_invitee_created")] == ["bob@shop.example"]
    kept = [path.name for path in settings.data_dir.rglob("*") if path.is_file() and b"canary" in path.read_bytes()]
    assert kept == []


def test_erasing_a_user_reaches_every_address_that_they_had(
    client: TestClient, stored: Stored, secret: Secret, settings: Settings, clock: StandingClock
) -> None:
    """Changed ones, one given at the registration, a browser's that became theirs, and of whom they were merged with.

    Each was told of before it was theirs, and after.
    """
    contacts: list[dict[str, Any]] = [
        {"email": "canary-1@shop.example"},
        {"text_reminder_number": "+49 30 canary 555"},
        {"email": "canary-2@shop.example"},
        {"email": "Canary-3@shop.example"},
        {"email": "canary-4@shop.example"},
        {"email": "bob@shop.example"},
    ]
    for number, contact in enumerate(contacts):
        send(client, about(uri=f"before-{number}", **contact))
    visitor = {"visitor_id": "browser"}
    operations = {"operations": [{"op": "update_or_create", "key": "$email", "value": "canary-3@shop.example"}]}
    signature = sign("42", AUTH_KEY)
    told: list[dict[str, Any]] = [
        make_event(name="$identify", props=operations),
        make_event(name="$auth", props={"user_id": "42", "hash": signature}),
        make_event(name="$registered", props={"$email": "canary-2@shop.example"}),
    ]
    for event in told:
        clock.now_ms += 1000
        assert client.post("/collect", json=make_batch(event, **visitor)).json()["accepted"] == 1
        wait_until_stored(client)
    for changes in ({"email": "canary-1@shop.example", "phone": "+4930555"}, {"email": "canary-5@shop.example"}):
        clock.now_ms += 1000
        set_properties(client, secret, "42", **changes)
    set_properties(client, secret, "43", email="canary-4@shop.example")
    assert client.post("/api/users/43/merge", json={"into": "42"}, headers=secret).json()["merged"] is True
    wait_until_stored(client)
    for number, contact in enumerate(contacts):
        send(client, about(uri=f"after-{number}", **contact))
    client.delete("/api/users/42", headers=secret)
    assert {each["props"]["email"] for each in stored(name="$calendly_invitee_created")} == {"bob@shop.example"}
    kept = [path.name for path in settings.data_dir.rglob("*") if path.is_file() and b"anary" in path.read_bytes()]
    assert kept == []


def test_erasing_a_user_who_was_merged_into_a_visitor_reaches_what_was_told_of_their_addresses(
    client: TestClient, stored: Stored, secret: Secret, clock: StandingClock
) -> None:
    browser = str(uuid4())
    send(client, about(email="canary@shop.example"))
    client.post("/collect", json=make_batch(make_event(), visitor_id=browser))
    set_properties(client, secret, "42", email="canary@shop.example")
    clock.now_ms += 1000
    assert client.post("/api/users/42/merge", json={"into": browser}, headers=secret).json()["merged"] is True
    wait_until_stored(client)
    client.delete("/api/users/42", headers=secret)
    assert stored() == []


def test_erasing_a_user_leaves_an_earlier_address_that_another_has_or_had(
    client: TestClient, stored: Stored, secret: Secret, clock: StandingClock
) -> None:
    send(client, about(uri="a", email="desk@shop.example"))
    for user_id, email in (("41", "desk"), ("42", "desk"), ("42", "ann"), ("41", "bob")):
        clock.now_ms += 1000
        set_properties(client, secret, user_id, email=f"{email}@shop.example")
    client.delete("/api/users/42", headers=secret)
    assert len(stored(name="$calendly_invitee_created")) == 1


def test_erasing_who_claims_anothers_address_leaves_the_others_events(
    client: TestClient, stored: Stored, secret: Secret
) -> None:
    send(client, about(email="ann@shop.example"))
    set_properties(client, secret, "42", email="ann@shop.example")
    set_properties(client, secret, "43", email="ann@shop.example")
    client.delete("/api/users/43", headers=secret)
    assert len(stored(name="$calendly_invitee_created")) == 1


def guest(**changes: str) -> HookCall:
    """Return Zoom's word of somebody who joined without an address, with these fields of the participant."""
    payload = first_payload("zoom")
    unnamed = dict.fromkeys(("email", "id", "registrant_id", "customer_key"), "")
    payload["payload"]["object"]["participant"] |= {**unnamed, "user_name": "canary", **changes}
    return signed("zoom", payload)


def chat(**changes: Any) -> HookCall:
    """Return Chatwoot's word of what a contact without an address wrote, with these fields of the contact."""
    payload = copy.deepcopy(PAYLOADS["chatwoot"]["message_created"])
    unnamed = dict.fromkeys(("email", "phone_number", "identifier"))
    payload["content"] = "canary"
    payload["conversation"]["meta"]["sender"] |= {**unnamed, **changes}
    return signed("chatwoot", payload)


@pytest.mark.parametrize(
    ("call", "of_another"),
    [
        (guest(id="z"), guest(id="y", participant_uuid="other")),
        (guest(registrant_id="z"), guest(registrant_id="y", participant_uuid="other")),
        (guest(), guest(participant_uuid="other")),
        (guest(customer_key="undefined"), guest(participant_uuid="other")),
        (chat(), guest(id="4")),
        (chat(identifier="null"), guest(id="4")),
    ],
    ids=["zoom-user", "zoom-registrant", "zoom-participant", "zoom-no-key", "chatwoot", "chatwoot-no-identifier"],
)
def test_whom_only_the_vendor_knows_has_a_visitor_who_can_be_erased(
    client: TestClient, stored: Stored, secret: Secret, call: HookCall, of_another: HookCall
) -> None:
    for each in (call, of_another):
        assert send(client, each).json()["accepted"] == 1
    first, second = (each["visitor_id"] for each in sorted(stored(), key=lambda each: each["received_at"]))
    assert first.startswith("contact-")
    assert second.startswith("contact-")
    assert first != second
    assert client.delete(f"/api/users/{first}", headers=secret).json()["erased"] == 1
    assert [each["visitor_id"] for each in stored()] == [second]


def test_erasing_a_user_reaches_what_was_told_of_their_id_without_a_proof(
    client: TestClient, stored: Stored, secret: Secret, clock: StandingClock
) -> None:
    calls = (guest(customer_key="42"), chat(identifier="42"), guest(customer_key="43", participant_uuid="other"))
    for call in calls:
        assert send(client, call).json()["accepted"] == 1
    assert {each["user_id"] for each in stored()} == {None}
    clock.now_ms += 1000
    assert client.delete("/api/users/42", headers=secret).json()["erased"] == 2
    assert [each["props"]["customer_key"] for each in stored()] == ["43"]
