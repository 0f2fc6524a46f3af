"""A backup of everything that was accepted, made while more comes in. Called by web (the running server) and the CLI.

Order is what makes it consistent: the queue keeps what it would otherwise forget while the store is copied as of one
instant, and is copied after it. So the queue's copy holds every accepted event that the store's copy does not, under
numbers from which the store's own cursor goes on: after a restore each is there once. The outbox has a position
of its own, and what its copy lacks is in the queue's copy as well.
The folder gets its name last, after everything in it, the manifest with all check sums included, is on disk: a backup
that was killed ends in `.partial` and is none.
"""

import contextlib
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import orjson

from server import __version__
from server.ingest.queue_file import QUEUE_FILE, open_database
from server.ingest.writer import Writer
from server.outgoing.outbox import Outbox
from server.outgoing.outbox_file import OUTBOX_FILE
from server.storage.base import Store
from server.storage.duckdb_file import STORE_FILE
from server.storage.files import sha256_of
from server.storage.folder import is_of_restore
from server.storage.migrations import sync_path
from server.storage.tombstones import FILE_NAME

MANIFEST = "manifest.json"

_lock = threading.Lock()
_under_way: set[Path] = set()


class BackupError(Exception):
    """The backup cannot be made or used. Shape: the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What is copied. Shape: outbox is None where nothing is sent."""

    data_dir: Path
    store: Store
    writer: Writer
    outbox: Outbox | None


def make_backup(sources: Sources, target: Path, now_ms: int) -> dict[str, int]:
    """Write a backup folder; return the size of each of its files.

    Errors: BackupError when there is something at the target or another backup is being made; OSError, sqlite3.Error;
            then nothing of it is left.
    """
    with _alone(sources.data_dir):
        if is_of_restore(target, sources.data_dir):
            raise BackupError(f"{target} is where a restore works; name another folder.")
        if target.exists():
            raise BackupError(f"{target} is there already; a backup is a new folder.")
        # each has a name of its own: another folder's may be on its way to the same target
        partial = target.with_name(f"{target.name}.{uuid4().hex[:8]}.partial")
        above = [each for each in target.absolute().parents if not each.exists()]
        partial.mkdir(parents=True, mode=0o700)
        try:
            _copy_all(sources, partial)
            sizes = _write_manifest(partial, now_ms)
            partial.rename(target)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)  # the room that it takes may be what was missing
            raise
    for made in (target.absolute(), *above):
        sync_path(made.parent)
    return sizes


@contextlib.contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Refuse a second backup of a folder; one process alone has its store. Errors: BackupError."""
    folder = data_dir.resolve()
    with _lock:
        if folder in _under_way:
            raise BackupError(f"a backup of {data_dir} is being made; wait until it has ended.")
        _under_way.add(folder)
    try:
        yield
    finally:
        with _lock:
            _under_way.remove(folder)


def _copy_all(sources: Sources, folder: Path) -> None:
    data_dir = sources.data_dir
    with sources.writer.keeping():
        sources.store.copy(folder)
        if sources.outbox is not None:
            sources.outbox.copy(folder / OUTBOX_FILE)
        _copy_queue(data_dir / QUEUE_FILE, folder / QUEUE_FILE)
    if (data_dir / FILE_NAME).exists():
        shutil.copyfile(data_dir / FILE_NAME, folder / FILE_NAME)
    if (data_dir / "keys").is_dir():
        shutil.copytree(data_dir / "keys", folder / "keys")


def _copy_queue(path: Path, copy: Path) -> None:
    with contextlib.closing(open_database(path)) as database, contextlib.closing(sqlite3.connect(copy)) as target:
        database.backup(target)
        target.execute("drop table if exists scrub")  # zeros of an erasure that is under way: see scrubbing.py
        target.execute("pragma journal_mode = delete")


def _write_manifest(folder: Path, now_ms: int) -> dict[str, int]:
    files: dict[str, dict[str, object]] = {}
    sizes = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        sync_path(path)
        name = str(path.relative_to(folder))
        sizes[name] = path.stat().st_size
        files[name] = {"bytes": sizes[name], "sha256": sha256_of(path)}
    if missing := [
        name for name in (QUEUE_FILE, STORE_FILE) if name not in sizes
    ]:  # somebody has removed them meanwhile
        raise BackupError(f"{' and '.join(missing)} did not stay in {folder}.")
    manifest = {"version": __version__, "made_at_ms": now_ms, "files": files}
    (folder / MANIFEST).write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
    sync_path(folder / MANIFEST)
    for path in (folder / "keys", folder, folder.parent):
        if path.is_dir():
            sync_path(path)
    return sizes
