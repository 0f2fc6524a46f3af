"""The Unix socket between processes of one server, in a temporary folder that does not outlive it.

A temporary one, because a socket's path has at most 107 characters, and not every file system of a data folder has
sockets. Who is killed leaves the folder behind; the next that starts removes it. Whether somebody still listens in one
is asked of the socket itself, which is right whatever became of process ids, locks and data folders; it has the name
under which it was bound, by which the system's own cleaning of old temporary files tells that it is in use. Called by
supervising.
"""

import fcntl
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
            with _holding(folder, fcntl.LOCK_EX):  # until it listens others would take it for forsaken
                inner.bind(str(path))
                inner.listen(backlog)
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
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                continue
            with _holding(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
                if _is_forsaken(folder / _SOCKET):
                    remove_socket(folder / _SOCKET)


@contextmanager
def _holding(folder: Path, lock: int) -> Iterator[None]:
    """Hold a folder's lock. Errors: OSError without a folder, and where another process has a lock not waited for."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, lock)
        yield
    finally:
        os.close(descriptor)


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
