"""When a visitor was there, so that the newest events of one are looked for there alone. Called by events.py.

An event's visitor is in no order that would tell the engine where to look; its time nearly is.
"""

from collections.abc import Iterator

from server.reports.filters import Filter
from server.storage.base import Ask
from server.storage.hours import HOUR_MS, STRETCH

MOST_LOOKS = 16
"""More hours take as long as all of the events (measured: 4 ms each, 80 ms for 10 million events)."""

_ANYTIME = "true"
_HOURS = """
select epoch_ms(hour) as hour from visits where visitor_uuid = try_cast($visitor_id as uuid) and {period}
union select epoch_ms(hour) from visits where visitor_text = $visitor_id and {period}
order by hour desc
"""


def stretches(ask: Ask, wanted: Filter) -> Iterator[str]:
    """Yield clauses on `time`: the last has all that is wanted, one before it the newest part.

    Shape:  nothing that is wanted and left out by a clause is newer than what it has. So the newest events of one are
            the newest of all, as long as there are as many as are looked for.
    """
    rows = [] if wanted.visitor_id is None else ask(STRETCH, {})
    if rows:
        since_ms, until_ms = rows[0]
        looks = [f"time >= epoch_ms({until_ms})", *(_within(each) for each in _hours(ask, wanted))]
        if len(looks) <= MOST_LOOKS:
            yield f"({' or '.join([*looks, f'time < epoch_ms({since_ms})'])})"
            return
        yield f"({' or '.join(looks[:MOST_LOOKS])})"
    yield _ANYTIME


def _hours(ask: Ask, wanted: Filter) -> list[int]:
    """Return the folded hours in which a visitor was, newest first."""
    clauses, parameters = [_ANYTIME], {"visitor_id": wanted.visitor_id}
    if wanted.since_ms is not None:
        clauses.append(f"hour > epoch_ms({wanted.since_ms - HOUR_MS})")
    if wanted.until_ms is not None:
        clauses.append(f"hour < epoch_ms({wanted.until_ms})")
    return [hour for (hour,) in ask(_HOURS.format(period=" and ".join(clauses)), parameters)]


def _within(hour_ms: int) -> str:
    return f"(time >= epoch_ms({hour_ms}) and time < epoch_ms({hour_ms + HOUR_MS}))"
