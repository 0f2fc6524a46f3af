"""The Unix socket between processes of one server, in a temporary folder that does not outlive it.

A temporary one, because a socket's path has at most 107 characters, and not every file system of a data folder has
sockets. Who is killed leaves the folder behind; the next that starts removes it. Whether somebody still listens in one
is asked of the socket itself, which is right whatever became of process ids, locks and data folders. Called by
supervising.
"""

import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "footfall-"
_SOCKET = "app"


@contextmanager
def listen_inside(backlog: int) -> Iterator[tuple[socket.socket, Path]]:
    """Have a socket that listens, and its path; what the dead left of theirs is removed first. Errors: OSError."""
    _remove_forsaken()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    path = folder / _SOCKET
    try:
        with socket.socket(socket.AF_UNIX) as inner:
            unnamed = folder / "new"  # one that has its name listens: others would take it for forsaken
            inner.bind(str(unnamed))
            inner.listen(backlog)
            unnamed.rename(path)
            yield inner, path
    finally:
        remove_socket(path)


def remove_socket(path: Path) -> None:
    """Remove a socket and its folder, as far as they are there."""
    with suppress(OSError):
        path.unlink(missing_ok=True)
        path.parent.rmdir()


def _remove_forsaken() -> None:
    """Remove this user's folders in whose sockets nobody listens."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and _is_forsaken(folder / _SOCKET):
                remove_socket(folder / _SOCKET)


def _is_forsaken(path: Path) -> bool:
    """Return whether a socket's listener is dead. Errors: OSError where there is no socket, or a full one."""
    if not stat.S_ISSOCK(path.lstat().st_mode):
        return False
    with socket.socket(socket.AF_UNIX) as asking:
        asking.setblocking(False)
        try:
            asking.connect(str(path))
        except ConnectionRefusedError:
            return True
    return False
