"""Who has the data folder: servers share it with collectors, a restore has it alone, and one server writes and answers.

Two locks of the file system, which end with the process whatever ends it. `.lock` is restoring's; `.serving` is held by
the one server of the role `all` or `app`, and holds its process id for people. Called by serving and supervising.
"""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from server.errors import FootfallError, SettingsError
from server.restoring import finish_restore, folder_in_use, is_restore_begun
from server.settings import Settings
from server.storage.folder import make_folder

SERVING_FILE = ".serving"
PATIENCE_S = 60.0
_LOOK_S = 0.1

log = logging.getLogger("footfall")


@contextmanager
def hold_folder(settings: Settings, *, is_handed_over: bool = False) -> Iterator[None]:
    """Keep a restore and a second server away from the folder; finish a restore that was begun. Errors: SettingsError.

    Shape:  is_handed_over says that the sockets came from a predecessor or a service manager: a predecessor that is
            still stopping is waited for then, while connections wait in the backlog.
    """
    with ExitStack() as held:
        try:
            make_folder(settings.data_dir)
            if is_restore_begun(settings.data_dir):
                with folder_in_use(settings.data_dir, alone=True):  # several processes at it would lose files
                    finish_restore(settings.data_dir)
            held.enter_context(folder_in_use(settings.data_dir, alone=False))
            if settings.role != "collect":
                held.enter_context(_only_server(settings.data_dir, is_patient=is_handed_over))
        except (OSError, FootfallError) as error:
            raise SettingsError([f"FOOTFALL_DATA_DIR: {settings.data_dir} cannot be used: {error}"]) from error
        yield


@contextmanager
def _only_server(data_dir: Path, *, is_patient: bool) -> Iterator[None]:
    """Hold the lock of the server that writes and answers. Errors: OSError, SettingsError when another has it.

    One whose process is dead is waited for in any case: its children are stopping.
    """
    descriptor = os.open(data_dir / SERVING_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline_s = time.monotonic() + PATIENCE_S
        while not _has_locked(descriptor):
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            if not (is_patient or not _lives(holder)) or time.monotonic() > deadline_s:
                raise SettingsError([_sentence(data_dir, holder)])
            log.warning("waiting for the Footfall that still serves %s (PID %s) to stop", data_dir, holder)
            time.sleep(_LOOK_S)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        yield
    finally:
        os.close(descriptor)


def _has_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lives(holder: str) -> bool:
    """Return whether a process lives, as far as this one can see: an id of another container means nothing here."""
    try:
        os.kill(int(holder), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True


def _sentence(data_dir: Path, holder: str) -> str:
    return (
        f"another Footfall (PID {holder or 'unknown'}) serves {data_dir}: stop it, or name another folder (--data-dir);"
        " to receive with several, start the others with FOOTFALL_ROLE=collect"
    )
