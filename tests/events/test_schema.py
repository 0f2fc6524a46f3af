import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import EventRejected
from server.events.catalogue import SystemEvent, check_attributes, load_catalogue
from server.events.schema import catalogue_json, json_schema

CATALOGUE = load_catalogue()
FULL_EVENTS = json.loads(Path(__file__).with_name("full_events.json").read_text(encoding="utf-8"))

ANNOTATIONS = {"$schema", "title", "x-title-ru", "description", "examples", "default", "readOnly"}
TYPES: dict[str, Any] = {"string": str, "integer": int, "array": list, "object": dict, "null": type(None)}


def fits(value: object, schema: dict[str, Any]) -> bool:
    """Return whether the value fits, by as much of JSON Schema as the catalogue uses; other keywords fail the test."""
    unknown = schema.keys() - KEYWORDS.keys() - ANNOTATIONS
    assert not unknown, f"teach this test {unknown}"
    return all(KEYWORDS[keyword](value, rule) for keyword, rule in schema.items() if keyword in KEYWORDS)


def has_type(value: object, rule: str | list[str]) -> bool:
    names = [rule] if isinstance(rule, str) else rule
    return not isinstance(value, bool) and any(isinstance(value, TYPES[name]) for name in names)


KEYWORDS: dict[str, Callable[[Any, Any], bool]] = {
    "type": has_type,
    "enum": lambda value, values: value in values,
    "anyOf": lambda value, options: any(fits(value, option) for option in options),
    "minimum": lambda value, least: not isinstance(value, int) or value >= least,
    "maximum": lambda value, most: not isinstance(value, int) or value <= most,
    "maxLength": lambda value, most: not isinstance(value, str) or len(value) <= most,
    "items": lambda value, schema: not isinstance(value, list) or all(fits(item, schema) for item in value),
    "required": lambda value, names: all(name in value for name in names),
    "properties": lambda value, parts: all(fits(value[name], parts[name]) for name in parts.keys() & value.keys()),
    "additionalProperties": lambda _, rule: rule is True,
}

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.just("x" * 300),
    st.floats().map(str),
    st.integers().map(str),
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(st.text(max_size=3), SCALARS, max_size=2))


@st.composite
def events_with_props(draw: st.DrawFn) -> tuple[SystemEvent, dict[str, Any]]:
    """Draw an event and anything for its attributes, right values often enough that many are accepted."""
    event = draw(st.sampled_from([event for event in CATALOGUE.events if event.attributes]))
    props: dict[str, Any] = {"unlisted": draw(VALUES)}
    for attribute in event.attributes:
        if draw(st.booleans()) or attribute.is_required:
            right = st.sampled_from([attribute.example, FULL_EVENTS[event.name][attribute.name]])
            props[attribute.name] = draw(st.one_of(right, VALUES))
    return event, props


def refusal(event: SystemEvent, props: dict[str, Any]) -> str | None:
    try:
        check_attributes(event, props)
    except EventRejected as refused:
        return refused.code
    return None


@settings(max_examples=150, deadline=None)
@given(events_with_props())
def test_what_is_accepted_fits_its_schema_and_what_is_refused_stays_as_it_came(
    case: tuple[SystemEvent, dict[str, Any]],
) -> None:
    event, props = case
    before = repr(props)  # as text, because NaN is not equal to itself
    code = refusal(event, props)
    if code is not None:
        assert repr(props) == before
        assert code in {"missing_attribute", "wrong_type", "invalid_value", "list_lengths_differ"}
        return
    assert fits(props, json_schema(event))
    assert repr(props["unlisted"]) in before
    stored = repr(props)
    codes = {correction.code for correction in check_attributes(event, props)}
    assert repr(props) == stored
    assert codes <= {"unknown_value"}


@pytest.mark.parametrize("event", CATALOGUE.events, ids=lambda event: event.name)
def test_full_event_fits_its_schema(event: SystemEvent) -> None:
    assert fits(FULL_EVENTS[event.name], json_schema(event))


@pytest.mark.parametrize(
    ("name", "props"),
    [
        ("$order_paid", {}),
        ("$order_paid", {"$order_id": None}),
        ("$order_paid", {"$order_id": 5}),
        ("$order_completed", {"$order_id": "5", "$order_amount": 2**53 + 1}),
        ("$order_completed", {"$order_id": "5", "$order_amount": True}),
        ("$conversation_user_started", {"$conversation_id": "1", "$body": "x" * 256}),
        ("$message_bounced", {"$message_type": "other"}),
        ("$message_bounced", {"$type": 5}),
        ("$cart_viewed", {"$name": "A"}),
        ("$cart_viewed", {"$amount": ["A"]}),
        ("$utm_hit", {"$utm_source": None}),
    ],
)
def test_schema_describes_the_stored_form_only(name: str, props: dict[str, Any]) -> None:
    event = CATALOGUE.get(name)
    assert event is not None
    assert not fits(props, json_schema(event))


def test_catalogue_json_lists_every_event_with_titles_sender_and_schema() -> None:
    events = catalogue_json(CATALOGUE)["events"]
    assert [event["name"] for event in events] == [event.name for event in CATALOGUE.events]
    paid = next(event for event in events if event["name"] == "$order_paid")
    assert paid == {
        "name": "$order_paid",
        "group": "shops",
        "title": {"en": "Order paid", "ru": "Заказ оплачен"},
        "description": "The customer has paid for the order.",
        "sender": "server",
        "made_by": None,
        "schema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Order paid",
            "x-title-ru": "Заказ оплачен",
            "description": "The customer has paid for the order.",
            "type": "object",
            "properties": {
                "$order_id": {
                    "type": "string",
                    "title": "Order id (internal)",
                    "x-title-ru": "ID заказа (внутренний)",
                    "examples": ["100500"],
                }
            },
            "additionalProperties": True,
            "required": ["$order_id"],
        },
    }


def test_schema_marks_defaults_and_what_the_server_fills_in() -> None:
    start, utm_hit = CATALOGUE.get("$session_start"), CATALOGUE.get("$utm_hit")
    assert start is not None
    assert utm_hit is not None
    properties = json_schema(start)["properties"]
    read_only = {name for name, schema in properties.items() if schema.get("readOnly")}
    assert read_only == set(start.server_added)
    assert properties["$device_type"]["enum"] == ["pc", "mobile", "tablet", None]
    assert json_schema(utm_hit)["properties"]["$utm_term"]["default"] == ""
