"""Who may read the data folder: its owner alone. It holds personal data, webhooks' secrets and keys.

A folder that is made here is 0700. One that was there is its maker's: a group may have been let in on purpose, so its
mode stays and `footfall doctor` tells of it; the files in it are ours and are made 0600. Called by app, serving,
restoring and doctor.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER_MODE = 0o700
RESTORE_PARTIAL, RESTORE_READY, RESTORE_DONE = ".restore.partial", ".restore", ".restore.done"
"""Folders in the data folder that a restore works in: what is found under these names is taken for its own."""
OTHERS = 0o077  # the bits of everybody but the owner
_OWN_FILES = (
    "queue.sqlite*",
    "outbox.sqlite*",
    "users.sqlite*",
    "events.duckdb*",
    "events.incoming",
    "export-*.parquet",
    "eras*",
    "keys/*",
)


@contextmanager
def private_files() -> Iterator[None]:
    """Have all files that this process makes readable by its user only. For commands alone: a host has its own."""
    before = os.umask(OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def make_folder(data_dir: Path) -> None:
    """Make the data folder where it is missing, for its owner only. Errors: OSError."""
    if not data_dir.is_dir():
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        data_dir.mkdir(exist_ok=True, mode=FOLDER_MODE)


def is_of_restore(path: Path, data_dir: Path) -> bool:
    """Return whether a path is, or is in, one of the folders that a restore works in."""
    own = [data_dir.resolve() / name for name in (RESTORE_PARTIAL, RESTORE_READY, RESTORE_DONE)]
    resolved = path.resolve()
    return any(each in (resolved, *resolved.parents) for each in own)


def own_files(data_dir: Path) -> Iterator[Path]:
    """Yield the files of Footfall."""
    for pattern in _OWN_FILES:
        for path in sorted(data_dir.glob(pattern)):
            with suppress(FileNotFoundError):  # logs come and go
                if stat.S_ISREG(path.lstat().st_mode):
                    yield path


def loose_files(data_dir: Path) -> Iterator[Path]:
    """Yield the files of Footfall that others than their owner may read or write."""
    for path in own_files(data_dir):
        with suppress(FileNotFoundError):  # as above
            if path.lstat().st_mode & OTHERS:
                yield path


def tighten_files(data_dir: Path) -> None:
    """Make Footfall's files readable by their owner only, as far as they are this user's."""
    for path in loose_files(data_dir):
        with suppress(FileNotFoundError, PermissionError):  # another user's: doctor tells of it
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~OTHERS)
