"""One message of Segment's clients, as events: each call's translation."""

from typing import Any

import pytest

from server.dialects.segment import Sender, read_call, translate
from server.errors import BadRequest, EventRejected
from server.events.wire import MAX_EVENTS

SERVER = Sender(site="shop", is_trusted=True, may_name_users=True)
PAGE = Sender(site="shop", is_trusted=False, may_name_users=False)

Event = dict[str, Any]


def told(sender: Sender = SERVER, **message: Any) -> list[Event]:
    """Return the events without their ids."""
    events = translate({"userId": "u-1", "messageId": "m-1", **message}, sender)
    return [{name: value for name, value in event.items() if name != "id"} for event in events]


def test_track_is_an_event_of_that_name() -> None:
    found = told(type="track", event="Plan changed", properties={"plan": "pro"}, anonymousId="v-1", timestamp="T")
    assert found == [
        {"name": "Plan changed", "props": {"plan": "pro"}, "user_id": "u-1", "visitor_id": "v-1", "time": "T"}
    ]


def test_page_is_a_page_view_with_its_own_properties_before_the_contexts() -> None:
    found = told(
        type="page",
        name="Home",
        category="Docs",
        properties={"url": "https://a.example/x?y", "path": "/x", "search": "?y", "title": "X", "author": "A"},
        context={"page": {"url": "https://a.example/", "referrer": "https://b.example/"}},
    )
    assert found == [
        {
            "name": "$page_view",
            "user_id": "u-1",
            "page": {"url": "https://a.example/x?y", "title": "X", "referrer": "https://b.example/"},
            "props": {
                "$url": "https://a.example/x?y",
                "$title": "X",
                "author": "A",
                "name": "Home",
                "category": "Docs",
            },
        }
    ]


def test_screen_keeps_its_name() -> None:
    found = told(type="screen", name="Cart", properties={"items": 2})
    assert [(each["name"], each["props"]) for each in found] == [("Screen Viewed", {"items": 2, "name": "Cart"})]


def test_identify_is_operations_of_the_visitor_who_is_the_user() -> None:
    found = told(type="identify", anonymousId="v-1", traits={"email": "a@b.example", "plan": "pro"})
    operations = [
        {"op": "update_or_create", "key": "$email", "value": "a@b.example"},
        {"op": "update_or_create", "key": "plan", "value": "pro"},
    ]
    assert found == [{"name": "$identify", "props": {"operations": operations}, "visitor_id": "v-1", "user_id": "u-1"}]


def test_group_is_an_event_and_a_property_of_the_user() -> None:
    found = told(type="group", groupId="g-1", traits={"name": "ACME"})
    assert [(each["name"], each["props"]) for each in found] == [
        ("Group Joined", {"group_id": "g-1", "traits": {"name": "ACME"}}),
        ("$identify", {"operations": [{"op": "update_or_create", "key": "group_id", "value": "g-1"}]}),
    ]


@pytest.mark.parametrize(
    ("previous", "kinds"),
    [
        ("1f0c9a52-7c1d-4c1b-9a55-0d1f4b6c2e11", ["visitor", "user"]),
        ("1F0C9A52-7C1D-4C1B-9A55-0D1F4B6C2E11", ["visitor", "user"]),
        ("old", ["user"]),
        ("42", ["user"]),
    ],
)
def test_alias_merges_the_user_of_the_former_id_and_a_visitor_whom_nobody_guesses(
    previous: str, kinds: list[str]
) -> None:
    found = told(type="alias", previousId=previous)
    assert [each["props"] for each in found] == [
        {"$from": previous, "$from_kind": kind, "$to": "u-1", "$to_kind": "user"} for kind in kinds
    ]
    assert {each["name"] for each in found} == {"$user_merged"}


def test_alias_of_the_messages_own_visitor_joins_them() -> None:
    found = told(type="alias", previousId="v-1", anonymousId="v-1")
    assert found == [{"name": "$identify", "props": {"operations": []}, "visitor_id": "v-1", "user_id": "u-1"}]


