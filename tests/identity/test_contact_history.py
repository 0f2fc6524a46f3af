"""Who ever had an address, by the facts in the order of their time."""

from collections.abc import Sequence
from typing import Any

import pytest

from server.identity.contact_history import contacts_of
from server.identity.merges import Node
from server.ingest.people import People
from tests.factories import numbered

QUEUE = "queue"
Told = tuple[str | None, str | None, dict[str, Any]]


def event(number: int, told: Told) -> dict[str, Any]:
    """Return what a visitor and a user are told to be at a moment."""
    visitor_id, user_id, properties = told
    operations = [{"op": "update_or_create", "key": key, "value": value} for key, value in properties.items()]
    columns = {"id": f"id{number}", "site": "shop", "time": number, "visitor_id": visitor_id, "user_id": user_id}
    return {**columns, "name": "$identify", "props": {"operations": operations}}


def merge(number: int, source: str, target: str, kind: str = "user") -> dict[str, Any]:
    props = {"$from": source, "$from_kind": "user", "$to": target, "$to_kind": kind}
    columns = {"id": f"id{number}", "site": "shop", "time": number, "visitor_id": None, "user_id": None}
    return {**columns, "name": "$user_merged", "props": props}


def people_of(events: Sequence[dict[str, Any]]) -> People:
    people = People(":memory:", lambda _: None)
    people.take(numbered(events), QUEUE, len(events))
    return people


def had(events: Sequence[dict[str, Any]], user_id: str = "ann") -> set[str]:
    return {contact for _, contact in contacts_of(people_of(events)._database, "shop", Node("user", user_id))}


MAIL = "$email"
CASES: dict[str, tuple[list[Told], set[str]]] = {
    "all that were set, as they are compared": (
        [(None, "ann", {MAIL: " A@x "}), (None, "ann", {MAIL: "b@x", "$phone": "+49 30-5"})],
        {"a@x", "b@x", "49305"},
    ),
    "what is no address": ([(None, "ann", {MAIL: ["l@x"], "$phone": "none", "mail": "m@x"})], set()),
    "a number that was said as one": (
        [(None, "ann", {"$phone": 79991234567}), (None, "ann", {"$phone": 555.0}), (None, "ann", {"$phone": True})],
        {"79991234567", "555"},
    ),
    "of the browser that became theirs": ([("v", None, {MAIL: "a@x"}), ("v", "ann", {})], {"a@x"}),
    "of the browser that another takes over": (
        [("v", None, {MAIL: "a@x"}), ("v", "ann", {}), ("v", "bob", {}), ("v", None, {MAIL: "b@x"})],
        {"a@x"},
    ),
    "not what another has": ([(None, "ann", {MAIL: "a@x"}), (None, "bob", {MAIL: "A@x"})], set()),
    "not what another had": (
        [(None, "bob", {MAIL: "a@x"}), (None, "bob", {MAIL: "b@x"}), (None, "ann", {MAIL: "a@x"})],
        set(),
    ),
    "also what a browser says that is nobody's": (
        [(None, "ann", {MAIL: "a@x"}), ("v", None, {MAIL: "a@x"})],
        {"a@x"},
    ),
    "a number is no address": ([(None, "ann", {"$phone": "555"}), (None, "bob", {MAIL: "555"})], {"555"}),
}


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_a_user_had(case: str, backwards: bool) -> None:
    told, expected = CASES[case]
    events = [event(number, each) for number, each in enumerate(told, 1)]
    assert had(events[::-1] if backwards else events) == expected


def test_whoever_is_merged_brings_their_addresses() -> None:
    events = [
        event(1, (None, "old", {MAIL: "a@x"})),
        event(2, (None, "ann", {MAIL: "b@x"})),
        merge(3, "old", "ann"),
        event(4, (None, "old", {MAIL: "c@x"})),
    ]
    assert had(events) == {"a@x", "b@x", "c@x"}


def test_a_visitor_into_whom_a_user_was_merged_had_what_the_user_had_and_shares_it_with_no_user() -> None:
    told = event(1, ("v", None, {MAIL: "v@x"})), event(2, (None, "old", {MAIL: "a@x"}))
    merged = merge(3, "old", "v", kind="visitor")
    people = people_of([*told, merged, event(4, (None, "ann", {MAIL: "a@x"})), event(5, ("v", None, {MAIL: "w@x"}))])
    assert contacts_of(people._database, "shop", Node("visitor", "v")) == {(MAIL, "v@x"), (MAIL, "w@x")}
    assert contacts_of(people._database, "shop", Node("user", "ann")) == set()


def test_another_site_has_other_people() -> None:
    other = {**event(1, (None, "bob", {MAIL: "a@x"})), "site": "blog"}
    assert had([other, event(2, (None, "ann", {MAIL: "a@x"}))]) == {"a@x"}


def test_who_is_unknown_had_nothing() -> None:
    assert had([event(1, (None, "bob", {MAIL: "a@x"}))]) == set()
