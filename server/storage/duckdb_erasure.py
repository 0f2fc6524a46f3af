"""Erasing in DuckDB: rows, what would bring them back, and the bytes that a deletion leaves. Called by the store."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from server.events.model import COLUMNS
from server.storage.base import BeforeErased, ErasedEvent
from server.storage.duckdb_file import remove_file, transaction
from server.storage.duckdb_hours import fold_anew
from server.storage.hours import HOUR
from server.storage.tombstones import MERGE, Tombstone

_STONE_COLUMNS = {
    **{name: name for name in ("salt", "site", "kind", "digest", "erased_at")},
    "since_ms": "since",
    "until_ms": "until",
}
"""The columns of the table `erased`, and what they are of a tombstone."""
_STONE_LISTS = ", ".join(
    f"unnest(?::{'bigint' if name in ('erased_at', 'since_ms', 'until_ms') else 'varchar'}[])"
    for name in _STONE_COLUMNS
)
_KINDS = {"visitor": "visitor_id", "user": "user_id"}


def known_tombstones(database: duckdb.DuckDBPyConnection) -> set[Tombstone]:
    """Return the tombstones that were applied."""
    rows = database.execute(f"select {', '.join(_STONE_COLUMNS)} from erased").fetchall()  # noqa: S608 - these names
    return {Tombstone(**dict(zip(_STONE_COLUMNS.values(), row, strict=True))) for row in rows}


def keep_condition(database: duckdb.DuckDBPyConnection) -> str:
    """Return the clause that leaves the erased out of what comes in; nothing where nobody was erased."""
    salts = [salt for (salt,) in database.execute("select distinct salt from erased order by salt").fetchall()]
    if not salts:
        return ""
    return " where not (" + " or ".join(_is_erased("incoming", salt) for salt in salts) + ")"


def erase_events(database: duckdb.DuckDBPyConnection, tombstones: Sequence[Tombstone], before: BeforeErased) -> int:
    """Record tombstones and delete what they stand for in one transaction, before whose commit `before` is told.

    Shape:  returns how many events were deleted.
    """
    removed: list[ErasedEvent] = []
    hours: set[int] = set()
    visitors: set[str | None] = set()
    with transaction(database):
        # at once: by rows 20,000 took 10 s
        database.execute(
            f"insert into erased ({', '.join(_STONE_COLUMNS)}) select {_STONE_LISTS}",
            [[getattr(each, name) for each in tombstones] for name in _STONE_COLUMNS.values()],
        )
        for salt in {each.salt for each in tombstones}:
            condition = _is_erased("events", salt)
            rows = database.execute(
                f"delete from events where {condition} returning site, session_id, epoch_ms({HOUR}), visitor_id"  # noqa: S608 - the program's own texts
            ).fetchall()
            for site, session_id, hour, visitor in rows:
                removed.append(ErasedEvent(site, session_id))
                hours.add(hour)
                visitors.add(visitor)
        fold_anew(database, hours, visitors)
        before(removed)
    return len(removed)


def delete_before(database: duckdb.DuckDBPyConnection, time_ms: int, kept: str) -> int:
    """Delete what is older than an instant but for what is kept; return how many events are fewer.

    Shape:  kept is a question for whole events. One that is there already with the same columns known is left alone:
            after the first time nothing is written for it.
    """
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    same = " and ".join(f'kept."{name}" is not distinct from events."{name}"' for name in COLUMNS if name != "props")
    with transaction(database):
        database.execute(f"create or replace temp table kept as {kept}")
        going = f"time < epoch_ms({time_ms}) and not exists (select 1 from kept where {same})"  # noqa: S608 - columns are the program's own
        hours = database.execute(f"select distinct epoch_ms({HOUR}) from events where {going}").fetchall()  # noqa: S608 - as above
        deleted = database.execute(f"delete from events where {going}").fetchone()  # noqa: S608 - as above
        added = database.execute(
            f"insert into events ({names}) select {names} from kept where not exists"  # noqa: S608 - as above
            f" (select 1 from events where events.id = kept.id and events.site = kept.site) returning epoch_ms({HOUR})"
        ).fetchall()
        database.execute("drop table kept")
        fold_anew(database, (hour for (hour,) in hours + added))
    return (int(deleted[0]) if deleted else 0) - len(added)


def rewrite(database: duckdb.DuckDBPyConnection, copy: Path) -> None:
    """Write everything there is into a new file, which then holds nothing else.

    A deletion leaves its bytes in free blocks and in the columns' statistics, also after a checkpoint (measured: an
    erased id was still in the file three times); the engine has no command that overwrites them.
    """
    remove_file(copy)
    name = database.execute("select current_database()").fetchone()
    file = str(copy).replace("'", "''")
    database.execute(f"attach '{file}' as scrubbed")
    try:
        database.execute(f'copy from database "{name[0] if name else ""}" to scrubbed')
        database.execute("checkpoint scrubbed")
    finally:
        database.execute("detach scrubbed")


def _is_erased(table: str, salt: str) -> str:
    """Return the condition that an event is one of those erased under a salt (hexadecimal digits).

    Shape:  says of an event what `subjects_of` and `Erased` do (tombstones.py).
    """
    is_alone = f"({table}.user_id is null and {table}.name <> '{MERGE}')"
    is_covered = (
        f"{table}.time <= epoch_ms(erased.erased_at)"
        f" and (erased.since_ms is null or ({is_alone} and {table}.time >= epoch_ms(erased.since_ms)))"
        f" and (erased.until_ms is null or ({is_alone} and {table}.time < epoch_ms(erased.until_ms)))"
    )
    subjects = [(f"'{kind}'", f"{table}.{column}") for kind, column in _KINDS.items()]
    for name in ("$from", "$to"):
        kind = f"if({table}.props->>'$.\"{name}_kind\"' = 'visitor', 'visitor', 'user')"
        value = f"if({table}.name = '{MERGE}', {table}.props->>'$.\"{name}\"', null)"
        subjects.append((kind, value))
    conditions = []
    for kind, value in subjects:
        digest = f"sha256(concat_ws('/', '{salt}', {table}.site, {kind}, {value}))"
        conditions.append(
            f"({value} is not null and exists (select 1 from erased where erased.digest = {digest}"  # noqa: S608 - the program's own texts
            f" and {is_covered}))"
        )
    return "(" + " or ".join(conditions) + ")"
