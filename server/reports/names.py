"""Which events there are: each name with its count, first and last time."""

from typing import Any

from server.events.wire import write_instant
from server.reports.filters import Filter
from server.storage.base import Store

_SQL = """
select name, count(*) as count, epoch_ms(min(time)) as first, epoch_ms(max(time)) as last
from events
where {where}
group by name
order by count desc, name
limit 10000
"""


def list_names(store: Store, wanted: Filter) -> list[dict[str, Any]]:
    """Return name, count, first and last time, most frequent first."""
    where, parameters = wanted.where()
    return [
        {"name": name, "count": count, "first": write_instant(first), "last": write_instant(last)}
        for name, count, first, last in store.query(_SQL.format(where=where), parameters)
    ]
