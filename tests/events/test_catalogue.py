import json
import re
from pathlib import Path
from typing import Any

import pytest

from server.events.catalogue import check_attributes, load_catalogue

CATALOGUE = load_catalogue()

FULL_EVENTS: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("full_events.json").read_text(encoding="utf-8")
)

MESSAGE = "$message_id $message_type $message_name $type"

# Written by hand from the specification, not from the catalogue: the two must not share a mistake.
SPECIFICATION = {
    "$session_start": "$referrer $referrer_domain $browser $os $device $ip $resolution $device_type",
    "$utm_hit": "$utm_source $utm_campaign $utm_medium $utm_content $utm_term",
    "$registered": "$name $email",
    "$authorized": "$name $email",
    "$conversation_part_group_closed": "$conversation_id",
    "$double_opt_in_confirmed": "",
    "$email_changed": "",
    "$name_changed": "",
    "$phone_changed": "",
    "$leave_site_attempt": "",
    "$logout": "",
    "$user_banned": "",
    "$user_unbanned": "",
    "$double_opt_in_send": "",
    "$filled_facebook_lead_ad": "",
    "$calendly_invitee_created": "",
    "$form_sended": "",
    "$input_filled": "",
    "$page_view": "",
    "$conversation_screen_opened": "",
    "$start_screen_opened": "",
    "$push_subscribed": "",
    "$push_unsubscribed": "",
    "$user_merged": "",
    "$zoom_meeting_joined": "",
    "$conversation_user_started": "$body $conversation_id",
    "$message_sended": MESSAGE,
    "$message_read": MESSAGE,
    "$message_replied": MESSAGE,
    "$message_clicked": MESSAGE,
    "$message_unsubscribed": MESSAGE,
    "$chat_bot_finished": "",
    "$chat_bot_read": "",
    "$chat_bot_replied": "",
    "$chat_bot_sent": "",
    "$chat_bot_interrupted": "",
    "$message_control_group": "",
    "$message_spam": "",
    "$message_bounced": "",
    "$order_started": "",
    "$order_completed": "$order_id $order_id_human $order_amount",
    "$order_paid": "$order_id",
    "$order_closed": "$order_id",
    "$order_cancelled": "$order_id $comment",
    "$order_refunded": "$order_id",
    "$cart_added": "$name $url $amount $img",
    "$cart_viewed": "$name $url $amount $img",
    "$product_viewed": "$name $url $amount $img",
}

# What the project adds where the specification lists nothing.
ADDITIONS = {
    "$page_view": "$url $title $referrer $referrer_domain",
    "$leave_site_attempt": "$trigger",
    "$input_filled": "$field $field_type $form $value",
    "$form_sended": "$form $action $fields",
    "$user_merged": "$from $to",
    "$message_control_group": MESSAGE,
    "$message_spam": MESSAGE,
    "$message_bounced": MESSAGE,
}

SERVER_ONLY = {
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
}

REQUIRED = {
    "$conversation_part_group_closed": "$conversation_id",
    "$conversation_user_started": "$conversation_id",
    "$message_sended": "$message_id",
    "$message_read": "$message_id",
    "$message_replied": "$message_id",
    "$message_clicked": "$message_id",
    "$message_unsubscribed": "$message_id",
    "$order_completed": "$order_id",
    "$order_paid": "$order_id",
    "$order_closed": "$order_id",
    "$order_cancelled": "$order_id",
    "$order_refunded": "$order_id",
}


def test_catalogue_has_the_48_events_of_the_specification_and_no_other() -> None:
    assert len(CATALOGUE.events) == 48
    assert {event.name for event in CATALOGUE.events} == SPECIFICATION.keys()


@pytest.mark.parametrize("name", SPECIFICATION)
def test_event_has_exactly_the_attributes_of_the_specification_and_its_additions(name: str) -> None:
    event = CATALOGUE.get(name)
    assert event is not None
    expected = SPECIFICATION[name].split() + ADDITIONS.get(name, "").split()
    assert sorted(attribute.name for attribute in event.attributes) == sorted(expected)


def test_events_that_only_servers_may_send_are_those_of_the_contract() -> None:
    assert {event.name for event in CATALOGUE.events if event.sender == "server"} == SERVER_ONLY


