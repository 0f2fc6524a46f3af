"""One person as the file of people knows them: all ids and when they were theirs, properties, when and where seen."""

import sqlite3
from dataclasses import dataclass
from typing import Any

import orjson

from server.identity.merges import Node, World
from server.identity.people_file import load_world, place_of

VisitorSpan = tuple[str, int | None, int | None]
"""A visitor's id, and since and until when its events are this person's; None is for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Shape: user_ids are the person's own id first, then those that lead to it; a visitor nobody knows has none.

    Units: first_seen and last_seen are milliseconds since the epoch, UTC; None for whom no event was seen.
    """

    node: Node
    user_ids: tuple[str, ...]
    visitors: tuple[VisitorSpan, ...]
    properties: dict[str, Any]
    first_seen: int | None = None
    last_seen: int | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None


def find_person(database: sqlite3.Connection, site: str, person_id: str) -> Person | None:
    """Return whom an id belongs to: a user's id before a visitor's; None when nobody has it."""
    sql = "select person_kind, person_id, world from nodes where site = ? and kind = ? and id = ?"
    for kind in ("user", "visitor"):
        row = database.execute(sql, (site, kind, person_id)).fetchone()
        if row is not None:
            return _read_person(database, site, Node(row[0], row[1]), row[2])
    return None


def _read_person(database: sqlite3.Connection, site: str, node: Node, number: int | None) -> Person:
    world = load_world(database, number) if number is not None else World()
    members = world.members_of(node)
    row = database.execute(
        "select properties from people where site = ? and kind = ? and id = ?", (site, *node)
    ).fetchone()
    seen = database.execute(
        "select min(first_seen), max(last_seen) from nodes where site = ? and person_kind = ? and person_id = ?",
        (site, *node),
    ).fetchone()
    country, region, city = place_of(database, site, node)
    return Person(
        node=node,
        user_ids=tuple(each.id for each in members if each.kind == "user"),
        visitors=tuple(_spans_of(world, node, members)),
        properties=orjson.loads(row[0]) if row else {},
        first_seen=seen[0],
        last_seen=seen[1],
        country=country,
        region=region,
        city=city,
    )


def _spans_of(world: World, person: Node, members: list[Node]) -> list[VisitorSpan]:
    """Return which events of which visitors are a person's; see `Spans` in merges.py."""
    found: list[VisitorSpan] = [
        (each.id, None, None) for each in members if each.kind == "visitor" and each.id not in world.spans
    ]
    for visitor_id, joins in sorted(world.spans.items()):
        for index, (since_ms, node) in enumerate(joins):
            if world.person_of(node) != person:
                continue
            until_ms = joins[index + 1][0] if index + 1 < len(joins) else None
            since = since_ms if index else None
            if found and found[-1][0] == visitor_id and found[-1][2] == since and since is not None:
                found[-1] = (visitor_id, found[-1][1], until_ms)
            else:
                found.append((visitor_id, since, until_ms))
    return found
