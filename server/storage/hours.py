"""Who was there in which hour: the tables that answer the dashboard without reading events, and how they are made.

What they say can always be made again from `events`; they are kept by duckdb_hours.py and asked by reports/reach.py.

    folded       at most one row: [since, until), the stretch of time whose events the other tables tell of.
    visits       a row for each hour, site, visitor, kind and block: how many events, and which names, as a mask. There
                 may be several rows of the same key; they add up.
    name_counts  a row for each hour, site, name and is_bot: how many events, the first and the last; likewise.
    arrivals     a row for each hour, site, visitor, kind and traffic source of session starts: how many; likewise.
    kinds        the combinations of what a visitor hardly ever changes, numbered.
    names        the names of events, numbered. Number n is bit n % 64 of block n // 64: most files have one block.

Inside the stretch, the sum of the rows is exactly what the events say, at every commit. Outside there are no rows.
Every event has a time. Operations are in none of them, because no question shows them.
A visitor's id is kept as a number of 128 bits where it is a UUID in the usual form, which gives back the very text
(counting 56,000 visitors took 2 ms instead of 6), and as the text otherwise: never both.
"""

from server.events.model import OPERATIONS

ARRIVAL = "$session_start"
TRAFFIC_SOURCE = "coalesce(utm_source, referrer_domain, channel)"
"""Where a visit came from, in one word: the campaign's own name for it, else the referring site."""

KEPT = ("browser", "os", "device_type", "source")
"""What a visitor hardly ever changes."""

MASK_BITS = 64
HOUR = "date_trunc('hour', time)"
HOUR_MS = 3_600_000
STRETCH = "select epoch_ms(since), epoch_ms(until) from folded"
"""The question for what is folded: one row, or none."""
READ = ", ".join(("time", "site", "visitor_id", *KEPT, "bot", "name", "utm_source", "referrer_domain", "channel"))
"""The columns of events that the tables are made of."""

_KIND = ", ".join(KEPT)
_VISITOR = "visitor_uuid, visitor_text"
VISITOR_AS_KEPT = """try_cast(visitor_id as uuid) as as_uuid,
    if(as_uuid::varchar = visitor_id, as_uuid, null) as visitor_uuid,
    if(visitor_uuid is null, visitor_id, null) as visitor_text"""
"""The columns with a visitor's id as the tables have it, of anything with `visitor_id`."""
NOT_OPERATIONS = f"name not in ({', '.join(repr(name) for name in OPERATIONS)})"
TELLING = ("visits", "name_counts", "arrivals")
"""The tables with rows of hours."""

TABLES = ("folded", "kinds", "names", *TELLING)

_IDS = "visitor_uuid uuid, visitor_text varchar, kind integer"
_KEPT = "browser varchar, os varchar, device_type varchar, source varchar, is_bot boolean"
_COUNTED = "events bigint, first timestamp, last timestamp"
CREATE = (
    "create table folded (since timestamp, until timestamp)",
    f"create table kinds (kind integer, {_KEPT})",
    "create table names (number integer, name varchar)",
    f"create table visits (hour timestamp, site varchar, {_IDS}, block integer, mask ubigint, events bigint)",
    f"create table name_counts (hour timestamp, site varchar, number integer, is_bot boolean, {_COUNTED})",
    f"create table arrivals (hour timestamp, site varchar, {_IDS}, traffic_source varchar, events bigint)",
)
"""A step of the file's format: never changed once it is released."""

MERGED = {
    "visits": f"hour, site, {_VISITOR}, kind, block, bit_or(mask) as mask, sum(events)::bigint as events",
    "name_counts": "hour, site, number, is_bot, sum(events)::bigint as events, min(first) as first, max(last) as last",
    "arrivals": f"hour, site, {_VISITOR}, kind, traffic_source, sum(events)::bigint as events",
}
"""The columns of each table, as a selection that adds rows of the same key up."""


def same_kind(one: str, other: str) -> str:
    """Return the condition that two tables have the same kind; unknown is a value like any other."""
    return " and ".join(f"{one}.{name} is not distinct from {other}.{name}" for name in (*KEPT, "is_bot"))


def counted(events: str) -> str:
    """Return the question that counts events by all that the tables tell of them; of a table or a question."""
    return f"""
select {HOUR} as hour, site, visitor_id, {_KIND}, bot is not null as is_bot, name,
    if(name = '{ARRIVAL}', {TRAFFIC_SOURCE}, null) as traffic_source,
    count(*) as events, min(time) as first, max(time) as last
from {events} where {NOT_OPERATIONS} group by all"""  # noqa: S608 - the program's own texts


def new_kinds(source: str) -> str:
    """Return the question for kinds that a counted source has and the table `kinds` has not."""
    return f"""
select distinct {_KIND}, is_bot from {source} as found
where not exists (select 1 from kinds where {same_kind("kinds", "found")})"""  # noqa: S608 - as above


def new_names(source: str) -> str:
    """Return the question for names that a counted source has and the table `names` has not."""
    return f"select distinct name from {source} where name not in (select name from names)"  # noqa: S608 - as above


def known(source: str, kinds: str, names: str) -> str:
    """Return the question for a counted source with numbers for kinds and names, and the id as it is kept."""
    return f"""
select found.* exclude (visitor_id), kinds.kind, names.number, {VISITOR_AS_KEPT}
from {source} as found join {kinds} as kinds on {same_kind("kinds", "found")}
    join {names} as names on names.name = found.name"""  # noqa: S608 - as above


def rows_of(source: str) -> dict[str, str]:
    """Return, for each of TELLING, the question for its rows of a known source."""
    return {
        "visits": f"select hour, site, {_VISITOR}, kind, number // {MASK_BITS} as block,"  # noqa: S608 - as above
        f" bit_or(1::ubigint << (number % {MASK_BITS})) as mask, sum(events)::bigint as events"
        f" from {source} group by all",
        "name_counts": f"select {MERGED['name_counts']} from {source} group by all",  # noqa: S608 - as above
        "arrivals": f"select {MERGED['arrivals']} from {source} where name = '{ARRIVAL}' group by all",  # noqa: S608 - as above
    }


def names_counted(events: str) -> str:
    """Return the question for the rows of name_counts, of a table or a question whose names are all known."""
    return f"""
select {HOUR} as hour, site, names.number, bot is not null as is_bot, count(*) as events, min(time), max(time)
from {events} as events join names on names.name = events.name group by all"""  # noqa: S608 - as above
