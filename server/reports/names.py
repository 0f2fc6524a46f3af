"""Which events there are: each name with its count, first and last time."""

from typing import Any

from server.events.wire import write_instant
from server.reports.filters import Filter
from server.reports.reach import events_outside, is_told, reach_of, rows_told
from server.storage.base import Ask, Row, Store

_SQL = """
select name, sum(events)::bigint as count, epoch_ms(min(first)) as first, epoch_ms(max(last)) as last
from ({counts})
group by name
order by count desc, name
limit 10000
"""
_COUNTS = "select name, count(*) as events, min(time) as first, max(time) as last from {events} group by name"
_TOLD = """
select name, events, first, last from name_counts join names using (number) where {told}
union all {outside}
"""


def list_names(store: Store, wanted: Filter) -> list[dict[str, Any]]:
    """Return name, count, first and last time, most frequent first."""
    with store.instant() as ask:
        rows = _ask(ask, wanted)
    return [
        {"name": name, "count": count, "first": write_instant(first), "last": write_instant(last)}
        for name, count, first, last in rows
    ]


def _ask(ask: Ask, wanted: Filter) -> list[Row]:
    where, parameters = wanted.where()
    reach = reach_of(ask, wanted) if is_told(wanted) else None
    if reach is None:
        return ask(_SQL.format(counts=_COUNTS.format(events=f"events where {where}")), parameters)
    told, hours = rows_told(reach, wanted)
    outside = _COUNTS.format(events=f"({events_outside(reach, where, 'name, time')})")
    return ask(_SQL.format(counts=_TOLD.format(told=told, outside=outside)), {**parameters, **hours})
