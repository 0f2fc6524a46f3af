"""How far the tables of hours (storage/hours.py) answer a question, and what is left for `events` itself.

A folded hour that lies wholly in the period is told by the tables. What sticks out at either end, what has come since
the last folding, and all that is not folded yet is counted from events. Both are of the same instant, so that the sum
is what events alone would tell.
"""

from dataclasses import dataclass, replace
from typing import Any

from server.reports.filters import Filter
from server.storage.base import Ask
from server.storage.hours import HOUR_MS, STRETCH


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Units: since_ms (inclusive) and until_ms (exclusive), between which the tables answer."""

    since_ms: int
    until_ms: int

    def edges(self) -> tuple[str, str]:
        """Return the clauses for the events before and after; none are both."""
        return f"time < epoch_ms({self.since_ms})", f"time >= epoch_ms({self.until_ms})"


def reach_of(ask: Ask, wanted: Filter) -> Reach | None:
    """Return what the tables can answer of a question's period, None without a whole hour.

    Shape:  of the filter only the period counts. The stretch's own ends need not be whole hours: its rows tell of no
            more than the stretch.
    """
    rows = ask(STRETCH, {})
    if not rows:
        return None
    (since, until), asked_since, asked_until = rows[0], wanted.since_ms, wanted.until_ms
    if asked_since is not None and asked_since > since:
        since = asked_since + -asked_since % HOUR_MS
    if asked_until is not None and asked_until < until:
        until = asked_until - asked_until % HOUR_MS
    return Reach(since_ms=since, until_ms=until) if since < until else None


def is_told(wanted: Filter) -> bool:
    """Return whether the tables know all that a filter asks about."""
    return replace(wanted, site=None, name=None, since_ms=None, until_ms=None, with_bots=True) == Filter()


def rows_told(reach: Reach, wanted: Filter) -> tuple[str, dict[str, Any]]:
    """Return the clause for the rows that tell of a filter's site and period, and its parameters.

    Shape:  of a table with hours; with a name or without bots, of name_counts with names.
    """
    clauses = ["hour >= epoch_ms($first_ms) and hour < epoch_ms($end_ms)"]
    parameters: dict[str, Any] = {
        "first_ms": reach.since_ms - reach.since_ms % HOUR_MS,
        "end_ms": reach.until_ms,
    }
    for column in ("site", "name"):
        value = getattr(wanted, column)
        if value is not None:
            clauses.append(f"{column} = ${column}")
            parameters[column] = value
    if not wanted.with_bots:
        clauses.append("not is_bot")
    return " and ".join(clauses), parameters


def events_outside(reach: Reach, where: str, columns: str) -> str:
    """Return the question for the events that are asked for and not told by the tables.

    In two parts, because the engine skips what an interval does not touch, and not what neither of two does.
    """
    before, after = reach.edges()
    return (
        f"select {columns} from events where {where} and {before}"  # noqa: S608 - the program's own texts and numbers
        f" union all select {columns} from events where {where} and {after}"
    )
