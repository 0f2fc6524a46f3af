"""The queue file's tables and how an older file is brought to them. Called by the queue when it opens the file.

Tables
    waiting          seq, event, crc  accepted, not yet in the store; seq only ever grows, also over deletes, and has no
                                      gaps, so that it counts the accepted events; crc is CRC-32 of event: SQLite has
                                      no checksums of its own, and a flipped bit must be found
    ids              site, id, day    for exactly once; day is days since the epoch; id is a UUID's 16 bytes or a digest
                                      of 20 of any other text, which may name somebody: so nothing has to be removed
                                      when they are erased, and a late repetition is still known
    rejected         what could not be accepted: reason, original payload, and in `context` what its request told
                     beside it, so that it can be replayed (see rejected.py); number counts those of one site, so that
                     the newest of each can be kept without counting; null for what was set aside
    session_origins  see origins.py
    counts           name, label, value: the accounts that must survive restarts (see accounts.py)
    answers          site, key, body, answer, day: requests that had an Idempotency-Key (see repeats.py)
    meta             queue_id         names this file to the store's cursor
                     held_until       until when requests wait for the writer, where several processes share the file
                     probe            what is written to find out whether the disk is well
"""

import contextlib
import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from server.storage.migrations import check_version, keep_copy, size_of

# what the store would not take was acknowledged: it is in none of the bounds on rejected events
SET_ASIDE_CODES = ("store_refused", "damaged")
SET_ASIDE = f"code in ({', '.join(repr(code) for code in SET_ASIDE_CODES)})"
NOT_SET_ASIDE = SET_ASIDE.replace("code in", "code not in")  # word for word as in the index that finds them

_TABLES = """
create table waiting (seq integer primary key autoincrement, event blob not null) strict;
create table ids (
    site text not null, id any not null, day integer not null, primary key (site, id)
) strict, without rowid;
create table rejected (
    seq integer primary key autoincrement, received_at integer not null, site text, event_id text,
    source text not null, code text not null, message text not null, payload blob not null
) strict;
create table session_origins (
    site text not null, session_id text not null, origin blob not null, day integer not null,
    primary key (site, session_id)
) strict, without rowid;
create table meta (key text primary key, value text not null) strict;
"""
_ACCOUNTS = """
alter table waiting add column crc integer;
alter table rejected add column context blob;
create index rejected_set_aside on rejected (seq) where code in ('store_refused', 'damaged');
create table counts (
    name text not null, label text not null, value integer not null, primary key (name, label)
) strict, without rowid;
insert into counts select 'stored', '', coalesce((select seq from sqlite_sequence where name = 'waiting'), 0)
    - (select count(*) from waiting) - (select count(*) from rejected where code in ('store_refused', 'damaged'));
insert into counts select 'rejected', code, count(*) from rejected
    where code not in ('store_refused', 'damaged') group by code;
"""
_ANSWERS = """
create table answers (
    site text not null, key blob not null, body blob not null, answer blob not null, day integer not null,
    primary key (site, key)
) strict, without rowid;
"""
_ID_DIGESTS = """
update ids set id = id_digest(id, (select value from meta where key = 'queue_id')) where typeof(id) = 'text';
"""
_REJECTED_BY_SITE = """
alter table rejected add column number integer;
update rejected set number = counted.number
    from (select seq, row_number() over (partition by site order by seq) as number from rejected
          where code not in ('store_refused', 'damaged')) as counted
    where rejected.seq = counted.seq;
create index rejected_by_site on rejected (site, number) where code not in ('store_refused', 'damaged');
"""
STEPS = (_TABLES, _ACCOUNTS, _ANSWERS, _ID_DIGESTS, _REJECTED_BY_SITE)
"""Step n brings a file of version n to version n + 1. A released step is never changed."""

VERSION = len(STEPS)
ID_DIGEST_BYTES = 20  # not 16: a digest must never be taken for a UUID


def digest_of_id(event_id: str, queue_id: str) -> bytes:
    """Return what stands for an event id that is no UUID: keyed, so that no table of digests tells what it was."""
    return hashlib.blake2b(event_id.encode(), digest_size=ID_DIGEST_BYTES, key=queue_id.encode()).digest()


def bring_to_date(database: sqlite3.Connection, path: Path) -> None:
    """Create the tables, or change those of an older version after keeping a copy of the file.

    Shape:  one process does it, those that come meanwhile wait for it.
    Errors: SchemaError for a file of a newer version or without room for the copy; OSError; sqlite3.Error.
    """
    if _is_to_date(database, path):
        return
    with _alone(path.parent):
        if _is_to_date(database, path):  # asked again: another process did it meanwhile
            return
        if _version(database) > 0:
            size_bytes = size_of(path, path.with_name(path.name + "-wal"))
            keep_copy(path, VERSION, size_bytes, lambda copy: _copy(database, copy))
        _take_steps(database)


def _is_to_date(database: sqlite3.Connection, path: Path) -> bool:
    """Return whether the file is of this version. Errors: SchemaError for a newer one."""
    version = _version(database)
    check_version(path, version, VERSION)
    return version == VERSION


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process changes the file: with several workers all open an older one at once.

    Shape:  the folder itself is locked. A file for it would have to stay, since one that is removed can be locked by
            two, and could not be made on a full disk.
    Errors: OSError.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # ends with the process, whatever ends that
        yield
    finally:
        os.close(descriptor)


def _take_steps(database: sqlite3.Connection) -> None:
    """Change the tables in one transaction. Errors: sqlite3.Error."""
    database.create_function("id_digest", 2, digest_of_id, deterministic=True)
    database.execute("begin immediate")
    try:
        for step in STEPS[_version(database) :]:
            for statement in filter(str.strip, step.split(";")):  # executescript would commit first
                database.execute(statement)
        database.execute(f"pragma user_version = {VERSION}")
        database.execute("insert or ignore into meta values ('queue_id', ?)", (str(uuid4()),))
        database.execute("commit")
    except BaseException:
        database.execute("rollback")
        raise


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("pragma user_version").fetchone()[0])


def _copy(database: sqlite3.Connection, copy: Path) -> None:
    with contextlib.closing(sqlite3.connect(copy)) as target:
        database.backup(target)
        target.execute("pragma journal_mode = delete")  # one file, without a log beside it
