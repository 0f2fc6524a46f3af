"""A backup is whole or not there: one at a time for a folder, and nothing of it stays where it fails."""

import errno
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from server.app import close_parts, create_parts
from server.ingest import backup
from server.ingest.backup import BackupError, Sources, make_backup
from server.restoring import restore
from server.storage.duckdb import DuckDBStore
from server.web.parts import Parts
from tests.factories import NOW_MS, make_record, make_settings
from tests.syncs import Syncs

PATIENCE_S = 20.0


@pytest.fixture
def sources(tmp_path: Path) -> Iterator[Sources]:
    parts: Parts = create_parts(make_settings(tmp_path / "data"))
    assert parts.store is not None
    assert parts.writer is not None
    parts.queue.put([orjson.loads(make_record().event)])
    yield Sources(data_dir=parts.settings.data_dir, store=parts.store, writer=parts.writer, outbox=parts.outbox)
    close_parts(parts)


def test_a_second_backup_is_refused_while_one_is_made(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the same target it removed what the first had made so far."""
    target = tmp_path / "out" / "copy"
    has_begun, may_end = threading.Event(), threading.Event()
    real_copy = DuckDBStore.copy

    def copy_slowly(store: DuckDBStore, folder: Path) -> None:
        real_copy(store, folder)
        has_begun.set()
        assert may_end.wait(PATIENCE_S)

    monkeypatch.setattr(DuckDBStore, "copy", copy_slowly)
    first = threading.Thread(target=make_backup, args=(sources, target, NOW_MS))
    first.start()
    assert has_begun.wait(PATIENCE_S)
    monkeypatch.setattr(DuckDBStore, "copy", real_copy)
    for asked in (target, target.with_name("another")):
        with pytest.raises(BackupError, match="is being made"):
            make_backup(sources, asked, NOW_MS)
    may_end.set()
    first.join()
    assert list(target.parent.iterdir()) == [target]
    assert {"events.duckdb", "queue.sqlite", "manifest.json"} <= {each.name for each in target.iterdir()}
    assert "events.duckdb" in make_backup(sources, target.with_name("another"), NOW_MS)


def test_what_comes_and_is_stored_while_a_backup_is_made_is_in_it_once(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the store is copied, and between that and the queue's copy; after a restore it goes on from there."""
    known = [make_record() for _ in range(3)]
    real_copy = DuckDBStore.copy

    def take_in(parts: Parts | Sources, number: int) -> None:
        assert parts.writer is not None
        parts.writer._queue.put([orjson.loads(known[number].event)])
        assert parts.writer.wait_until_idle(PATIENCE_S)

    def copy_amid_events(store: DuckDBStore, folder: Path) -> None:
        take_in(sources, 0)
        real_copy(store, folder)
        take_in(sources, 1)

    monkeypatch.setattr(DuckDBStore, "copy", copy_amid_events)
    make_backup(sources, tmp_path / "copy", NOW_MS)
    restore(tmp_path / "copy", tmp_path / "restored", force=False)
    parts = create_parts(make_settings(tmp_path / "restored"))
    take_in(parts, 2)
    assert parts.store is not None
    stored = [each for (each,) in parts.store.query("select id from events", {})]
    close_parts(parts)
    assert len(stored) == 4
    assert {each.event_id for each in known} <= set(stored)


def test_a_backup_that_fails_leaves_nothing(sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out" / "copy"

    def fail(_: Path, __: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(backup, "_copy_queue", fail)
        with pytest.raises(OSError, match="No space left"):
            make_backup(sources, target, NOW_MS)
    assert list(target.parent.iterdir()) == []
    make_backup(sources, target, NOW_MS)


@pytest.mark.parametrize("name", ["events.duckdb", "queue.sqlite"])
def test_a_backup_that_lost_a_file_is_none(
    sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    target = tmp_path / "out" / "copy"
    real_copy_queue = backup._copy_queue

    def lose(path: Path, copy: Path) -> None:
        real_copy_queue(path, copy)
        copy.with_name(name).unlink()

    monkeypatch.setattr(backup, "_copy_queue", lose)
    with pytest.raises(BackupError, match=name):
        make_backup(sources, target, NOW_MS)
    assert list(target.parent.iterdir()) == []


def test_a_backup_has_its_name_when_all_of_it_is_on_the_disk(
    sources: Sources, tmp_path: Path, syncs: Syncs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut leaves of what is not a name and zeros."""
    named: list[tuple[set[str], list[str]]] = []
    rename = Path.rename

    def note(path: Path, target: Path) -> Path:
        named.append(({each.name for each in path.iterdir()}, syncs.missing(path)))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", note)
    (sources.data_dir / "keys").mkdir(exist_ok=True)
    (sources.data_dir / "keys" / "secret").write_text("of a site")
    target = tmp_path / "new" / "deep" / "copy"
    make_backup(sources, target, NOW_MS)
    ((names, missing),) = named
    assert {"events.duckdb", "queue.sqlite", "keys", "manifest.json"} <= names
    assert missing == []
    assert all(map(syncs.has, (target.parent, tmp_path / "new", tmp_path)))