def test_required_attributes_are_those_of_the_contract() -> None:
    required = {
        event.name: " ".join(attribute.name for attribute in event.attributes if attribute.is_required)
        for event in CATALOGUE.events
    }
    assert {name: names for name, names in required.items() if names} == REQUIRED


def test_only_session_start_has_attributes_that_the_server_adds() -> None:
    added = {event.name: event.server_added for event in CATALOGUE.events if event.server_added}
    names = {"$referrer_domain", "$browser", "$os", "$device", "$device_type", "$ip"}
    assert {name: set(values) for name, values in added.items()} == {"$session_start": names}


def test_groups_are_those_of_the_specification_with_their_number_of_events() -> None:
    numbers = {key: sum(event.group == key for event in CATALOGUE.events) for key in CATALOGUE.groups}
    assert numbers == {"general": 25, "communications": 14, "shops": 9}
    assert [title.ru for title in CATALOGUE.groups.values()] == ["Общее", "Коммуникации", "Интернет-магазины"]


def test_every_event_and_attribute_has_a_title_in_both_languages() -> None:
    """Only the UTM names have no Cyrillic letter in Russian; any other title without one was forgotten."""
    titles = [event.title for event in CATALOGUE.events]
    titles += [attribute.title for event in CATALOGUE.events for attribute in event.attributes]
    without_cyrillic = {title.ru for title in titles if not re.search(r"[\u0430-\u044f]", title.ru.lower())}
    assert without_cyrillic == {"UTM Source", "UTM Campaign", "UTM Medium", "UTM Content", "UTM Term"}
    assert all(title.en.isascii() and title.en for title in titles)
    assert all(event.description.endswith(".") for event in CATALOGUE.events)


def test_full_events_carry_every_attribute_of_every_event() -> None:
    carried = {name: set(props) for name, props in FULL_EVENTS.items()}
    assert carried == {event.name: {a.name for a in event.attributes} for event in CATALOGUE.events}


@pytest.mark.parametrize("name", SPECIFICATION)
def test_full_event_is_accepted_unchanged(name: str) -> None:
    event = CATALOGUE.get(name)
    assert event is not None
    props = json.loads(json.dumps(FULL_EVENTS[name]))
    assert check_attributes(event, props) == []
    assert props == FULL_EVENTS[name]


@pytest.mark.parametrize("name", SPECIFICATION)
def test_examples_of_the_catalogue_pass_their_own_checks(name: str) -> None:
    event = CATALOGUE.get(name)
    assert event is not None
    examples = {attribute.name: attribute.example for attribute in event.attributes}
    props = dict(examples)
    assert check_attributes(event, props) == []
    assert props == examples


def test_get_knows_exact_names_only() -> None:
    assert CATALOGUE.get("$Page_view") is None
    assert CATALOGUE.get("page_view") is None
    assert CATALOGUE.get("") is None


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("$authorised", "$authorized"),
        ("$message_sent", "$message_sended"),
        ("$order_complete", "$order_completed"),
        ("$ordercompleted", "$order_completed"),
        ("$Page_View", "$page_view"),
        ("$page_viewed", "$page_view"),
        ("$session_started", "$session_start"),
        ("$form_sent", "$form_sended"),
        ("$goal_reached", None),
        ("$", None),
        ("$\ud800", None),
        ("$message_unsubscribed" * 2, None),
    ],
)
def test_nearest_finds_the_name_that_was_meant(name: str, nearest: str | None) -> None:
    assert CATALOGUE.nearest(name) == nearest


def test_nearest_compares_no_long_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparing is what costs: a stranger's 255 characters must not get that far."""
    compared: list[str] = []

    def remember(name: str, _known: tuple[str, ...]) -> str | None:
        compared.append(name)
        return None

    monkeypatch.setattr("server.events.catalogue._nearest", remember)
    assert CATALOGUE.nearest("$" + "page_view" * 28) is None
    assert CATALOGUE.nearest("$pageview") is None
    assert compared == ["$pageview"]


def test_catalogue_is_read_once() -> None:
    assert load_catalogue() is load_catalogue()
