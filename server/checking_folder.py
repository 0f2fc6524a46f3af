"""The doctor's look at the data folder: its disk, its keys, and who may read it. Called by doctor."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from server.errors import SettingsError
from server.findings import Finding
from server.settings import Settings, variable_of
from server.sites import DEFAULT_SITE
from server.storage.folder import OTHERS, loose_files, own_files
from server.web.keys import is_secret_set, key_file, password_file, read_key_file, site_keys

FSYNC_ROUNDS = 20
FSYNC_BYTES = 4096
SUSPICIOUS_FSYNC_S = 0.00002
SLOW_FSYNC_S = 0.02
LOW_DISK_BYTES = 1024**3


def check_folder(settings: Settings) -> Iterator[Finding]:
    """Yield whether everything can be kept and nobody else can read the keys."""
    folder = settings.data_dir
    try:
        if not folder.exists():
            yield _check_missing(folder)
            return
        probe = folder / f".doctor-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        yield Finding("problem", f"data folder {folder}: {error}", "Make it writable or set FOOTFALL_DATA_DIR.")
        return
    yield Finding("ok", f"data folder {folder.resolve()} can be written")
    if folder.stat().st_mode & OTHERS:
        advice = f"chmod 700 {folder}, unless you let a group in on purpose."
        yield Finding("note", "others can look into the data folder", advice)
    for path in own_files(folder):
        if not os.access(path, os.R_OK | os.W_OK):
            yield Finding(
                "problem",
                f"{path} cannot be written by this user",
                f"chown it to the server's user, and chmod 600 {path}.",
            )
    for path in loose_files(folder):
        yield Finding("problem", f"{path} can be read by others", f"chmod 600 {path}; the next start does it too.")


def _check_missing(folder: Path) -> Finding:
    """Return whether a folder that is not there yet can be made; it is not made here: its owner is the server."""
    parent = next(each for each in folder.resolve().parents if each.is_dir())
    if not os.access(parent, os.W_OK | os.X_OK):
        advice = "Make it writable or set FOOTFALL_DATA_DIR."
        return Finding("problem", f"data folder {folder} is not there, and {parent} cannot be written", advice)
    return Finding(
        "note", f"data folder {folder} is not there yet", "The first start makes it; or name it: --data-dir."
    )


def check_disk(settings: Settings) -> Iterator[Finding]:
    """Yield whether there is room."""
    folder = settings.data_dir.resolve()
    try:
        while not folder.exists():  # where it would be made
            folder = folder.parent
        free_bytes = shutil.disk_usage(folder).free
    except OSError as error:
        yield Finding("problem", f"the disk of {settings.data_dir}: {error}")
        return
    text = f"{free_bytes / 1024**3:.1f} GiB free"
    if free_bytes < LOW_DISK_BYTES:
        yield Finding("problem", text, "Free some space or set FOOTFALL_RETENTION_DAYS: a full disk refuses events.")
    else:
        yield Finding("ok", text)


def check_fsync(settings: Settings) -> Iterator[Finding]:
    """Yield how fast the disk keeps what it says it keeps, and whether that is believable."""
    if not settings.data_dir.is_dir():
        return
    try:
        duration_s = _fsync_s(settings.data_dir)
    except OSError as error:
        yield Finding("problem", f"fsync: {error}", "Events can be accepted only on a disk that takes them.")
        return
    text = f"fsync takes {duration_s * 1000:.3f} ms (median of {FSYNC_ROUNDS})"
    if duration_s < SUSPICIOUS_FSYNC_S:
        advice = "No disk is that fast: a memory file system, or a disk that lies. Power loss may lose events."
        yield Finding("note", text, advice)
    elif duration_s > SLOW_FSYNC_S:
        yield Finding("note", text, "Every answer waits for one: a faster disk makes faster answers.")
    else:
        yield Finding("ok", text)


def check_keys(settings: Settings) -> Iterator[Finding]:
    """Yield where each secret is, and which are missing or empty."""
    for name in ("secret_key", "auth_key"):
        for site in site_keys(settings):
            what = f"{name.replace('_', ' ')} of the site `{site}`"
            if is_secret_set(settings, site, name):
                where = variable_of(name) if site == DEFAULT_SITE else f"[sites.{site}]"
                yield Finding("ok", f"{what}: as set by {where} or the settings file")
            else:
                yield _check_key(key_file(settings, site, name), what)
    yield _check_key(settings.data_dir / "keys" / "cookie_key", "key of the dashboard's cookie")
    if settings.admin_password is None:
        yield _check_key(password_file(settings), "the password's hash")
    else:
        yield Finding("ok", f"the password: as set by {variable_of('admin_password')} or the settings file")


def _check_key(path: Path, what: str) -> Finding:
    try:
        read_key_file(path)
    except FileNotFoundError:
        return Finding("note", f"{what}: there is no {path}", "The next start makes it, unless it is set elsewhere.")
    except (OSError, ValueError) as error:
        return Finding("problem", f"{what}: {path} cannot be read: {error}", "Ask as the server's user.")
    except SettingsError as error:
        return Finding("problem", f"{what}: {error}", "Until then nothing starts.")
    return Finding("ok", f"{what}: in {path}")


def check_copies(settings: Settings) -> Iterator[Finding]:
    """Yield copies that changes of a format have left."""
    for copy in sorted(settings.data_dir.glob("*.before-v*")):
        size = f"{copy.stat().st_size / 1024**2:.0f} MiB"
        yield Finding("note", f"{copy.name} is there, {size}", "The file as it was: remove it when all is well.")


def _fsync_s(folder: Path) -> float:
    path = folder / f".doctor-{os.getpid()}"
    durations = []
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(FSYNC_ROUNDS):
                file.write(b"\0" * FSYNC_BYTES)
                start = time.perf_counter()
                os.fsync(file.fileno())
                durations.append(time.perf_counter() - start)
    finally:
        path.unlink(missing_ok=True)
    return median(durations)
