"""Parquet exports on their way out: files of the data folder, which live only while they are written.

A kill in that time leaves one, with everybody's events in it: it goes when the store is opened, and with an erasure.
"""

from pathlib import Path
from uuid import uuid4

_NAMES = "export-*.parquet"


def export_name() -> str:
    """Return the name of a new export."""
    return _NAMES.replace("*", str(uuid4()))


def remove_exports(data_dir: Path) -> None:
    """Remove all of them, those that are being written as well. Errors: OSError."""
    for path in data_dir.glob(_NAMES):
        path.unlink(missing_ok=True)
