"""Whose an address or a number is."""

import sqlite3
import sys
from typing import Any

import pytest

from server.identity import contacts
from server.identity.contacts import claim_visitor_id, contact_visitor_id, find_user, named_visitor_id, plain_email
from server.identity.merges import Node
from server.identity.people_file import open_people, save_people
from server.identity.properties import Properties


@pytest.fixture
def people() -> sqlite3.Connection:
    """Return a file of people with a few of them."""
    database = open_people(":memory:")
    known: dict[str, dict[str, Any]] = {
        "ann": {"$email": "Ann@Shop.example", "$phone": "+4930901820"},
        "bob": {"$email": "bob@shop.example", "$phone": "4930555"},
        "bob's twin": {"$email": "BOB@shop.example"},
        "eva": {"$email": " Eva@shop.example\n"},
        "odd": {"$email": ["list@shop.example"], "$phone": [7]},
        "kim": {"$phone": 79991234567},
        "lee": {"$phone": 79991234568.0},
        "max": {"$email": "\u3000max@shop.example\u00a0"},
        "zoë": {"$email": "ZOË@shop.example"},
    }
    save_people(database, "shop", {Node("user", name): Properties(values) for name, values in known.items()})
    save_people(database, "shop", {Node("visitor", "v"): Properties({"$email": "visitor@shop.example"})})
    save_people(database, "blog", {Node("user", "eve"): Properties({"$email": "eve@shop.example"})})
    return database


@pytest.mark.parametrize(
    ("email", "phone", "user_id"),
    [
        ("ann@shop.example", None, "ann"),
        (" ANN@SHOP.EXAMPLE ", None, "ann"),
        ("eva@shop.example", None, "eva"),
        ("zoË@shop.example", None, "zoë"),
        (None, "+49 (30) 90-1820", "ann"),
        (None, "0049 30 901820", None),
        (None, "+4930555", "bob"),
        (None, "+7 999 123-45-67", "kim"),
        (None, "79991234568", "lee"),
        (None, "079991234567", None),
        (None, "٧٩٩٩١٢٣٤٥٦٧", None),
        (None, "7" * 5_000, None),
        ("max@shop.example", None, "max"),
        ("nobody@shop.example", "+4930901820", "ann"),
        ("ann@shop.example", "4930555", "ann"),
        ("bob@shop.example", None, None),
        ("bob@shop.example", "+4930901820", None),
        ("visitor@shop.example", None, None),
        ("eve@shop.example", None, None),
        ("list@shop.example", None, None),
        ("' or 1 = 1 --", None, None),
        ("", "", None),
        (None, "no digits", None),
        (None, None, None),
    ],
)
def test_an_address_is_the_one_users_who_has_it(
    people: sqlite3.Connection, email: str | None, phone: str | None, user_id: str | None
) -> None:
    assert find_user(people, "shop", email=email, phone=phone) == user_id


def test_an_address_is_compared_without_the_same_space_by_both(people: sqlite3.Connection) -> None:
    blank = "".join(each for each in map(chr, range(sys.maxunicode + 1)) if each.isspace())
    save_people(people, "shop", {Node("user", "new"): Properties({"$email": f"{blank}new@shop.example{blank}"})})
    assert find_user(people, "shop", email=f"new@shop.example{blank}", phone=None) == "new"
    sample = ["\ufeff", "\u200b", "\x1b", "\x00", *map(chr, range(33, 127))]
    assert [each for each in sample if plain_email(f"{each}a") == "a"] == []
    for number, each in enumerate(sample):
        if each != "\x00":
            save_people(people, "shop", {Node("user", f"n{number}"): Properties({"$email": f"{each}Q{number}"})})
            assert find_user(people, "shop", email=f"Q{number}", phone=None) is None


def test_users_are_found_by_their_index(people: sqlite3.Connection) -> None:
    """One call may tell of a thousand addresses, and a site may have a million users."""
    for query, count in ((contacts._BY_EMAIL, 2), (contacts._BY_PHONE, 5)):
        plan = str(people.execute("explain query plan " + query, ["x"] * count).fetchall())
        assert "USING INDEX users_by_" in plan
        assert "<expr>=?" in plan


def test_a_visitor_of_an_address_follows_from_it_under_the_key() -> None:
    def visitor(key: str = "key", site: str = "shop", **contact: str | None) -> str | None:
        return contact_visitor_id(key, site, **{"email": None, "phone": None, **contact})

    ann = visitor(email="ann@shop.example")
    assert ann == visitor(email=" Ann@Shop.Example", phone="+49")
    assert visitor(phone="+49 30") == visitor(phone="4930")
    others = [
        visitor(email="bob@shop.example"),
        visitor(key="other", email="ann@shop.example"),
        visitor(site="blog", email="ann@shop.example"),
        visitor(phone="4930"),
    ]
    assert len({ann, *others}) == 5
    named = [claim_visitor_id("key", "shop", "4930"), named_visitor_id("key", "shop", "zoom user", "4930")]
    assert len({*others, *named}) == 6
    assert visitor() is visitor(email=" ", phone="none") is None
