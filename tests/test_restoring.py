"""A restored folder: whoever was erased stays erased, and what a restore leaves behind goes."""

import contextlib
import errno
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest
from starlette.testclient import TestClient

from server import restoring
from server.app import close_parts, create_app, create_parts
from server.cli import main
from server.dialects.hooks.notice import Notice, Whom
from server.errors import FootfallError, SettingsError, Unavailable
from server.ingest.backup import BackupError, Sources, make_backup
from server.ingest.writer import Writer
from server.outgoing.sender import Sender
from server.outgoing.subscriptions import add_subscription
from server.proxies import parse_networks
from server.restoring import folder_in_use, restore
from server.settings import Settings
from server.storage.duckdb import DuckDBStore
from server.storage.files import sha256_of
from server.storage.folder import RESTORE_DONE, RESTORE_PARTIAL, RESTORE_READY
from server.storage.tombstones import FILE_NAME
from server.web.hook_people import find_people
from server.web.parts import Parts
from tests.conftest import wait_until
from tests.factories import NOW_MS, SECRET_KEY, make_record, make_settings
from tests.syncs import Syncs

ERASED = "the-erased-person"
PATIENCE_S = 20.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path / "data", webhook_private=parse_networks(["127.0.0.0/8"]))


@pytest.fixture
def backup(settings: Settings, tmp_path: Path) -> Path:
    """Return a backup of a folder in which somebody was erased after it; a webhook about them waits in its outbox."""
    parts = create_parts(settings)
    try:
        assert parts.outbox is not None
        assert parts.writer is not None
        assert parts.sender is not None
        with parts.outbox.changing() as database:
            add_subscription(database, "default", "http://127.0.0.1:1/", ["*"], NOW_MS)
        parts.queue.put([orjson.loads(make_record(visitor_id=each).event) for each in (ERASED, "another")])
        assert parts.writer.wait_until_idle(PATIENCE_S)
        back_up(parts, tmp_path / "backup")
        parts.writer.erase("default", [("visitor", ERASED)])
    finally:
        close_parts(parts)
    return tmp_path / "backup"


@pytest.fixture
def restored(backup: Path, settings: Settings) -> Settings:
    restore(backup, settings.data_dir, force=True)
    return settings


def back_up(parts: Parts, target: Path) -> None:
    assert parts.store is not None
    assert parts.writer is not None
    sources = Sources(data_dir=parts.settings.data_dir, store=parts.store, writer=parts.writer, outbox=parts.outbox)
    make_backup(sources, target, NOW_MS)


