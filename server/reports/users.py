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
from server.identity.people_file import place_of
from server.identity.person import Person
from server.reports.cursors import bad_cursor, read_cursor, write_cursor
from server.reports.events import Event, stream_events
from server.reports.filters import Filter
from server.storage.base import Store

MAX_PROPERTIES_ASKED = 20
_MAX_NUMBER = 2**63 - 1  # of SQLite's integers
SORTS = {
    "last_seen": "coalesce(last_seen, 0)",
    "first_seen": "coalesce(first_seen, 0)",
    "id": "person_id",
    # what is no number counts as none: a cursor holds the value, and a text may be long
    "sessions": "iif(json_type(properties, '$.\"$sessions\"') in ('integer', 'real'),"
    " properties ->> '$.\"$sessions\"', 0)",
}
_ESCAPED = re.compile(r'["\\\x00-\x1f]')  # what JSON says in another way than itself
KINDS = {
    "known": "(person_kind = 'user' or properties ->> '$.\"$name\"' is not null"
    " or properties ->> '$.\"$email\"' is not null or properties ->> '$.\"$phone\"' is not null)",
    "user": "person_kind = 'user'",
    "visitor": "person_kind = 'visitor'",
    "all": "1",
}

# text, like the indexes: SQLite 3.45 and 3.46 take JSON of 8 bytes in a blob for its own binary form
_PEOPLE = """
select n.person_kind, n.person_id, min(n.first_seen) as first_seen, max(n.last_seen) as last_seen,
       cast(p.properties as text) as properties
from nodes n left join people p on p.site = n.site and p.kind = n.person_kind and p.id = n.person_id
where n.site = :site
group by n.person_kind, n.person_id
"""
_WHOM_AN_ID_LEADS_TO = """
(person_kind, person_id) = (
    select person_kind, person_id from nodes
    where site = :site and kind in ('user', 'visitor') and id = :any_id order by kind limit 1
)
"""
_COUNTS = """
select name, count(*) as count, epoch_ms(min(time)) as first, epoch_ms(max(time)) as last
from events where {where} group by name order by count desc, name
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserQuery:
    """Which people, in which order.

    Shape:  kind is one of KINDS, sort one of SORTS, with `-` in front for the largest first; any_id leads to one
            person, a user's before a visitor's, as in `find_person`; text is looked for in ids and in the values of
            properties, small and capital letters alike; properties must have these values,
            compared as text. cursor is that of the page before, in the same order.
    """

    site: str
    kind: str = "known"
    sort: str = "-last_seen"
    any_id: str | None = None
    text: str | None = None
    properties: Mapping[str, str] | None = None
    limit: int = 100
    cursor: str | None = None


def list_users(database: sqlite3.Connection, wanted: UserQuery) -> tuple[list[dict[str, Any]], str | None]:
    """Return up to `limit` people with their properties, and the cursor of the rest or None.

    A page goes on after the place of the last person before: whoever was active meanwhile moves nobody else.

    Errors: BadRequest for an unknown kind or order, and for a cursor that is not of this order.
    """
    order = SORTS.get(wanted.sort.removeprefix("-"))
    kind = KINDS.get(wanted.kind)
    if order is None or kind is None:
        raise BadRequest(
            "unknown_order" if kind else "unknown_kind",
            "There is no such order or kind of users.",
            f"sort: {', '.join(SORTS)}, with - for the largest first; kind: {', '.join(KINDS)}.",
        )
    direction, after = ("desc", "<") if wanted.sort.startswith("-") else ("asc", ">")
    clauses = [kind]
    parameters: dict[str, Any] = {"site": wanted.site, "limit": wanted.limit + 1}
    if wanted.cursor is not None:
        clauses.append(
            f"({order} {after} :place or ({order} = :place and (person_id, person_kind) > (:after_id, :after_kind)))"
        )
        parameters |= _read_place(wanted.cursor, wanted.sort)
    if wanted.any_id:
        clauses.append(_WHOM_AN_ID_LEADS_TO)
        parameters["any_id"] = wanted.any_id
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
        f"select *, {order} from ({_PEOPLE}) where {' and '.join(clauses)}"  # noqa: S608
        f" order by {order} {direction}, person_id, person_kind limit :limit"
    )
    rows = database.execute(sql, parameters).fetchall()
    following = _write_place(rows[wanted.limit - 1], wanted.sort) if len(rows) > wanted.limit else None
    return [_listed(database, wanted.site, row[:-1]) for row in rows[: wanted.limit]], following


def _write_place(row: tuple[Any, ...], sort: str) -> str:
    """Return the cursor after a person. Shape: the row's last value is that of the order."""
    kind, person_id, *_, value = row
    return write_cursor([sort, value, person_id, kind])


def _read_place(cursor: str, sort: str) -> dict[str, Any]:
    """Return the parameters of a page that goes on. Errors: BadRequest."""
    of_sort, value, person_id, kind = read_cursor(cursor, 4)
    is_number = type(value) is float or (type(value) is int and abs(value) <= _MAX_NUMBER)
    is_fit = isinstance(value, str) if sort.removeprefix("-") == "id" else is_number
    if of_sort != sort or not is_fit or not isinstance(person_id, str) or kind not in ("user", "visitor"):
        raise bad_cursor()
    return {"place": value, "after_id": person_id, "after_kind": kind}


def _tells(person_id: str, properties: str | None, text: str) -> bool:
    """Return whether an id or a property's value holds a text, which is folded. SQLite itself folds A to Z only."""
    if text in person_id.casefold():
        return True
    # most people do not have it: then reading the JSON is spared, where the text stands in JSON as it is
    if properties is None or (text not in properties.casefold() and not _ESCAPED.search(text)):
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


def _listed(database: sqlite3.Connection, site: str, row: tuple[Any, ...]) -> dict[str, Any]:
    kind, person_id, first_ms, last_ms, properties = row
    node = Node(kind, person_id)
    return {
        "id": node.id,
        "user_id": node.id if node.kind == "user" else None,
        "properties": orjson.loads(properties) if properties else {},
        **_seen(first_ms, last_ms, *place_of(database, site, node)),
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
