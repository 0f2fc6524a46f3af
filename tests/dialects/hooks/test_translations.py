"""What vendors tell, as our events: each recorded payload, and what becomes none."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.dialects.hooks.facebook import answer_subscription
from server.dialects.hooks.notice import Ignored, Notice, Whom
from server.dialects.hooks.signatures import hmac_hex
from server.dialects.hooks.vendors import VENDORS
from server.dialects.hooks.zoom import answer_challenge
from server.dialects.plain import plain
from server.errors import BadRequest
from tests.hook_calls import PAYLOADS, every_payload, first_payload

ANN = Whom(email="ann@shop.example")


def translate(vendor: str, payload: Any) -> list[Notice]:
    """Return the notices of a payload that has nothing else."""
    found = VENDORS[vendor].translate(payload)
    assert all(isinstance(each, Notice) for each in found)
    return [each for each in found if isinstance(each, Notice)]


def ignored(vendor: str, payload: Any) -> list[str]:
    found = VENDORS[vendor].translate(payload)
    return [each.reason for each in found if isinstance(each, Ignored)]


def change(vendor: str, case: str, path: str, value: Any) -> Any:
    """Return a recorded payload with another value at a path, whose parts dots separate."""
    payload = copy.deepcopy(PAYLOADS[vendor][case])
    *way, last = path.split(".")
    place = payload
    for name in way:
        place = place[int(name) if isinstance(place, list) else name]
    place[last] = value
    return payload


def test_calendly_tells_of_a_booking() -> None:
    (notice,) = translate("calendly", first_payload("calendly"))
    event = "https://api.calendly.com/scheduled_events/E7DEMO"
    assert notice == Notice(
        name="$calendly_invitee_created",
        foreign_id=f"{event}/invitees/I9ANN",
        props={
            "event_uri": event,
            "event_name": "Demo",
            "start_time": "2026-11-25T09:00:00.000000Z",
            "end_time": "2026-11-25T09:30:00.000000Z",
            "invitee_uri": f"{event}/invitees/I9ANN",
            "name": "Ann Smith",
            "email": "Ann@Shop.example",
        },
        whom=Whom(email="Ann@Shop.example", phone="+49 30 901820"),
        time_ms=1_795_442_578_512,
        columns={"utm_campaign": "autumn", "utm_source": "newsletter", "utm_medium": "email"},
    )


def test_calendly_without_the_event_itself_names_it() -> None:
    payload = change("calendly", "invitee.created", "payload.scheduled_event", None)
    assert translate("calendly", payload)[0].props["event_uri"].endswith("/E7DEMO")


def test_zoom_tells_of_somebody_who_joins() -> None:
    (notice,) = translate("zoom", first_payload("zoom"))
    assert notice == Notice(
        name="$zoom_meeting_joined",
        foreign_id="4444AAAiAAAAAiAiAiiAii==\n55555AAAiAAAAAiAiAiiAii\n2026-11-23T14:03:09Z",
        props={
            "meeting_id": "94000000001",
            "meeting_uuid": "4444AAAiAAAAAiAiAiiAii==",
            "topic": "Demo",
            "name": "Ann",
            "email": "ann@shop.example",
            "registrant_id": "abcdefghij0-klmnopq23456",
            "customer_key": "ck-7",
        },
        whom=Whom(
            email="ann@shop.example",
            claimed_id="ck-7",
            vendor_ids=(
                ("zoom user", "iFxeBPYun6SAiWUzBcEkX"),
                ("zoom registrant", "abcdefghij0-klmnopq23456"),
                ("zoom participant", "55555AAAiAAAAAiAiAiiAii"),
            ),
        ),
        time_ms=1_795_442_589_000,
    )


def test_zoom_tells_twice_of_who_joins_again() -> None:
    again = change("zoom", "meeting.participant_joined", "payload.object.participant.join_time", "2026-11-23T14:03:19Z")
    first, second = translate("zoom", first_payload("zoom"))[0], translate("zoom", again)[0]
    assert first.foreign_id != second.foreign_id


def test_zoom_is_answered_what_it_asks_and_signs_nothing_else() -> None:
    asked = {"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}}
    secret = "secret-token"
    assert answer_challenge(asked, secret) == {
        "plainToken": "qgg8vlvZRS6UYooatFL8Aw",
        "encryptedToken": hmac_hex(secret, b"qgg8vlvZRS6UYooatFL8Aw"),
    }
    for token in ('v0:1795442602:{"event":"meeting.participant_joined"}', "", 7.5, None, "a" * 129, "a\n"):
        assert answer_challenge({**asked, "payload": {"plainToken": token}}, secret) is None
    assert answer_challenge({**asked, "event": "meeting.started"}, secret) is None


def test_facebook_tells_the_ids_of_a_lead() -> None:
    (notice,) = translate("facebook", first_payload("facebook"))
    props = {
        "leadgen_id": "444444444444444444",
        "form_id": "666666666666",
        "page_id": "153125381133",
        "ad_id": "777777777",
        "adgroup_id": "777777777",
    }
    assert (notice.name, notice.foreign_id, notice.props) == ("$filled_facebook_lead_ad", props["leadgen_id"], props)
    assert (notice.whom, notice.time_ms) == (Whom(), 1_795_442_600_000)


def test_facebooks_ids_survive_as_numbers() -> None:
    payload = change("facebook", "leadgen", "entry.0.changes.0.value.leadgen_id", 444444444444444444)
    (notice,) = translate("facebook", plain(payload))
    assert notice.foreign_id == notice.props["leadgen_id"] == "444444444444444444"


def test_facebook_tells_of_several_pages_at_once() -> None:
    payload = first_payload("facebook")
    other = {"field": "feed", "value": {}}
    payload["entry"] += [{"changes": [other]}, {"changes": "none"}, "none", first_payload("facebook")["entry"][0]]
    found = VENDORS["facebook"].translate(payload)
    assert [type(each) for each in found] == [Notice, Ignored, Notice]


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({}, "1158201444"),
        ({"hub.verify_token": "guess"}, None),
        ({"hub.mode": "unsubscribe"}, None),
        ({"hub.challenge": ""}, None),
        ({"hub.challenge": "x" * 257}, None),
    ],
)
def test_facebook_hears_its_challenge_only_when_it_knows_the_token(changes: dict[str, str], answer: str | None) -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "token-2", **changes}
    assert answer_subscription(query, ("token-1", "token-2")) == answer


MAIL = {
    "sendgrid": [
        ("$message_bounced", "14c5d75ce93.dfd.64b469"),
        ("$message_bounced", "LRzXl_NHStOGhQ4kofSm_A"),
        ("$message_spam", "m3"),
        ("$message_read", "m4"),
        ("$message_clicked", "m5"),
        ("$message_unsubscribed", "m6"),
        ("$message_unsubscribed", "m7"),
    ],
    "mailgun": [
        ("$message_bounced", "1@mg.shop.example"),
        ("$message_spam", "2@mg.shop.example"),
        ("$message_read", "3@mg.shop.example"),
        ("$message_clicked", "3@mg.shop.example"),
        ("$message_unsubscribed", "3@mg.shop.example"),
    ],
    "postmark": [
        ("$message_bounced", "2c1b63fe-43f2-4db5-91b0-8bdfa44a9316"),
        ("$message_spam", "2c1b63fe-43f2-4db5-91b0-8bdfa44a9317"),
        ("$message_read", "2c1b63fe-43f2-4db5-91b0-8bdfa44a9318"),
        ("$message_clicked", "2c1b63fe-43f2-4db5-91b0-8bdfa44a9318"),
        ("$message_unsubscribed", "2c1b63fe-43f2-4db5-91b0-8bdfa44a9318"),
    ],
}


@pytest.mark.parametrize("vendor", MAIL)
def test_services_that_send_mail_tell_the_same_in_their_ways(vendor: str) -> None:
    notices = [each for payload in PAYLOADS[vendor].values() for each in translate(vendor, payload)]
    assert [(each.name, each.props["$message_id"]) for each in notices] == MAIL[vendor]
    assert {each.props["$type"] for each in notices} == {"email"}
    assert {each.props["email"] for each in notices} == {each.whom.email for each in notices} == {"ann@shop.example"}
    assert len({each.foreign_id for each in notices}) == len(notices)
    assert [each.time_ms for each in notices] == sorted(each.time_ms or 0 for each in notices)
    assert "Welcome" in {each.props.get("$message_name") for each in notices}
    assert {each.props.get("url") for each in notices} == {None, "https://shop.example/welcome"}
    assert {each.whom.user_id for each in notices} == {None, "42"}  # what the site handed over with a message


def test_chatwoot_tells_of_a_conversation() -> None:
    notices = [each for payload in PAYLOADS["chatwoot"].values() for each in translate("chatwoot", payload)]
    conversation = {"$conversation_id": "207"}
    message = {"$message_id": "655", "$type": "popup_chat", "$body": "Hello?"}
    assert [(each.name, each.props, each.time_ms) for each in notices] == [
        ("$conversation_user_started", {**conversation, "$body": "Do you ship to Norway?"}, 1_795_442_590_000),
        ("$message_replied", {**conversation, **message}, 1_795_442_591_449),
        ("$conversation_part_group_closed", conversation, 1_795_442_600_500),
    ]
    assert len({each.foreign_id for each in notices}) == len(notices)


def test_chatwoots_identifier_counts_only_when_the_site_has_signed_it() -> None:
    started, written, _ = (translate("chatwoot", each)[0] for each in PAYLOADS["chatwoot"].values())
    assert (started.whom.user_id, started.whom.claimed_id, started.whom.email) == ("42", None, "ann@shop.example")
    assert (written.whom.user_id, written.whom.claimed_id, written.whom.email) == (None, "42", "ann@shop.example")
    assert started.whom.vendor_ids == written.whom.vendor_ids == (("chatwoot contact", "4"),)


def test_chatwoot_tells_again_of_what_is_resolved_again() -> None:
    again = change("chatwoot", "conversation_status_changed", "updated_at", 1795449999.0)
    first = translate("chatwoot", PAYLOADS["chatwoot"]["conversation_status_changed"])[0]
    assert translate("chatwoot", again)[0].foreign_id != first.foreign_id


def test_a_long_message_is_cut() -> None:
    payload = change("chatwoot", "message_created", "content", "x" * 1000)
    assert translate("chatwoot", payload)[0].props["$body"] == "x" * 255


@pytest.mark.parametrize(
    ("vendor", "case", "path", "value", "reason"),
    [
        ("calendly", "invitee.created", "event", "invitee.canceled", "unknown_type"),
        ("zoom", "meeting.participant_joined", "event", "meeting.ended", "unknown_type"),
        ("facebook", "leadgen", "entry", [], "unknown_type"),
        ("facebook", "leadgen", "entry.0.changes.0.field", "feed", "unknown_type"),
        ("mailgun", "failed", "event-data.event", "delivered", "unknown_type"),
        ("mailgun", "failed", "event-data.severity", "temporary", "temporary_failure"),
        ("postmark", "Bounce", "RecordType", "Delivery", "unknown_type"),
        ("postmark", "Bounce", "Type", "Transient", "temporary_failure"),
        ("postmark", "SubscriptionChange", "SuppressSending", False, "not_by_recipient"),
        ("postmark", "SubscriptionChange", "SuppressionReason", "HardBounce", "not_by_recipient"),
        ("postmark", "SubscriptionChange", "Origin", "Customer", "not_by_recipient"),
        ("chatwoot", "message_created", "event", "contact_updated", "unknown_type"),
        ("chatwoot", "message_created", "event", ["message_created"], "unknown_type"),
        ("chatwoot", "message_created", "message_type", "outgoing", "not_by_visitor"),
        ("chatwoot", "message_created", "private", True, "not_by_visitor"),
        ("chatwoot", "conversation_created", "messages", [{"message_type": 1}], "not_by_visitor"),
        ("chatwoot", "conversation_status_changed", "status", "open", "not_resolved"),
    ],
)
def test_what_is_no_event_here_is_left_out_with_a_reason(
    vendor: str, case: str, path: str, value: Any, reason: str
) -> None:
    assert ignored(vendor, change(vendor, case, path, value)) == [reason]


def test_sendgrid_mixes_what_is_an_event_with_what_is_none() -> None:
    events = [{"event": "delivered"}, {"event": "open", "sg_machine_open": True}, "none"]
    assert ignored("sendgrid", events) == ["unknown_type", "machine_open", "unknown_type"]
    with pytest.raises(BadRequest):
        VENDORS["sendgrid"].translate({"event": "open"})


@pytest.mark.parametrize(
    ("bounce_type", "name"), [("SpamComplaint", "$message_spam"), ("SMTPApiError", "$message_bounced")]
)
def test_postmarks_bounces_may_be_something_else(bounce_type: str, name: str) -> None:
    assert translate("postmark", change("postmark", "Bounce", "Type", bounce_type))[0].name == name


@pytest.mark.parametrize("vendor", PAYLOADS)
def test_the_same_told_again_has_the_same_id_and_other_things_have_others(vendor: str) -> None:
    def ids() -> list[str]:
        return [
            each.foreign_id for name, payload in every_payload() if name == vendor for each in translate(name, payload)
        ]

    assert ids() == ids()
    assert len(set(ids())) == len(ids())


@pytest.mark.parametrize("vendor", PAYLOADS)
def test_what_has_no_id_has_one_of_all_that_is_told(vendor: str) -> None:
    """Vendors send all ids; should they stop, nothing is lost and nothing twice."""
    bare = [_without_ids(payload) for name, payload in every_payload() if name == vendor]
    first = [each.foreign_id for payload in bare for each in translate(vendor, payload)]
    assert first == [each.foreign_id for payload in bare for each in translate(vendor, payload)]
    assert len(set(first)) == len(first) > 0


def _without_ids(value: Any) -> Any:
    names = {"id", "ID", "uri", "uuid", "leadgen_id", "sg_event_id", "participant_uuid", "user_id", "updated_at"}
    if isinstance(value, list):
        return [_without_ids(each) for each in value]
    if isinstance(value, dict):
        return {name: _without_ids(each) for name, each in value.items() if name not in names}
    return value


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=5,
)


def _places(value: Any) -> list[tuple[Any, Any]]:
    items = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [(value, key) for key, _ in items] + [place for _, each in items for place in _places(each)]


@given(st.sampled_from(sorted(PAYLOADS)), st.data())
def test_no_payload_raises_anything_but_a_refusal(vendor: str, data: st.DataObject) -> None:
    payload = data.draw(_JSON | st.sampled_from(list(PAYLOADS[vendor].values())))
    payload = copy.deepcopy(payload)
    for _ in range(3):
        places = _places(payload)
        if places:
            holder, key = data.draw(st.sampled_from(places))
            holder[key] = data.draw(_JSON)
    payload = plain(payload)
    if VENDORS[vendor].answer_challenge is not None:
        answer_challenge(payload, "secret")
    try:
        found = VENDORS[vendor].translate(payload)
    except BadRequest:
        return
    assert all(isinstance(each, Notice | Ignored) for each in found)
