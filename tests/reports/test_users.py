"""How the file of people is asked: what the engine is given to read."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from server.identity.merges import Node
from server.identity.people_file import Sighting, open_people, save_sightings
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
