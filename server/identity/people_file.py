"""The file of people: its tables and the statements on them. Called by people.py; questions are in reports/users.py.

Tables
    nodes      every visitor and user id: its world, whom it leads to, when and where it was seen,
               and when that place was told
    worlds     people who were mentioned together, as merges.py keeps them
    facts      what was said, so that a world can be made anew when something older arrives
    repeats    joins of who was one person already (`World.repeats`): for when that is not so any more
    people     each person's properties, for questions
    positions  how far each queue has been read: same transaction as everything else
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from server.identity.merges import Fact, Node, World, decode_world
from server.identity.properties import Moment, Properties

PEOPLE_FILE = "users.sqlite"
PLAIN_EMAIL = """
lower(trim(json_extract(cast(properties as text), '$."$email"'), char(9, 10, 11, 12, 13, 28, 29, 30, 31, 32, 133, 160,
5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)))
"""
"""An address in the form in which it is compared: without what Python strips; see `plain_email` in contacts.py."""
_SCHEMA_VERSION = 2
_SCHEMA = f"""
create table if not exists nodes (
    site text not null, kind text not null, id text not null, world integer,
    person_kind text not null, person_id text not null,
    first_seen integer, last_seen integer, country text, region text, city text, placed integer,
    primary key (site, kind, id)
) strict, without rowid;
create index if not exists nodes_of_person on nodes (site, person_kind, person_id);
create table if not exists worlds (world integer primary key, site text not null, body blob not null) strict;
create table if not exists facts (
    site text not null, id text not null, time integer not null, world integer not null, body blob not null,
    primary key (site, id)
) strict, without rowid;
create index if not exists facts_of_world on facts (world);
create table if not exists repeats (
    site text not null, id text not null, time integer not null, world integer not null, body blob not null,
    primary key (site, id)
) strict, without rowid;
create index if not exists repeats_of_world on repeats (world, time);
create index if not exists nodes_of_world on nodes (world) where world is not null;
create table if not exists people (
    site text not null, kind text not null, id text not null, properties blob not null, primary key (site, kind, id)
) strict, without rowid;
drop index if exists users_by_email;
drop index if exists users_by_plain_email;
create index if not exists users_by_stripped_email on people (site, {PLAIN_EMAIL}) where kind = 'user';
create index if not exists users_by_phone on people
    (site, json_extract(cast(properties as text), '$."$phone"')) where kind = 'user';
create table if not exists positions (queue_id text primary key, position integer not null) strict;
"""
# of version 1, which told no time of the place
_PLACED = """
begin immediate;
alter table nodes add column placed integer;
update nodes set placed = last_seen where country is not null;
commit;
"""


Place = tuple[str | None, str | None, str | None]
"""Country, region, city."""


@dataclass(slots=True)
class Sighting:
    """When and where an id was seen. Shape: the place is that of the latest event which had one, at placed_ms."""

    first_ms: int
    last_ms: int
    place: Place = (None, None, None)
    placed_ms: int | None = None

    def add(self, time_ms: int, place: Place) -> None:
        """Take in one event."""
        self.first_ms = min(self.first_ms, time_ms)
        self.last_ms = max(self.last_ms, time_ms)
        if place[0] and (self.placed_ms is None or time_ms >= self.placed_ms):
            self.place, self.placed_ms = place, time_ms


def open_people(path: Path | str) -> sqlite3.Connection:
    """Return a connection to the file, which is made where it is missing.

    The file can be rebuilt from what the queue and the store hold, yet it is committed like the queue: its position
    decides what the queue may forget.
    """
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    database.execute("pragma busy_timeout = 5000")
    database.execute("pragma journal_mode = wal")
    database.execute("pragma synchronous = full")
    database.execute("pragma secure_delete = on")  # who is erased leaves no bytes
    version = database.execute("pragma user_version").fetchone()[0]
    if version > _SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"the users have format {version}, this version knows {_SCHEMA_VERSION}")
    database.executescript(_SCHEMA)
    if "placed" not in {name for _, name, *_ in database.execute("pragma table_info(nodes)")}:
        database.executescript(_PLACED)
    database.execute(f"pragma user_version = {_SCHEMA_VERSION}")
    return database


@contextmanager
def read_people(path: Path) -> Iterator[sqlite3.Connection]:
    """Return a connection for one question: what it sees does not change while it is asked."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)) as database:
        database.execute("begin")
        yield database


