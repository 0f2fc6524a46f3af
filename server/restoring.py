"""`footfall restore`: puts a backup in the place of a data folder; whole or not at all, also when killed.

First everything is copied into `.restore.partial` in the data folder, and check sums and versions are compared; then it
is renamed to `.restore`, and from this moment the restore is done: what remains, moving its files over the old ones, is
finished by whoever comes next, this command or the server's next start (`finish_restore`). It takes no more room.
"""

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import orjson

from server.errors import FootfallError
from server.ingest.queue_file import QUEUE_FILE
from server.ingest.queue_schema import VERSION as QUEUE_VERSION
from server.outgoing.outbox_file import OUTBOX_FILE
from server.outgoing.outbox_file import VERSION as OUTBOX_VERSION
from server.storage.duckdb_file import STORE_FILE, check_file
from server.storage.files import sha256_of
from server.storage.folder import (
    FOLDER_MODE,
    RESTORE_DONE,
    RESTORE_PARTIAL,
    RESTORE_READY,
    is_of_restore,
    make_folder,
)
from server.storage.migrations import SchemaError, check_version, sync_path
from server.storage.tombstones import FILE_NAME, merge_tombstones, read_tombstones

MANIFEST = "manifest.json"
FILE_MODE = 0o600
_OWNED = (QUEUE_FILE, STORE_FILE)
_LOGS_OF = {
    QUEUE_FILE: ("queue.sqlite-wal", "queue.sqlite-shm"),
    OUTBOX_FILE: ("outbox.sqlite-wal", "outbox.sqlite-shm"),
    STORE_FILE: ("events.duckdb.wal",),
}
_LOGS = tuple(log for logs in _LOGS_OF.values() for log in logs)
_DERIVED = ("users.sqlite", "users.sqlite-wal", "users.sqlite-shm")


@contextmanager
def folder_in_use(data_dir: Path, *, alone: bool) -> Iterator[None]:
    """Hold the data folder's lock: servers share it, a restore has it alone. Errors: FootfallError, OSError."""
    descriptor = os.open(data_dir / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise FootfallError("in_use", f"{data_dir} is in use.", "Stop the server, or wait for the restore.") from error
    finally:
        os.close(descriptor)


@contextmanager
def folder_shared(data_dir: Path) -> Iterator[None]:
    """Keep a restore away from the folder while an application has it; finish one that was begun.

    Whoever serves holds the lock in the same way already: those who share it do not mind each other.
    Errors: FootfallError, OSError.
    """
    make_folder(data_dir)
    if is_restore_begun(data_dir):
        with folder_in_use(data_dir, alone=True):  # several processes at it would lose files
            finish_restore(data_dir)
    with folder_in_use(data_dir, alone=False):
        yield


def is_restore_begun(data_dir: Path) -> bool:
    """Return whether there is a restore that `finish_restore` has to finish."""
    return (data_dir / RESTORE_READY).is_dir()


def restore(source: Path, data_dir: Path, *, force: bool) -> None:
    """Replace what a data folder holds by a backup. Errors: FootfallError, OSError.

    Whoever was erased in this folder stays erased: its tombstones are added to the backup's, and applied at the next
    start.
    """
    if is_of_restore(source, data_dir):
        raise FootfallError("no_backup", f"{source} is where a restore works.", "Rename the folder.")
    files = _checked_manifest(source)
    make_folder(data_dir)
    with folder_in_use(data_dir, alone=True):
        finish_restore(data_dir)
        used = [name for name in _OWNED if (data_dir / name).exists()]
        if used and not force:
            raise FootfallError("not_empty", f"{data_dir} holds {', '.join(used)}.", "--force replaces them for good.")
        partial = data_dir / RESTORE_PARTIAL
        try:
            _copy_files(source, partial, files)
            _check_files(partial, files)
            _check_versions(partial)
            merge_tombstones(partial / FILE_NAME, read_tombstones(data_dir / FILE_NAME))
            for folder in {path.parent for path in partial.rglob("*")}:
                sync_path(folder)
            partial.rename(data_dir / RESTORE_READY)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)  # the room that it takes may be what was missing
            raise
        sync_path(data_dir)
        finish_restore(data_dir)


def finish_restore(data_dir: Path) -> None:
    """Move the files of a restore that was begun to where they belong. Nothing to do nearly always. Errors: OSError.

    For whoever has the folder's lock. What a killed restore has left goes first: whole copies that no erasure reaches.
    """
    for name in (RESTORE_PARTIAL, RESTORE_DONE):
        _remove(data_dir / name)
    if not is_restore_begun(data_dir):
        return
    ready = data_dir / RESTORE_READY
    replaced = [log for name, logs in _LOGS_OF.items() if (ready / name).exists() for log in logs]
    for name in (*replaced, *_DERIVED):  # they belong to the files that go, or are made anew from those that come
        (data_dir / name).unlink(missing_ok=True)
    sync_path(data_dir)
    # a file before its log: as long as it is not moved, a log under its name is the old one's, and goes
    for path in sorted((each for each in ready.rglob("*") if each.is_file()), key=lambda each: each.name in _LOGS):
        target = data_dir / path.relative_to(ready)
        target.parent.mkdir(exist_ok=True, mode=FOLDER_MODE)
        path.replace(target)
        sync_path(target.parent)
    ready.rename(data_dir / RESTORE_DONE)
    sync_path(data_dir)
    _remove(data_dir / RESTORE_DONE)


def _remove(folder: Path) -> None:
    """Remove a folder, which several processes that start may do at once. Errors: OSError."""
    while folder.exists():
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)


def _copy_files(source: Path, folder: Path, names: Iterable[str]) -> None:
    for name in names:
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        shutil.copyfile(source / name, copy)
        copy.chmod(FILE_MODE)  # not the backup's, which may be read-only
        sync_path(copy)


def _check_versions(folder: Path) -> None:
    """Refuse what the next start would refuse, as long as the old files are there. Errors: FootfallError, OSError."""
    try:
        for name, known in ((QUEUE_FILE, QUEUE_VERSION), (OUTBOX_FILE, OUTBOX_VERSION)):
            if (folder / name).exists():
                check_version(folder / name, _sqlite_version(folder / name), known)
        if (folder / STORE_FILE).exists():
            check_file(folder / STORE_FILE)
    except (SchemaError, duckdb.Error) as error:
        message = f"The backup cannot be used by this version: {error}"
        raise FootfallError("unusable_backup", message, "The folder is as it was.") from error


def _sqlite_version(path: Path) -> int:
    """Return `pragma user_version`, read from the file's header (sqlite.org/fileformat2.html, 1.3)."""
    with path.open("rb") as file:
        return int.from_bytes(file.read(64)[60:], "big")


def _checked_manifest(source: Path) -> dict[str, Any]:
    try:
        files = orjson.loads((source / MANIFEST).read_bytes())["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FootfallError("no_backup", f"{source} is no whole backup: {error}.", "Name its folder.") from error
    if not isinstance(files, dict) or any(Path(name).is_absolute() or ".." in Path(name).parts for name in files):
        raise FootfallError("no_backup", f"{source} is no whole backup: its manifest is not ours.")
    _check_files(source, files)
    return files


def _check_files(folder: Path, files: dict[str, Any]) -> None:
    for name, facts in files.items():
        path = folder / name
        if not path.is_file() or sha256_of(path) != facts["sha256"]:
            raise FootfallError("damaged_backup", f"{path} is not as it was backed up.", "Take another backup.")
