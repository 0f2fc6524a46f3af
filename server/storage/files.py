"""Copies of files that are open in this process, and digests of files. Called by the store, backup and restore."""

import hashlib
import subprocess
import sys
from pathlib import Path

_COPY = "import shutil, sys; shutil.copyfile(sys.argv[1], sys.argv[2])"
CHUNK_BYTES = 1024 * 1024


def copy_file(source: Path, target: Path) -> None:
    """Copy a file that this process may have open. Errors: OSError.

    In a process of its own: POSIX gives up all locks of a process on a file when it closes any descriptor of it, and
    the engine's lock is what keeps other processes out (fcntl(2), "Advisory record locking").
    """
    done = subprocess.run(  # noqa: S603 - this interpreter, our own text
        [sys.executable, "-I", "-c", _COPY, str(source), str(target)], capture_output=True, check=False
    )
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise OSError(f"{source} cannot be copied to {target}: {' '.join(reason)}")


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal digits. Errors: OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