def clear(database: sqlite3.Connection) -> None:
    """Remove everybody and everything."""
    for table in ("nodes", "worlds", "facts", "repeats", "people", "positions"):
        database.execute(f"delete from {table}")  # noqa: S608 - the names are these


def position_of(database: sqlite3.Connection, queue_id: str) -> int:
    """Return the number of the last event taken from this queue, 0 before the first."""
    row = database.execute("select position from positions where queue_id = ?", (queue_id,)).fetchone()
    return int(row[0]) if row else 0


def save_position(database: sqlite3.Connection, queue_id: str, position: int) -> None:
    """Record how far this queue has been read."""
    database.execute("insert or replace into positions values (?, ?)", (queue_id, position))


def save_sightings(database: sqlite3.Connection, sightings: Mapping[tuple[str, Node], Sighting]) -> None:
    """Record when and where ids were seen."""
    database.executemany(
        "insert into nodes values (?1, ?2, ?3, null, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
        " on conflict do update set first_seen = min(coalesce(first_seen, excluded.first_seen), excluded.first_seen),"
        " country = iif(excluded.placed is null or placed > excluded.placed, country, excluded.country),"
        " region = iif(excluded.placed is null or placed > excluded.placed, region, excluded.region),"
        " city = iif(excluded.placed is null or placed > excluded.placed, city, excluded.city),"
        " placed = iif(excluded.placed is null or placed > excluded.placed, placed, excluded.placed),"
        " last_seen = max(coalesce(last_seen, excluded.last_seen), excluded.last_seen)",
        [
            (site, *node, seen.first_ms, seen.last_ms, *seen.place, seen.placed_ms)
            for (site, node), seen in sightings.items()
        ],
    )


def place_of(database: sqlite3.Connection, site: str, person: Node) -> Place:
    """Return where a person was, by the latest event of any of their ids which tells it."""
    row = database.execute(
        "select country, region, city from nodes where site = ? and person_kind = ? and person_id = ?"
        " and placed is not null order by placed desc, kind, id limit 1",
        (site, *person),
    ).fetchone()
    return row or (None, None, None)


def is_known(database: sqlite3.Connection, site: str, node: Node) -> bool:
    """Return whether an id was ever seen or mentioned."""
    sql = "select 1 from nodes where site = ? and kind = ? and id = ?"
    return database.execute(sql, (site, *node)).fetchone() is not None


def has_fact(database: sqlite3.Connection, site: str, fact_id: str) -> bool:
    """Return whether a fact was taken in before."""
    sql = "select 1 from facts where site = ?1 and id = ?2 union all select 1 from repeats where site = ?1 and id = ?2"
    return database.execute(sql, (site, fact_id)).fetchone() is not None


def find_worlds(database: sqlite3.Connection, site: str, nodes: Iterable[Node]) -> list[int]:
    """Return the numbers of the worlds that hold these ids, each once, in ascending order."""
    sql = "select world from nodes where site = ? and kind = ? and id = ?"
    rows = (database.execute(sql, (site, *node)).fetchone() for node in nodes)
    return sorted({row[0] for row in rows if row and row[0] is not None})


def load_world(database: sqlite3.Connection, number: int) -> World:
    """Return a world."""
    body = database.execute("select body from worlds where world = ?", (number,)).fetchone()[0]
    return decode_world(orjson.loads(body))


def new_world(database: sqlite3.Connection, site: str) -> int:
    """Return the number of a new world, in which nobody is."""
    body = orjson.dumps(World().encode())
    cursor = database.execute("insert into worlds (site, body) values (?, ?)", (site, body))
    return int(cursor.lastrowid or 0)


def unite_worlds(database: sqlite3.Connection, keep: int, others: Sequence[int]) -> None:
    """Have everything of the others be of the one that is kept."""
    for other in others:
        database.execute("update facts set world = ? where world = ?", (keep, other))
        database.execute("update repeats set world = ? where world = ?", (keep, other))
        database.execute("update nodes set world = ? where world = ?", (keep, other))
        database.execute("delete from worlds where world = ?", (other,))


