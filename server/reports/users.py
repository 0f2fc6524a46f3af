"""Questions about people: who there is, and what one of them did."""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from server.errors import BadRequest
from server.events.wire import write_instant
from server.identity.merges import Node
from server.identity.person import Person
from server.reports.events import Event, stream_events
from server.reports.filters import Filter
from server.storage.base import Store

MAX_PROPERTIES_ASKED = 20
SORTS = {
    "last_seen": "coalesce(last_seen, 0)",
    "first_seen": "coalesce(first_seen, 0)",
    "id": "person_id",
    "sessions": "coalesce(properties ->> '$.\"$sessions\"', 0)",
}
_ESCAPED = re.compile(r'["\\\x00-\x1f]')  # what JSON says in another way than itself
KINDS = {
    "known": "(person_kind = 'user' or properties ->> '$.\"$name\"' is not null"
    " or properties ->> '$.\"$email\"' is not null or properties ->> '$.\"$phone\"' is not null)",
    "user": "person_kind = 'user'",
    "visitor": "person_kind = 'visitor'",
    "all": "1",
}

_PEOPLE = """
select n.person_kind, n.person_id, min(n.first_seen) as first_seen, max(n.last_seen) as last_seen,
       n.country, n.region, n.city, p.properties
from nodes n left join people p on p.site = n.site and p.kind = n.person_kind and p.id = n.person_id
where n.site = :site
group by n.person_kind, n.person_id
"""
_COUNTS = """
select name, count(*) as count, epoch_ms(min(time)) as first, epoch_ms(max(time)) as last
from events where {where} group by name order by count desc, name
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserQuery:
    """Which people, in which order.

    Shape:  kind is one of KINDS, sort one of SORTS, with `-` in front for the largest first; text is looked for in ids
            and in the values of properties, small and capital letters alike; properties must have these values,
            compared as text.
    """

    site: str
    kind: str = "known"
    sort: str = "-last_seen"
    text: str | None = None
    properties: Mapping[str, str] | None = None
    limit: int = 100
    offset: int = 0


def list_users(database: sqlite3.Connection, wanted: UserQuery) -> list[dict[str, Any]]:
    """Return people with their properties. Errors: BadRequest for an unknown kind or order."""
    order = SORTS.get(wanted.sort.removeprefix("-"))
    kind = KINDS.get(wanted.kind)
    if order is None or kind is None:
        raise BadRequest(
            "unknown_order" if kind else "unknown_kind",
            "There is no such order or kind of users.",
            f"sort: {', '.join(SORTS)}, with - for the largest first; kind: {', '.join(KINDS)}.",
        )
    direction = "desc" if wanted.sort.startswith("-") else "asc"
    clauses, parameters = [kind], {"site": wanted.site, "limit": wanted.limit, "offset": wanted.offset}
    if wanted.text:
        database.create_function("tells", 3, _tells, deterministic=True)
        clauses.append("tells(person_id, properties, :text)")
        parameters["text"] = wanted.text.casefold()
    properties = wanted.properties or {}
    if len(properties) > MAX_PROPERTIES_ASKED:
        raise BadRequest("too_many_properties", f"At most {MAX_PROPERTIES_ASKED} properties in one question.")
    for number, (name, value) in enumerate(properties.items()):
        if '"' in name or "\0" in name:  # what SQLite's paths cannot quote
            raise BadRequest("bad_property", "A property that is asked for has no quotation mark or NUL in its name.")
        # true and false are words; read as values they would be 1 and 0
        clauses.append(
            f"iif(json_type(properties, :name{number}) in ('true', 'false'), json_type(properties, :name{number}),"
            f" cast(properties ->> :name{number} as text)) = :value{number}"
        )
        parameters |= {f"name{number}": f'$."{name}"', f"value{number}": value}
    # clauses and order are constants of this module, values are parameters
    sql = (
        f"select * from ({_PEOPLE}) where {' and '.join(clauses)}"  # noqa: S608
        f" order by {order} {direction}, person_id limit :limit offset :offset"
    )
    return [_listed(row) for row in database.execute(sql, parameters)]


def _tells(person_id: str, properties: bytes | None, text: str) -> bool:
    """Return whether an id or a property's value holds a text, which is folded. SQLite itself folds A to Z only."""
    if text in person_id.casefold():
        return True
    # most people do not have it: then reading the JSON is spared, where the text stands in JSON as it is
    if properties is None or (text not in properties.decode().casefold() and not _ESCAPED.search(text)):
        return False
    return any(text in value.casefold() for value in _values(orjson.loads(properties)))


def _values(value: Any) -> Iterator[str]:
    """Yield texts and numbers, however deep, and no names."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _values(each)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def describe_user(person: Person, store: Store, site: str) -> dict[str, Any]:
    """Return one person: ids, properties, when and where they were seen, and a count of each event."""
    where, parameters = Filter(site=site, person=person).where()
    counts = store.query(_COUNTS.format(where=where), parameters)
    return {
        "id": person.node.id,
        "user_id": person.node.id if person.node.kind == "user" else None,
        "user_ids": list(person.user_ids),
        "visitor_ids": list(dict.fromkeys(visitor_id for visitor_id, _, _ in person.visitors)),
        "properties": person.properties,
        **_seen(person.first_seen, person.last_seen, person.country, person.region, person.city),
        "events": [
            {"name": name, "count": count, "first": write_instant(first), "last": write_instant(last)}
            for name, count, first, last in counts
        ],
    }


def all_events_of(person: Person, store: Store, wanted: Filter) -> Iterator[list[Event]]:
    """Yield all events of one person, newest first, in batches."""
    return stream_events(store, replace(wanted, user_id=None, visitor_id=None, person=person))


def _listed(row: tuple[Any, ...]) -> dict[str, Any]:
    kind, person_id, *seen, properties = row
    node = Node(kind, person_id)
    return {
        "id": node.id,
        "user_id": node.id if node.kind == "user" else None,
        "properties": orjson.loads(properties) if properties else {},
        **_seen(*seen),
    }


def _seen(
    first_ms: int | None, last_ms: int | None, country: str | None, region: str | None, city: str | None
) -> dict[str, Any]:
    return {
        "first_seen": write_instant(first_ms) if first_ms is not None else None,
        "last_seen": write_instant(last_ms) if last_ms is not None else None,
        "country": country,
        "region": region,
        "city": city,
    }
