"""An older queue file is brought to date, kept as it was beside it, and survives a kill at every step of that."""

import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest

from server.ingest import queue_schema
from server.ingest.queue import Queue
from server.ingest.queue_file import open_database
from server.storage import migrations
from server.storage.migrations import SchemaError, copy_name
from tests.syncs import Syncs

OTHERS_COME_S = 0.5
KILLED_AT = """
import os, signal, sqlite3, sys
from pathlib import Path
from server.ingest.queue_file import open_database
from server.ingest.queue_schema import bring_to_date
path, left = Path(sys.argv[1]), int(sys.argv[2])
database = open_database(path)
def count(_statement):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
database.set_trace_callback(count)
bring_to_date(database, path)
"""


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    """A file of version 1: five events were accepted, two of them wait, one was rejected, one set aside.

    Their ids are numbers, and one is a UUID.
    """
    path = tmp_path / "queue.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(queue_schema.STEPS[0])
        database.execute("pragma user_version = 1")
        database.execute("insert into meta values ('queue_id', 'the-old-one')")
        database.executemany("insert into waiting (event) values (?)", [(b'{"id": "%d"}' % n,) for n in range(5)])
        database.execute("delete from waiting where seq <= 3")
        ids = [("default", str(number), 1) for number in range(5)] + [("default", UUID(int=5).bytes, 1)]
        database.executemany("insert into ids values (?, ?, ?)", ids)
        for code in ("bad_name", "store_refused"):
            database.execute(
                "insert into rejected (received_at, source, code, message, payload) values"
                " (1, 'page', ?, 'm', x'7b7d')",
                (code,),
            )
        database.commit()
    return path


def database_of_version_3(path: Path) -> sqlite3.Connection:
    """Return a connection to a new file of version 3."""
    database = open_database(path)
    for step in queue_schema.STEPS[:3]:
        database.executescript(step)
    database.execute("pragma user_version = 3")
    database.execute("insert into meta values ('queue_id', 'the-old-one')")
    return database


def check_new(path: Path) -> None:
    queue = Queue(path)
    counts = queue.counts()
    known = queue.known_ids(("default", each) for each in [*map(str, range(6)), str(UUID(int=5))])
    queue.close()
    assert known == {("default", each) for each in [*map(str, range(5)), str(UUID(int=5))]}
    assert queue.queue_id == "the-old-one"
    assert (counts.accepted, counts.stored, counts.queued, counts.set_aside) == (5, 2, 2, 1)
    assert counts.accepted == counts.stored + counts.waiting
    assert (counts.received, counts.rejected) == (6, {"bad_name": 1})


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("pragma user_version").fetchone()[0])


def test_an_older_file_is_brought_to_date_and_kept_as_it_was(old_file: Path) -> None:
    check_new(old_file)
    copy = copy_name(old_file, queue_schema.VERSION)
    assert (version_of(old_file), version_of(copy)) == (queue_schema.VERSION, 1)
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("select count(*) from waiting").fetchone() == (2,)


def test_a_copy_that_an_earlier_upgrade_left_is_made_anew(old_file: Path) -> None:
    """The older version was installed again in between, and took in more."""
    before = old_file.read_bytes()
    Queue(old_file).close()
    copy = copy_name(old_file, queue_schema.VERSION)
    old_file.write_bytes(before)
    with closing(sqlite3.connect(old_file)) as database, database:
        database.execute("insert into waiting (event) values (x'7b7d')")
    Queue(old_file).close()
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("select count(*) from waiting").fetchone() == (3,)


