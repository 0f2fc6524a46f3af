"""What the store tells about people, from which their file can be made anew. Called by people.py."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from server.identity.merges import Node
from server.identity.people_file import Sighting
from server.ingest.facts import FACT_NAMES
from server.storage.base import Store

_FACTS = """
select site, id, name, epoch_ms(time), visitor_id, user_id, source, props from events
where name in (select unnest($names)) or (visitor_id is not null and user_id is not null)
order by time, id
"""
_MENTIONS = """
select site, min_by(id, (time, id)), 'mention', epoch_ms(min(time)), null, user_id, min_by(source, (time, id)), null
from events where user_id is not null and visitor_id is null group by site, user_id
"""
_SIGHTINGS = """
select site, {column}, epoch_ms(min(time)), epoch_ms(max(time)),
       max_by([country, region, city], time) filter (country is not null),
       epoch_ms(max(time) filter (country is not null))
from events where {condition} group by site, {column}
"""
_COLUMNS = ("site", "id", "name", "time", "visitor_id", "user_id", "source", "props")


def stored_facts(store: Store) -> Iterator[dict[str, Any]]:
    """Yield the events that say who somebody is, and the first that is heard of each user."""
    for sql, parameters in ((_FACTS, {"names": list(FACT_NAMES)}), (_MENTIONS, {})):
        for rows in store.stream(sql, parameters):
            for row in rows:
                event = dict(zip(_COLUMNS, row, strict=True))
                yield {**event, "props": orjson.loads(event["props"] or "{}")}


def stored_sightings(store: Store, ids: Sequence[str] | None = None) -> Iterator[dict[tuple[str, Node], Sighting]]:
    """Yield when and where each of these ids, or any, was seen, many at a time."""
    some, parameters = ("is not null", {}) if ids is None else ("in (select unnest($ids::varchar[]))", {"ids": ids})
    for node_of, column in ((_visitor, "visitor_id"), (_user, "user_id")):
        sql = _SIGHTINGS.format(column=column, condition=f"{column} {some}")
        for rows in store.stream(sql, parameters):
            yield {
                (site, node_of(each)): Sighting(first_ms, last_ms, tuple(place or (None,) * 3), placed_ms)
                for site, each, first_ms, last_ms, place, placed_ms in rows
            }


def _visitor(visitor_id: str) -> Node:
    return Node("visitor", visitor_id)


def _user(user_id: str) -> Node:
    return Node("user", user_id)