def accept_as_it_is(backup: Path) -> None:
    """Write the manifest of what the folder holds."""
    files = {
        str(path.relative_to(backup)): {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
        for path in backup.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    (backup / "manifest.json").write_bytes(orjson.dumps({"version": "99.0", "made_at_ms": NOW_MS, "files": files}))


def digests_in(backup: Path) -> dict[str, str]:
    """Return what the manifest tells of each file."""
    files: dict[str, Any] = orjson.loads((backup / "manifest.json").read_bytes())["files"]
    return {name: facts["sha256"] for name, facts in files.items()}


def state_of(data_dir: Path) -> dict[str, str]:
    """Return the digests of a folder's files."""
    return {str(path): sha256_of(path) for path in data_dir.rglob("*") if path.is_file() and path.name != ".lock"}


def visitors_of(parts: Parts) -> list[str]:
    assert parts.store is not None
    return [visitor for (visitor,) in parts.store.query("select visitor_id from events order by 1", {})]


def subjects_in_outbox(parts: Parts) -> str:
    assert parts.outbox is not None
    with parts.outbox.reading() as database:
        return str(database.execute("select subjects from deliveries").fetchall())


def test_a_backup_without_a_server_sends_nothing_and_removes_nothing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder may be a copy of one whose server runs, and the environment another's."""
    old = orjson.loads(make_record(visitor_id="old", time=NOW_MS - 400 * 24 * 3600 * 1000).event)
    parts = create_parts(settings, is_serving=False)
    assert parts.outbox is not None
    with parts.outbox.changing() as database:
        add_subscription(database, "default", "http://127.0.0.1:1/", ["*"], NOW_MS)
    parts.queue.put([old])
    close_parts(parts)
    monkeypatch.setenv("FOOTFALL_RETENTION_DAYS", "30")
    monkeypatch.setenv("FOOTFALL_WEBHOOK_PRIVATE", "127.0.0.0/8")
    data_dir = ["--data-dir", str(settings.data_dir), "--port", "1"]
    assert main(["backup", str(tmp_path / "copy"), *data_dir]) == 0
    parts = create_parts(settings, is_serving=False)
    try:
        assert visitors_of(parts) == ["old"]
        assert parts.outbox is not None
        with parts.outbox.reading() as database:
            assert database.execute("select failures from deliveries").fetchall() == [(0,)]
    finally:
        close_parts(parts)


def test_the_erased_are_gone_before_anything_is_answered_or_sent(
    restored: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However late the writer's thread comes."""
    real = Writer.start
    monkeypatch.setattr(Writer, "start", lambda _: None)
    parts = create_parts(restored)
    try:
        assert visitors_of(parts) == ["another"]
        assert ERASED not in subjects_in_outbox(parts)
    finally:
        assert parts.writer is not None
        real(parts.writer)
        close_parts(parts)


def test_while_the_store_is_away_nothing_is_sent_and_then_the_erased_go_first(
    restored: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_away = [True]

    real_open = DuckDBStore._open

    def open_when_back(store: DuckDBStore) -> None:
        if is_away[0]:
            raise duckdb.IOException("another process holds the lock")
        real_open(store)

    sent: list[str] = []

    def send(_: Sender) -> float:
        sent.append("a line")
        return 0.1

    monkeypatch.setattr(DuckDBStore, "_open", open_when_back)
    monkeypatch.setattr(Sender, "_start_lines", send)
    with TestClient(create_app(restored)) as client:
        key = {"Authorization": f"Bearer {SECRET_KEY}"}
        for path in ("events", "users", f"users?id={ERASED}", f"users?q={ERASED}", f"users/{ERASED}", "rejected"):
            answer = client.get(f"/api/{path}", headers=key)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "erasing")
        parts = client.app.state.parts  # type: ignore[attr-defined]
        notice = Notice(foreign_id="1", name="Told", props={}, whom=Whom(email="a@shop.example"))
        with pytest.raises(Unavailable):
            find_people(parts, parts.sites["default"], [notice])
        assert sent == []
        is_away[0] = False
        assert parts.writer.wait_until_idle(PATIENCE_S)
        wait_until(lambda: client.get("/api/events", headers=key).status_code == 200, PATIENCE_S)
        assert ERASED not in client.get("/api/events", headers=key).text
        wait_until(lambda: bool(sent), PATIENCE_S)
        assert ERASED not in subjects_in_outbox(parts)


def test_a_folder_that_a_mounted_application_has_open_is_not_replaced(restored: Settings, backup: Path) -> None:
    app = create_app(restored)
    for _ in range(2):
        parts = app.start()
        with pytest.raises(FootfallError, match="in use"):
            restore(backup, restored.data_dir, force=True)
        close_parts(parts)
        app.forget_parts()
    restore(backup, restored.data_dir, force=True)


def test_an_application_does_not_start_in_a_folder_that_is_being_restored(settings: Settings) -> None:
    settings.data_dir.mkdir()
    with folder_in_use(settings.data_dir, alone=True), pytest.raises(SettingsError, match="in use"):
        create_app(settings).start()


@pytest.mark.parametrize("name", ["queue.sqlite", "outbox.sqlite", "events.duckdb"])
def test_a_backup_of_a_newer_version_is_refused_before_anything_is_replaced(
    backup: Path, settings: Settings, name: str
) -> None:
    """As its manifest tells it; the log of a backup may hold the version."""
    if name == "events.duckdb":
        with duckdb.connect(str(backup / name)) as store:
            store.execute("update format set version = 99")
    else:
        with closing(sqlite3.connect(backup / name)) as database:
            database.execute("pragma user_version = 99")
    accept_as_it_is(backup)
    before = state_of(settings.data_dir)
    with pytest.raises(FootfallError, match=f"{name} has format 99"):
        restore(backup, settings.data_dir, force=True)
    assert state_of(settings.data_dir) == before


def test_the_version_of_a_store_is_found_in_its_log(backup: Path, settings: Settings) -> None:
    with duckdb.connect(str(backup / "events.duckdb")) as store:
        store.execute("set checkpoint_threshold = '1TB'; update format set version = 99")
        for each in ("events.duckdb", "events.duckdb.wal"):
            shutil.copyfile(backup / each, backup / f"{each}.open")
    for each in ("events.duckdb", "events.duckdb.wal"):
        (backup / f"{each}.open").replace(backup / each)
    accept_as_it_is(backup)
    with pytest.raises(FootfallError, match=r"events.duckdb has format 99"):
        restore(backup, settings.data_dir, force=True)


def test_a_restore_that_fails_leaves_nothing(backup: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path, __: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = state_of(settings.data_dir)
    monkeypatch.setattr(restoring, "merge_tombstones", fail)
    with pytest.raises(OSError, match="No space left"):
        restore(backup, settings.data_dir, force=True)
    assert state_of(settings.data_dir) == before


def test_what_a_killed_restore_has_left_goes_with_the_next_start(restored: Settings, backup: Path) -> None:
    """Whole copies, which no erasure would ever reach."""
    for name in (RESTORE_PARTIAL, RESTORE_DONE):
        shutil.copytree(backup, restored.data_dir / name)
    close_parts(create_app(restored).start())
    assert not list(restored.data_dir.glob(".restore*"))


@pytest.mark.parametrize("name", ["restore", "restore.partial", "restore.done"])
def test_a_backup_in_the_data_folder_is_no_restore_that_was_begun(backup: Path, settings: Settings, name: str) -> None:
    kept = backup.rename(settings.data_dir / name)
    before = state_of(settings.data_dir)
    assert main(["restore", str(kept), "--data-dir", str(settings.data_dir)]) == 1
    close_parts(create_app(settings).start())
    assert {path: before[path] for path in before if name in path} == state_of(kept)
    restore(kept, settings.data_dir, force=True)
    assert kept.is_dir()


@pytest.mark.parametrize("name", [RESTORE_PARTIAL, RESTORE_READY, f"{RESTORE_DONE}/deeper"])
def test_where_a_restore_works_there_is_no_backup(
    settings: Settings, backup: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = create_parts(settings)
    try:
        with pytest.raises(BackupError, match="restore works"):
            back_up(parts, settings.data_dir / name)
    finally:
        close_parts(parts)
    monkeypatch.chdir(settings.data_dir)
    backup.rename(settings.data_dir / RESTORE_READY)
    with pytest.raises(FootfallError, match="restore works"):
        restore(Path(RESTORE_READY), settings.data_dir, force=True)
    assert (settings.data_dir / RESTORE_READY).is_dir()


def test_a_restore_takes_the_room_of_one_copy(
    backup: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the point of no return nothing is written that a full disk could refuse."""
    copied: list[str] = []

    def copy(source: Path, target: Path) -> None:
        copied.append(source.name)
        target.write_bytes(source.read_bytes())

    monkeypatch.setattr(shutil, "copyfile", copy)
    restore(backup, settings.data_dir, force=True)
    assert sorted(copied) == sorted(Path(name).name for name in digests_in(backup))


def test_a_restore_that_is_cut_off_while_files_are_moved_is_finished(
    backup: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = digests_in(backup)
    moved, replace = 0, Path.replace

    def replace_one(path: Path, target: Path) -> Path:
        nonlocal moved
        if moved:
            raise KeyboardInterrupt
        moved += 1
        return replace(path, target)

    for _ in range(len(expected) + 1):
        moved = 0
        with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
            patch.setattr(Path, "replace", replace_one)
            if restoring.is_restore_begun(settings.data_dir):
                restoring.finish_restore(settings.data_dir)
            else:
                restore(backup, settings.data_dir, force=True)
        if not restoring.is_restore_begun(settings.data_dir):
            break
    expected.pop(FILE_NAME, None)  # those of the folder are added
    assert {name: sha256_of(settings.data_dir / name) for name in expected} == expected


def test_a_restore_is_on_the_disk_before_the_old_files_go(
    backup: Path, settings: Settings, syncs: Syncs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut there is the old folder, a restore that the next start finishes, or the new folder."""
    data_dir = settings.data_dir
    missing: dict[str, list[str]] = {}
    rename, replace, unlink = Path.rename, Path.replace, Path.unlink

    def note_name(path: Path, target: Path) -> Path:
        missing[target.name] = syncs.missing(path) if target.name == RESTORE_READY else []
        missing[target.name] += [str(data_dir)] * (target.name == RESTORE_DONE and not syncs.has(data_dir))
        return rename(path, target)

    def note_file(path: Path, target: Path) -> Path:
        missing.setdefault("names", []).extend([target.name] * (target.parent == data_dir and not syncs.has(data_dir)))
        return replace(path, target)

    def note_removal(path: Path, *, missing_ok: bool = False) -> None:
        if RESTORE_READY in missing:
            missing.setdefault("point of no return", [] if syncs.has(data_dir) else [str(data_dir)])
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "rename", note_name)
    monkeypatch.setattr(Path, "replace", note_file)
    monkeypatch.setattr(Path, "unlink", note_removal)
    restore(backup, data_dir, force=True)
    assert missing == {RESTORE_READY: [], "point of no return": [], "names": [], RESTORE_DONE: []}
    assert syncs.missing(data_dir / "queue.sqlite", data_dir / "events.duckdb", data_dir / FILE_NAME) == []


def test_who_was_erased_before_a_backup_is_not_brought_back_by_an_older_one(
    backup: Path, settings: Settings, tmp_path: Path
) -> None:
    """The disk was lost: what is known of erasures came with the later backup, and nothing else is there."""
    parts = create_parts(settings)
    try:
        back_up(parts, tmp_path / "later")
    finally:
        close_parts(parts)
    new = make_settings(tmp_path / "new")
    restore(tmp_path / "later", new.data_dir, force=False)
    restore(backup, new.data_dir, force=True)
    parts = create_parts(new)
    try:
        assert visitors_of(parts) == ["another"]
    finally:
        close_parts(parts)


def test_a_read_only_backup_makes_a_folder_that_can_be_written(backup: Path, settings: Settings) -> None:
    for path in backup.rglob("*"):
        path.chmod(0o400 if path.is_file() else 0o500)
    restore(backup, settings.data_dir, force=True)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in settings.data_dir.rglob("*") if path.is_file()}
    assert modes == {0o600}


def test_an_export_without_a_server_is_without_the_erased(restored: Settings, tmp_path: Path) -> None:
    output = tmp_path / "events.ndjson"
    assert main(["export", "--data-dir", str(restored.data_dir), "--port", "1", "--output", str(output)]) == 0
    assert ERASED not in output.read_text()
    assert "another" in output.read_text()


def test_an_export_finishes_a_restore_that_was_begun(backup: Path, settings: Settings, tmp_path: Path) -> None:
    (settings.data_dir / "events.duckdb").unlink()
    backup.rename(settings.data_dir / RESTORE_READY)
    output = tmp_path / "events.ndjson"
    assert main(["export", "--data-dir", str(settings.data_dir), "--port", "1", "--output", str(output)]) == 0
    assert "another" in output.read_text()
