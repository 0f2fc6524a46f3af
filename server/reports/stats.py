"""Counts by dimensions over a period. Written once; metrics and dimensions are rows of the registry."""

from collections.abc import Sequence
from typing import Any

from server.errors import BadRequest
from server.reports.filters import Filter
from server.reports.registry import DIMENSIONS, METRICS
from server.storage.base import Store

MAX_DIMENSIONS = 3

_SQL = "select {columns} from events where {where} {grouping} limit $limit"


def count_events(
    store: Store, wanted: Filter, metrics: Sequence[str], dimensions: Sequence[str], limit: int
) -> list[dict[str, Any]]:
    """Return one row for each combination of the dimensions' values, largest first metric first.

    Errors: BadRequest without a metric, and naming an unknown metric or dimension and the known ones.
    """
    if not metrics:
        raise BadRequest("no_metric", "metrics names none.", f"Known: {', '.join(sorted(METRICS))}.")
    _check("metric", metrics, METRICS)
    _check("dimension", dimensions, DIMENSIONS)
    if len(dimensions) > MAX_DIMENSIONS:
        raise BadRequest("too_many_dimensions", f"At most {MAX_DIMENSIONS} dimensions in one question.")
    where, parameters = wanted.where()
    names = [*dimensions, *metrics]
    columns = ", ".join([DIMENSIONS[name] for name in dimensions] + [METRICS[name] for name in metrics])
    numbers = ", ".join(str(index + 1) for index in range(len(dimensions)))
    grouping = f"group by {numbers} order by {len(dimensions) + 1} desc, {numbers}" if dimensions else ""
    sql = _SQL.format(columns=columns, where=where, grouping=grouping)
    return [dict(zip(names, row, strict=True)) for row in store.query(sql, {**parameters, "limit": limit})]


def _check(kind: str, names: Sequence[str], known: dict[str, str]) -> None:
    for name in names:
        if name not in known:
            raise BadRequest(
                f"unknown_{kind}", f"There is no {kind} {name[:80]!r}.", f"Known: {', '.join(sorted(known))}."
            )
