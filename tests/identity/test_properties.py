"""The seven operations, and what two sets of properties become."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.identity.properties import MAX_OPERATIONS, OPERATION_NAMES, Properties, decode_properties

NOW = (1_000, "a")
LATER = (2_000, "b")


def op(name: str, key: str = "plan", value: Any = None) -> dict[str, Any]:
    return {"op": name, "key": key, "value": value}


def applied(*operations: Any, start: dict[str, Any] | None = None) -> Properties:
    properties = Properties(dict(start or {}))
    properties.apply(operations, NOW)
    return properties


@pytest.mark.parametrize(
    ("start", "operation", "expected"),
    [
        ({}, op("update_or_create", value="pro"), {"plan": "pro"}),
        ({"plan": "free"}, op("update_or_create", value="pro"), {"plan": "pro"}),
        ({}, op("set_once", value="pro"), {"plan": "pro"}),
        ({"plan": "free"}, op("set_once", value="pro"), {"plan": "free"}),
        ({}, op("add", value=2), {"plan": 2}),
        ({"plan": 5}, op("add", value=-7), {"plan": -2}),
        ({"plan": 1}, op("add", value=0.5), {"plan": 1.5}),
        ({}, op("append", value="a"), {"plan": ["a"]}),
        ({"plan": ["a"]}, op("append", value="a"), {"plan": ["a", "a"]}),
        ({"plan": ["a"]}, op("union", value=["a", "b", "b"]), {"plan": ["a", "b"]}),
        ({"plan": [1]}, op("union", value=True), {"plan": [1, True]}),
        ({"plan": ["a", "b", "a"]}, op("exclude", value="a"), {"plan": ["b"]}),
        ({"plan": [1, True, 1.5]}, op("exclude", value=1), {"plan": [True, 1.5]}),
        ({}, op("exclude", value="a"), {}),
        ({"plan": "free"}, op("delete"), {}),
        ({}, op("delete"), {}),
    ],
)
def test_each_operation(start: dict[str, Any], operation: dict[str, Any], expected: dict[str, Any]) -> None:
    assert applied(operation, start=start).values == expected


@pytest.mark.parametrize("kind", ["union", "exclude"])
def test_long_lists_are_not_compared_each_with_each(kind: str) -> None:
    compared = 0

    class Counted(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

    start = [Counted(number) for number in range(500)]
    applied(op(kind, value=[Counted(number) for number in range(500, 1000)]), start={"plan": start})
    assert compared < 5_000


@pytest.mark.parametrize(
    ("start", "operation", "reason"),
    [
        ({}, op("rename", value="x"), "unknown_operation"),
        ({}, "no object", "unknown_operation"),
        ({}, {"op": ["add"], "key": "plan", "value": 1}, "unknown_operation"),
        ({}, op("add", "", 1), "bad_key"),
        ({}, op("add", "k" * 71, 1), "bad_key"),
        ({}, {"op": "add", "key": 7, "value": 1}, "bad_key"),
        ({}, op("update_or_create", value=None), "empty_value"),
        ({}, op("update_or_create", value=""), "empty_value"),
        ({}, op("update_or_create", value={"a": 1}), "bad_value"),
        ({}, op("update_or_create", value=float("nan")), "bad_value"),
        ({}, op("update_or_create", value=2**60), "bad_value"),
        ({}, op("update_or_create", value="x" * 8193), "text_too_long"),
        ({}, op("update_or_create", value=["a"] * 1001), "list_too_long"),
        ({}, op("add", value="1"), "not_a_number"),
        ({}, op("add", value=True), "not_a_number"),
        ({"plan": "free"}, op("add", value=1), "wrong_type"),
        ({"plan": 2**53}, op("add", value=1), "number_too_large"),
        ({"plan": "free"}, op("append", value="a"), "wrong_type"),
        ({"plan": "free"}, op("union", value="a"), "wrong_type"),
        ({"plan": "free"}, op("exclude", value="a"), "wrong_type"),
        ({"plan": ["a"] * 1000}, op("append", value="a"), "list_full"),
    ],
)
def test_what_cannot_be_done_is_ignored_with_a_reason_and_changes_nothing(
    start: dict[str, Any], operation: Any, reason: str
) -> None:
    properties = Properties(dict(start))
    result = properties.apply([operation, op("set_once", "next", 1)], NOW)
    assert [(each.index, each.reason) for each in result.ignored] == [(0, reason)]
    assert properties.values == {**start, "next": 1}


def test_operations_go_in_their_order_and_the_result_names_each_key_once() -> None:
    properties = Properties({"kept": 1})
    operations = [op("add", "n", 1), op("add", "n", 1), op("set_once", "kept", 2), op("add", "gone", 1)]
    result = properties.apply([*operations, op("delete", "gone")], NOW)
    assert properties.values == {"kept": 1, "n": 2}
    assert (result.affected, result.unchanged, result.ignored) == (["n", "gone"], ["kept"], [])


def test_more_operations_than_allowed_are_ignored() -> None:
    result = Properties().apply([op("add", value=1)] * (MAX_OPERATIONS + 1), NOW)
    assert [each.reason for each in result.ignored] == ["too_many_operations"]


def test_too_many_properties_are_ignored() -> None:
    properties = Properties({f"p{number}": 1 for number in range(1000)})
    result = properties.apply([op("add", "one more", 1), op("add", "p1", 1)], NOW)
    assert [each.reason for each in result.ignored] == ["too_many_properties"]
    assert properties.values["p1"] == 2


def test_what_would_be_too_large_is_ignored_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.identity.properties.MAX_BYTES", 70)
    properties = applied(op("update_or_create", "a", "x" * 20), op("append", "$last_x", 1))
    before = orjson.dumps(properties.encode())
    too_large = [
        op("update_or_create", "a", "x" * 30),
        op("update_or_create", "b", "x" * 30),
        op("append", "$last_x", "x" * 30),
        op("delete", "never set" * 4),
    ]
    result = properties.apply(too_large, LATER)
    assert [each.reason for each in result.ignored] == ["too_large"] * 4
    assert (result.affected, result.unchanged, orjson.dumps(properties.encode())) == ([], [], before)
    result = properties.apply([op("delete", "a"), op("update_or_create", "b", "y")], LATER)
    assert result.affected == ["a", "b"], "what is removed makes room"


def test_what_is_larger_from_before_may_shrink(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.identity.properties.MAX_BYTES", 50)
    properties = Properties({"list": [*range(100)], "n": 1})
    result = properties.apply([op("exclude", "list", 7), op("add", "n", 1), op("add", "m", 1)], NOW)
    assert (result.affected, [each.key for each in result.ignored]) == (["list", "n"], ["m"])


def test_merging_leaves_out_what_would_be_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.identity.properties.MAX_BYTES", 50)
    known = applied(op("update_or_create", "a", "x" * 20), op("update_or_create", "l", [1]))
    known.absorb(Properties({"b": "x" * 30, "l": ["x" * 30], "c": 2}))
    assert known.values == {"a": "x" * 20, "l": [1], "c": 2}


def test_a_property_that_is_there_may_change_also_where_a_merge_has_made_too_many() -> None:
    properties = Properties({f"p{number}": 1 for number in range(1001)})
    properties.apply([op("add", "p1", 1)], NOW)
    assert properties.values["p1"] == 2


def test_merging_keeps_what_is_known_fills_blanks_and_unites_lists() -> None:
    known = applied(
        op("update_or_create", "name", "Ann"),
        op("update_or_create", "tags", ["a", "b"]),
        op("update_or_create", "gone", 1),
        op("delete", "gone"),
    )
    known.absorb(Properties({"name": "Bob", "city": "Oslo", "tags": ["b", "c"], "gone": 2, "$sessions": 1}))
    assert known.values == {"name": "Ann", "tags": ["a", "b", "c"], "city": "Oslo", "$sessions": 1}


def test_merging_keeps_the_older_initial_the_newer_last_and_adds_sessions() -> None:
    known, other = Properties(), Properties()
    for properties, moment, source in ((known, LATER, "late"), (other, NOW, "early")):
        properties.apply(
            [op("set_once", "$initial_utm_source", source), op("update_or_create", "$last_utm_source", source)], moment
        )
        properties.apply([op("add", "$sessions", 2)], moment)
    known.absorb(other)
    assert known.values == {"$initial_utm_source": "early", "$last_utm_source": "late", "$sessions": 4}


KEYS = st.sampled_from(["a", "b", "$initial_x", "$last_x", ""])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(),
    st.text(max_size=2),
    st.lists(st.integers(0, 2), max_size=3),
)
OPERATIONS = st.lists(st.builds(op, st.sampled_from([*OPERATION_NAMES, "other"]), KEYS, VALUES) | VALUES, max_size=12)


@given(OPERATIONS)
def test_every_operation_has_exactly_one_outcome_and_the_stored_form_holds_everything(operations: list[Any]) -> None:
    properties = Properties()
    result = properties.apply(operations, NOW)
    ignored = {each.index for each in result.ignored}
    keys = {each["key"] for index, each in enumerate(operations) if index not in ignored}
    assert keys == {*result.affected, *result.unchanged}
    assert not {*result.affected} & {*result.unchanged}
    assert decode_properties(properties.encode()) == properties
    assert not properties.deleted & set(properties.values)