def save_fact(database: sqlite3.Connection, site: str, world: int, fact: Fact, *, is_repeat: bool = False) -> None:
    """Keep a fact, one that repeats another apart."""
    body = orjson.dumps([fact.visitor_id, fact.user_id, fact.into and [*fact.into], fact.is_pages, fact.operations])
    table = "repeats" if is_repeat else "facts"
    row = (site, fact.moment[1], fact.moment[0], world, body)
    database.execute(f"insert into {table} values (?, ?, ?, ?, ?)", row)  # noqa: S608 - one of these two


def keep_apart(database: sqlite3.Connection, site: str, world: int, repeats: Iterable[Fact], *, anew: bool) -> None:
    """Have these facts of a world be kept as repeats. Shape: anew says that they are all, and no other is one."""
    if anew:
        database.execute("insert into facts select * from repeats where world = ?", (world,))
        database.execute("delete from repeats where world = ?", (world,))
    ids = [(site, fact.moment[1]) for fact in repeats]
    database.executemany("insert into repeats select * from facts where site = ? and id = ?", ids)
    database.executemany("delete from facts where site = ? and id = ?", ids)


def newest_repeat(database: sqlite3.Connection, worlds: Iterable[int]) -> Moment | None:
    """Return the moment of the newest repeat in these worlds; None where there is none."""
    # a world is of one site; with it the order is the index's
    sql = "select time, id from repeats where world = ? order by time desc, site desc, id desc limit 1"
    newest = [database.execute(sql, (world,)).fetchone() for world in worlds]
    return max(filter(None, newest), default=None)


def load_facts(database: sqlite3.Connection, world: int, *, with_repeats: bool = False) -> list[Fact]:
    """Return the facts of a world."""
    sql = "select time, id, body from facts where world = ?1"
    if with_repeats:
        sql += " union all select time, id, body from repeats where world = ?1"
    rows = database.execute(sql, (world,))
    return [decode_fact(time_ms, fact_id, body) for time_ms, fact_id, body in rows]


def belongings_of(database: sqlite3.Connection, world: int) -> dict[Node, Node]:
    """Return whom each id of a world belongs to, as questions see it."""
    rows = database.execute("select kind, id, person_kind, person_id from nodes where world = ?", (world,))
    return {Node(kind, each): Node(person_kind, person) for kind, each, person_kind, person in rows}


def properties_of(database: sqlite3.Connection, site: str, node: Node) -> Mapping[str, Any]:
    """Return the properties of whoever has an id, as questions see them."""
    row = database.execute(
        "select p.properties from nodes n join people p on p.site = n.site and p.kind = n.person_kind"
        " and p.id = n.person_id where n.site = ? and n.kind = ? and n.id = ?",
        (site, *node),
    ).fetchone()
    return orjson.loads(row[0]) if row else {}


def save_belongings(database: sqlite3.Connection, site: str, world: int, moved: Mapping[Node, Node]) -> None:
    """Record whom ids belong to from now on. Shape: moved are the ids for which that is new."""
    database.executemany(
        "insert into nodes values (?1, ?2, ?3, ?4, ?5, ?6, null, null, null, null, null, null)"
        " on conflict do update set world = ?4, person_kind = ?5, person_id = ?6",
        [(site, *node, world, *person) for node, person in moved.items()],
    )
    database.executemany(
        "delete from people where site = ? and kind = ? and id = ?",
        [(site, *node) for node, person in moved.items() if node != person],
    )


def save_world(database: sqlite3.Connection, number: int, world: World) -> None:
    """Keep a world; what questions ask of it is kept beside it."""
    database.execute("update worlds set body = ? where world = ?", (orjson.dumps(world.encode()), number))


def save_people(database: sqlite3.Connection, site: str, people: Mapping[Node, Properties]) -> None:
    """Keep people's properties."""
    database.executemany(
        "insert or replace into people values (?, ?, ?, ?)",
        [(site, *node, orjson.dumps(properties.values)) for node, properties in people.items()],
    )


def decode_fact(time_ms: int, fact_id: str, body: bytes) -> Fact:
    """Return a fact from its stored form."""
    visitor_id, user_id, into, *is_pages, operations = orjson.loads(body)  # earlier versions did not keep it
    return Fact(
        moment=(time_ms, fact_id),
        visitor_id=visitor_id,
        user_id=user_id,
        into=Node(*into) if into else None,
        operations=operations,
        is_pages=any(is_pages),
    )