def test_the_copy_is_on_the_disk_before_the_file_is_changed(
    old_file: Path, syncs: Syncs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut in the change must not find that of the copy there is only the name."""
    missing: list[str] = []
    replace, take_steps = Path.replace, queue_schema._take_steps

    def note_copy(partial: Path, copy: Path) -> Path:
        missing.extend(syncs.missing(partial))
        return replace(partial, copy)

    def note_change(database: sqlite3.Connection) -> None:
        missing.extend(syncs.missing(copy_name(old_file, queue_schema.VERSION)))
        missing.extend([] if syncs.has(old_file.parent) else [str(old_file.parent)])
        take_steps(database)

    monkeypatch.setattr(Path, "replace", note_copy)
    monkeypatch.setattr(queue_schema, "_take_steps", note_change)
    check_new(old_file)
    assert missing == []


def test_ids_that_may_name_somebody_become_digests(tmp_path: Path) -> None:
    path = tmp_path / "queue.sqlite"
    with closing(database_of_version_3(path)) as database:
        ids = [("default", f"order-of-somebody-{number}", 7) for number in range(2_000)]
        database.executemany("insert into ids values (?, ?, ?)", ids)
    queue = Queue(path)
    assert queue.known_ids([(site, each) for site, each, _ in ids]) == {(site, each) for site, each, _ in ids}
    queue.scrub()
    queue.close()
    assert b"of-somebody" not in path.read_bytes()
    with closing(sqlite3.connect(path)) as database:
        kept = database.execute("select count(*), sum(day), min(typeof(id)), max(typeof(id)) from ids").fetchone()
    assert kept == (2_000, 14_000, "blob", "blob")


def test_rejected_events_of_an_older_file_are_counted_by_site(tmp_path: Path) -> None:
    path = tmp_path / "queue.sqlite"
    with closing(database_of_version_3(path)) as database:
        sites = ("a", None, "b", "a", None, "a")
        codes = ("c", "c", "c", "damaged", "c", "c")
        database.executemany(
            "insert into rejected (received_at, source, code, message, payload, site) values"
            " (1, 'page', ?, 'm', x'7b7d', ?)",
            zip(codes, sites, strict=True),
        )
    Queue(path).close()
    with closing(sqlite3.connect(path)) as database:
        numbers = [row[0] for row in database.execute("select number from rejected order by seq")]
    assert numbers == [1, 1, 1, None, 2, 2]


def test_a_kill_at_any_statement_leaves_the_old_file_or_the_new_one(old_file: Path, tmp_path: Path) -> None:
    original = old_file.read_bytes()
    killed = copies = 0
    while True:
        for leftover in tmp_path.glob("queue.sqlite*"):
            leftover.unlink()
        old_file.write_bytes(original)
        done = subprocess.run([sys.executable, "-c", KILLED_AT, str(old_file), str(killed)], check=False)
        for copy in tmp_path.glob("*.before-v?"):
            assert version_of(copy) == 1, "a copy that has its name is whole"
            copies += 1
        check_new(old_file)
        if done.returncode == 0:
            break
        assert done.returncode == -9
        killed += 1
    assert copies > 0
    assert killed > 8, "each statement of the change was a place to die at"


def test_several_that_open_an_older_file_at_once_make_one_copy_and_one_change(
    old_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock of the file system tells descriptors apart, not processes: threads do as well here."""
    copying = threading.Event()
    copies: list[Path] = []
    copy_whole = queue_schema._copy

    def copy_slowly(database: sqlite3.Connection, copy: Path) -> None:
        copies.append(copy)
        copy_whole(database, copy)
        copying.set()
        time.sleep(OTHERS_COME_S)

    def open_file() -> None:
        with closing(open_database(old_file)) as database:
            queue_schema.bring_to_date(database, old_file)

    monkeypatch.setattr(queue_schema, "_copy", copy_slowly)
    with ThreadPoolExecutor(4) as opening:
        first = opening.submit(open_file)
        assert copying.wait(10)
        for each in [first, *(opening.submit(open_file) for _ in range(3))]:
            each.result()
    check_new(old_file)
    assert len(copies) == 1
    assert version_of(copy_name(old_file, queue_schema.VERSION)) == 1
    assert not list(old_file.parent.glob("*.partial"))


def test_a_file_from_the_future_is_refused_untouched(old_file: Path) -> None:
    with closing(sqlite3.connect(old_file)) as database:
        database.execute("pragma user_version = 99")
        database.execute("pragma journal_mode = wal")
    before = old_file.read_bytes()
    with pytest.raises(SchemaError, match=r"format 99.*newer version"):
        Queue(old_file)
    assert old_file.read_bytes() == before


def test_without_room_for_the_copy_nothing_is_changed(old_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "SPARE_BYTES", 2**62)
    with pytest.raises(SchemaError, match="Free some space"):
        Queue(old_file)
    assert version_of(old_file) == 1
