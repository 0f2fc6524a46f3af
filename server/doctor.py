"""`footfall doctor`: looks at everything that goes wrong in practice and says what to do about it."""

import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

from server.enrich.geo import Geo
from server.settings import Settings

Level = Literal["ok", "note", "problem"]
FSYNC_ROUNDS = 20
FSYNC_BYTES = 4096
SUSPICIOUS_FSYNC_S = 0.00002
SLOW_FSYNC_S = 0.02
LOW_DISK_BYTES = 1024**3
TIMEOUT_S = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. Shape: advice says what to do, empty where nothing is to be done."""

    level: Level
    text: str
    advice: str = ""


def examine(settings: Settings) -> int:
    """Print all findings; return 1 when there is a problem, else 0."""
    has_problem = False
    for check in _CHECKS:
        for finding in check(settings):
            mark = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}[finding.level]
            sys.stdout.write(f"{mark}  {finding.text}\n")
            if finding.advice:
                sys.stdout.write(f"         -> {finding.advice}\n")
            has_problem = has_problem or finding.level == "problem"
    return 1 if has_problem else 0


def check_folder(settings: Settings) -> Iterator[Finding]:
    """Yield whether everything can be kept and nobody else can read the keys."""
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".doctor-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        yield Finding("problem", f"data folder {folder}: {error}", "Make it writable or set FOOTFALL_DATA_DIR.")
        return
    yield Finding("ok", f"data folder {folder.resolve()} can be written")
    for key in sorted((folder / "keys").glob("*")):
        if key.stat().st_mode & 0o077:
            yield Finding("problem", f"{key} can be read by others", f"chmod 600 {key}")


def check_disk(settings: Settings) -> Iterator[Finding]:
    """Yield whether there is room."""
    folder = settings.data_dir if settings.data_dir.exists() else Path()
    free_bytes = shutil.disk_usage(folder).free
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


def check_geo(settings: Settings) -> Iterator[Finding]:
    """Yield which file says where visitors are."""
    geo = Geo(settings.geoip)
    yield Finding("ok", f"places: {geo.describe()}")
    geo.close()


def check_proxies(settings: Settings) -> Iterator[Finding]:
    """Yield whose word on addresses is believed."""
    trusted = ", ".join(str(network) for network in settings.trusted_proxies)
    if trusted:
        yield Finding("ok", f"X-Forwarded-For is believed from {trusted}")
    else:
        advice = "Behind a reverse proxy set FOOTFALL_TRUSTED_PROXIES to its address, else every visitor has it."
        yield Finding("note", "no proxy is trusted: the peer's address counts", advice)


def check_listening(settings: Settings) -> Iterator[Finding]:
    """Yield whether the server is there, ready, and serves the tracker."""
    base_url = f"http://{settings.host}:{settings.port}"
    for path, what in (("/health/ready", "the server is ready"), (settings.script_path, "the tracker is served")):
        try:
            with urllib.request.urlopen(base_url + path, timeout=TIMEOUT_S):  # noqa: S310 - http, our own address
                yield Finding("ok", f"{what}: {base_url}{path}")
        except urllib.error.HTTPError as error:
            with error:
                yield Finding("problem", f"{base_url}{path} answers {error.code}", error.read(300).decode("latin-1"))
        except OSError as error:
            yield Finding("note", f"{base_url}{path}: {error}", "Start it with `footfall serve`.")


def _fsync_s(folder: Path) -> float:
    path = folder / f".doctor-{os.getpid()}"
    durations = []
    with path.open("wb", buffering=0) as file:
        for _ in range(FSYNC_ROUNDS):
            file.write(b"\0" * FSYNC_BYTES)
            start = time.perf_counter()
            os.fsync(file.fileno())
            durations.append(time.perf_counter() - start)
    path.unlink()
    return median(durations)


_CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    check_folder,
    check_disk,
    check_fsync,
    check_geo,
    check_proxies,
    check_listening,
)