def test_ids_follow_from_message_site_and_place() -> None:
    def ids(site: str, **message: Any) -> list[str]:
        sender = Sender(site=site, is_trusted=True, may_name_users=True)
        return [each["id"] for each in translate({"userId": "u", "groupId": "g", "type": "group", **message}, sender)]

    first = ids("shop", messageId="m-1")
    assert ids("shop", messageId="m-1", timestamp="T", traits={"a": 1}) == first
    assert len({*first, *ids("shop", messageId="m-2"), *ids("blog", messageId="m-1")}) == 6


def test_message_without_an_id_leaves_it_to_the_server() -> None:
    assert "id" not in translate({"type": "track", "event": "E", "userId": "u"}, SERVER)[0]


def test_page_may_claim_a_user_and_prove_it() -> None:
    message = {"type": "identify", "anonymousId": "v-1", "integrations": {"Footfall": {"user_hash": "abc"}}}
    assert told(PAGE, **message) == [
        {"name": "$auth", "props": {"user_id": "u-1", "hash": "abc"}, "visitor_id": "v-1"},
        {"name": "$identify", "props": {"operations": [], "$claimed_user_id": "u-1"}, "visitor_id": "v-1"},
    ]
    assert [each["name"] for each in told(PAGE, type="identify", anonymousId="v-1")] == ["$identify"]


def test_context_of_a_page_tells_nothing_that_only_servers_may_tell() -> None:
    context = {"ip": "203.0.113.7", "userAgent": "UA", "locale": "de", "campaign": {"source": "x"}}
    assert set(told(PAGE, type="track", event="E", context=context)[0]) == {"name", "props"}


@pytest.mark.parametrize(("given", "kept"), [(7, "7"), ("7", "7"), (0, "0")])
def test_numbers_as_ids_become_text(given: Any, kept: str) -> None:
    assert told(type="track", event="E", userId=given)[0]["user_id"] == kept


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"userId": ""}, "missing_identity"),
        ({"userId": None}, "missing_identity"),
        ({"userId": True}, "bad_id"),
        ({"userId": 10**30}, "bad_id"),
        ({"anonymousId": []}, "bad_id"),
        ({"messageId": {}}, "bad_id"),
        ({"properties": "x"}, "bad_props"),
        ({"type": "identify", "traits": []}, "bad_props"),
        ({"type": None}, "unknown_type"),
        ({"type": ["track"]}, "unknown_type"),
        ({"type": "group"}, "missing_group_id"),
        ({"type": "alias"}, "missing_previous_id"),
        ({"userId": "", "anonymousId": "\0"}, "missing_identity"),
    ],
)
def test_what_cannot_be_translated_is_refused_with_a_reason(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(EventRejected) as error:
        told(**{"type": "track", "event": "E", **changes})
    assert error.value.code == code


def test_batch_lends_its_context_to_its_messages() -> None:
    body = {
        "batch": [{"context": {"locale": "de"}}, {"context": None}, {}, 7],
        "context": {"locale": "en", "ip": "203.0.113.7"},
        "sentAt": "T",
        "writeKey": "shop",
    }
    call = read_call("batch", body)
    assert (call.sent_at, call.write_key) == ("T", "shop")
    english = {"context": {"locale": "en", "ip": "203.0.113.7"}}
    assert call.messages == [{"context": {"locale": "de", "ip": "203.0.113.7"}}, english, english, 7]


def test_batch_lends_only_what_is_read_of_a_context() -> None:
    body = {"batch": [{}], "context": {"locale": "en", "library": {"name": "x"}}}
    assert read_call("batch", body).messages == [{"context": {"locale": "en"}}]


def test_batch_of_too_many_messages_lends_nothing() -> None:
    batch: list[Event] = [{} for _ in range(MAX_EVENTS + 1)]
    assert read_call("batch", {"batch": batch, "context": {"locale": "en"}}).messages is batch


def test_single_message_is_of_its_paths_kind() -> None:
    assert read_call("p", {"type": "track"}).messages == [{"type": "page"}]
    assert read_call("identify", {}).messages == [{"type": "identify"}]


@pytest.mark.parametrize(("kind", "body"), [("t", None), ("t", [{}]), ("b", {}), ("b", []), ("b", {"batch": {}})])
def test_body_of_no_messages_is_refused(kind: str, body: Any) -> None:
    with pytest.raises(BadRequest):
        read_call(kind, body)
