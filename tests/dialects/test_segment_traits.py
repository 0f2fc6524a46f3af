"""Traits as operations, each of which the properties take."""

from typing import Any

import pytest

from server.dialects.segment_traits import operations_of


def test_known_traits_become_our_properties() -> None:
    traits = {"name": "Ann Smith", "email": "a@b.example", "phone": "+49 30 1", "plan": "pro", "age": 33}
    assert {each["key"]: each["value"] for each in operations_of(traits)} == {
        "$name": "Ann Smith",
        "$email": "a@b.example",
        "$phone": "+49 30 1",
        "plan": "pro",
        "age": 33,
    }


@pytest.mark.parametrize(
    ("traits", "name"),
    [
        ({"firstName": "Ann", "lastName": "Smith"}, "Ann Smith"),
        ({"first_name": "Ann"}, "Ann"),
        ({"lastName": " Smith "}, "Smith"),
        ({"firstName": "Ann", "name": "A. Smith"}, "A. Smith"),
        ({"firstName": "Ann", "$name": "A."}, "A."),
        ({"firstName": 7, "lastName": None}, None),
    ],
)
def test_name_is_made_of_its_parts_where_there_is_none(traits: dict[str, Any], name: str | None) -> None:
    assert {each["key"]: each.get("value") for each in operations_of(traits)}.get("$name") == name


def test_null_removes_and_an_empty_text_says_nothing() -> None:
    assert operations_of({"plan": None, "email": ""}) == [{"op": "delete", "key": "plan"}]


def test_objects_are_taken_apart_and_lists_kept() -> None:
    traits = {"address": {"city": "Bern", "geo": {"lat": 46.9}}, "tags": ["a", {"b": 1}], "company": {}}
    assert operations_of(traits) == [
        {"op": "update_or_create", "key": "address.city", "value": "Bern"},
        {"op": "update_or_create", "key": "address.geo.lat", "value": 46.9},
        {"op": "update_or_create", "key": "tags", "value": ["a", '{"b":1}']},
    ]


def test_names_too_long_to_be_taken_are_cut() -> None:
    (operation,) = operations_of({"k" * 1000: {"a": 1}})
    assert operation["key"] == "k" * 71


def test_bottomless_traits_end() -> None:
    deep: Any = {"x": "\udfff"}
    for _ in range(190):
        deep = {"x": deep}
    assert operations_of(deep) == [{"op": "update_or_create", "key": "x.x.x.x.x.x.x.x", "value": "…"}]
