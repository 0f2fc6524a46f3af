"""Which files and folders are on the disk: a kill loses nothing of what was not synced, only a power cut does."""

import os
from pathlib import Path

_fsync = os.fsync


class Syncs:
    """Stands in for `os.fsync`, does it, and knows what was not written again since."""

    def __init__(self) -> None:
        self._synced: set[tuple[int, int, int]] = set()

    def __call__(self, descriptor: int) -> None:
        """Sync and note in what state."""
        state = _state_of(os.fstat(descriptor))
        _fsync(descriptor)
        self._synced.add(state)

    def missing(self, *paths: Path) -> list[str]:
        """Return which of these, and of what is in them, a power cut could take."""
        every = [each for path in paths for each in (path, *path.rglob("*"))]
        return [str(each) for each in every if _state_of(each.stat()) not in self._synced]

    def has(self, path: Path) -> bool:
        """Return whether a file, or the names in a folder, are on the disk."""
        return _state_of(path.stat()) in self._synced


def _state_of(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns
