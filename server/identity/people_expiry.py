"""The retention of people: who was not seen for too long, and what is kept of the others. Called by people.py."""

import sqlite3
from collections.abc import Iterator, Mapping

from server.identity.merges import Fact, Node
from server.identity.people_file import Sighting, decode_fact

_UNSEEN_WORLDS = """
create temp table unseen as select world from worlds w
where coalesce((select max(last_seen) from nodes n where n.world = w.world), 0) < ?1
    and coalesce((select max(time) from facts f where f.world = w.world), 0) < ?1
"""
_FORGET_WORLDS = """
delete from people where exists (
    select 1 from nodes n where n.site = people.site and n.kind = people.kind and n.id = people.id
        and n.world in (select world from unseen)
);
delete from nodes where world in (select world from unseen);
delete from facts where world in (select world from unseen);
delete from repeats where world in (select world from unseen);
delete from worlds where world in (select world from unseen);
drop table unseen;
"""


def forget_unseen(database: sqlite3.Connection, before_ms: int) -> None:
    """Forget the worlds in which nobody was seen since an instant, ids that were only seen, and repeats of before.

    Whole worlds, because what was said of one of their people can have made another: who shared a browser is kept as
    long as one of them is seen. Without a fact of before, a repeat of it has nothing to say.
    """
    database.execute(_UNSEEN_WORLDS, (before_ms,))
    for statement in filter(str.strip, _FORGET_WORLDS.split(";")):  # executescript would commit first
        database.execute(statement)
    database.execute("delete from nodes where world is null and last_seen < ?", (before_ms,))
    database.execute("delete from repeats where time < ?", (before_ms,))


def facts_before(database: sqlite3.Connection, before_ms: int) -> Iterator[tuple[str, Fact]]:
    """Yield the facts of before an instant with their sites."""
    rows = database.execute("select site, time, id, body from facts where time < ?", (before_ms,))
    for site, time_ms, fact_id, body in rows:
        yield site, decode_fact(time_ms, fact_id, body)


def seen_before(database: sqlite3.Connection, before_ms: int) -> list[tuple[str, Node]]:
    """Return the ids that were seen before an instant, with their sites: of the others nothing is so old."""
    rows = database.execute("select site, kind, id from nodes where first_seen < ?", (before_ms,))
    return [(site, Node(kind, each)) for site, kind, each in rows]


def replace_sightings(database: sqlite3.Connection, sightings: Mapping[tuple[str, Node], Sighting | None]) -> None:
    """Have this be all that is known of when and where ids were seen; None is never."""
    rows = [
        (site, *node, *((seen.first_ms, seen.last_ms, *seen.place, seen.placed_ms) if seen is not None else [None] * 6))
        for (site, node), seen in sightings.items()
    ]
    database.executemany(
        "update nodes set (first_seen, last_seen, country, region, city, placed) = (?4, ?5, ?6, ?7, ?8, ?9)"
        " where site = ?1 and kind = ?2 and id = ?3"
        " and (first_seen, last_seen, country, region, city, placed) is not (?4, ?5, ?6, ?7, ?8, ?9)",
        rows,
    )
