"""What both embedded files share when their format changes: a version, steps, and a copy of the file as it was.

A file of an older version is copied first, then changed in one transaction together with its version number: killed at
any moment, it is of the old version or of the new one, and the copy is whole or not there (it gets its name last).
A file of a newer version is refused; it is not touched.
"""

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

SPARE_BYTES = 16 * 1024 * 1024


class SchemaError(Exception):
    """A file cannot be brought to this version's format. Shape: the text says why and what to do."""


def check_version(path: Path, found: int, known: int) -> None:
    """Refuse a file from the future. Errors: SchemaError."""
    if found > known:
        raise SchemaError(
            f"{path.name} has format {found}; this version of Footfall knows formats up to {known}."
            " Install the newer version again, or restore a backup that this one made."
        )


def copy_name(path: Path, version: int) -> Path:
    """Return where the copy of a file of an older version is kept."""
    return path.with_name(f"{path.name}.before-v{version}")


def keep_copy(path: Path, version: int, size_bytes: int, write: Callable[[Path], None]) -> Path:
    """Return a whole copy of the file, made before it is changed to the given version.

    Shape:  write makes the copy at the path that it is given.
    Errors: SchemaError without enough room for the copy and as much again for the change; OSError.
    """
    copy = copy_name(path, version)
    if copy.exists() and _changed_ns(copy) >= _changed_ns(path):  # an earlier try was killed after it
        return copy
    free_bytes = shutil.disk_usage(path.parent).free
    needed_bytes = 2 * size_bytes + SPARE_BYTES
    if free_bytes < needed_bytes:
        raise SchemaError(
            f"{path.name} has to be changed to format {version}, for which a copy is kept: {needed_bytes} bytes"
            f" are needed, {free_bytes} are free. Free some space and start again."
        )
    partial = copy.with_name(copy.name + ".partial")
    partial.unlink(missing_ok=True)
    write(partial)
    sync_path(partial)
    partial.replace(copy)
    sync_path(copy.parent)
    return copy


def _changed_ns(path: Path) -> int:
    """Return when a file or its log was last changed. Units: nanoseconds since the epoch."""
    files = (path.with_name(path.name + suffix) for suffix in ("", "-wal", ".wal"))
    return max(each.stat().st_mtime_ns for each in files if each.exists())


def sync_path(path: Path) -> None:
    """Have a file, or the names in a folder, written to the disk. Errors: OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def size_of(*paths: Path) -> int:
    """Return how many bytes these files take; a missing one takes none."""
    total = 0
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total
