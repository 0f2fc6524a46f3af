"""How the file of people is asked: what the engine is given to read."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import orjson
import pytest

from server.identity.merges import Node, World
from server.identity.people_file import Sighting, open_people, save_belongings, save_sightings
from server.identity.person import find_person
from server.identity.properties import Properties
from server.reports.users import KINDS, SORTS, UserQuery, list_users

SITE = "default"


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    """Return a file of people whose engine reads no JSON in a blob, as some versions misread it."""
    with closing(open_people(":memory:")) as database, closing(sqlite3.connect(":memory:")) as plain:
        for function, sql in (("json_type", "select json_type(?, ?)"), ("->>", "select ? ->> ?")):

            def read(json: Any, path: str, sql: str = sql) -> Any:
                assert not isinstance(json, bytes)
                return plain.execute(sql, (json, path)).fetchone()[0]

            database.create_function(function, 2, read)
        save_sightings(database, {(SITE, Node("visitor", "v")): Sighting(1, 2, (None, None, None))})
        database.execute("insert into people values (?, 'visitor', 'v', ?)", (SITE, b'{"a":12}'))
        yield database


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("kind", KINDS)
def test_properties_are_read_as_text_whatever_is_asked(database: sqlite3.Connection, sort: str, kind: str) -> None:
    for more in ({}, {"properties": {"a": "12"}}, {"text": "12"}):
        found, _ = list_users(database, UserQuery(site=SITE, kind=kind, sort=sort, **more))
        assert [each["properties"] for each in found] == ([{"a": 12}] if kind in ("visitor", "all") else [])


def test_a_person_is_where_the_latest_event_of_any_id_tells(database: sqlite3.Connection) -> None:
    user, nowhere = Node("user", "u"), (None, None, None)
    seen = {
        Node("visitor", "phone"): Sighting(1, 40, ("NO", "03", "Oslo"), 10),
        Node("visitor", "laptop"): Sighting(5, 30, ("SE", None, None), 20),
        user: Sighting(50, 60, nowhere),
    }
    save_sightings(database, {(SITE, node): each for node, each in seen.items()})
    save_belongings(database, SITE, 1, dict.fromkeys(seen, user))
    database.execute("insert into worlds values (1, ?, ?)", (SITE, orjson.dumps(World({user: Properties()}).encode())))
    (listed,), _ = list_users(database, UserQuery(site=SITE, kind="user"))
    assert (listed["country"], listed["region"], listed["city"]) == ("SE", None, None)
    person = find_person(database, SITE, "u")
    assert person is not None
    assert (person.country, person.region, person.city) == ("SE", None, None)
