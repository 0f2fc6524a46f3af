"""Killed in the middle of rarer work: a change of format, the removal of old events, a backup.

Kills are aimed: the work is waited for, by the files that it makes, and hit a random moment later.
"""

import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import orjson
import pytest

from server.events.model import COLUMNS
from server.ingest import queue_schema
from server.storage.migrations import copy_name
from tests.promises.conftest import StartServer
from tests.promises.figures import Trial, note
from tests.real_server import ROOT, SERVE, RealServer, start_server

KILLS = 4
MANY_KILLS = 30
AIM_TIMEOUT_S = 10.0
LONGEST_WORK_S = 0.15
OLD_EVENTS = 20_000
TIMES = pytest.mark.parametrize("kills", [KILLS, pytest.param(MANY_KILLS, marks=pytest.mark.long)])

pytestmark = [pytest.mark.promise, pytest.mark.timeout(600)]


def kill_at_work(
    command: tuple[str, ...], is_at_work: Callable[[], bool], source: random.Random, environment: dict[str, str]
) -> bool:
    """Run a command and kill it at its work; return whether it was still at it."""
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + AIM_TIMEOUT_S
    while not is_at_work() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.0005)
    time.sleep(source.uniform(0, LONGEST_WORK_S))
    was_running = process.poll() is None
    process.kill()
    process.wait()
    return was_running


def environment_of(data_dir: Path, **settings: str) -> dict[str, str]:
    return {"FOOTFALL_DATA_DIR": str(data_dir), "FOOTFALL_PORT": "0", "PATH": "/usr/bin:/bin", **settings}


def make_old_queue(path: Path) -> list[str]:
    """Make a queue file of format 1 with events that wait; return their ids."""
    ids = [f"old-{number}" for number in range(OLD_EVENTS)]
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    blank = dict.fromkeys(COLUMNS) | {"site": "default", "name": "Old", "time": now_ms, "received_at": now_ms}
    events = [orjson.dumps(blank | {"id": each, "props": {"text": "x" * 300}}) for each in ids]
    with closing(sqlite3.connect(path)) as database:
        database.execute("pragma journal_mode = wal")
        database.executescript(queue_schema.STEPS[0])
        database.execute("pragma user_version = 1")
        database.execute("insert into meta values ('queue_id', 'the-old-one')")
        database.executemany("insert into waiting (event) values (?)", [(event,) for event in events])
        database.executemany("insert into ids values ('default', ?, ?)", [(each, now_ms // 86_400_000) for each in ids])
        database.commit()
    return ids


@TIMES
def test_killed_while_the_queues_format_is_changed(
    start: StartServer, data_dir: Path, source: random.Random, kills: int
) -> None:
    path = data_dir / "queue.sqlite"
    copy = copy_name(path, queue_schema.VERSION)
    half = copy.with_name(copy.name + ".partial")
    hits = 0
    for number in range(kills):
        if number % 3 == 0:  # each start goes on with the change; after three it is begun anew
            shutil.rmtree(data_dir, ignore_errors=True)
            data_dir.mkdir()
            ids = make_old_queue(path)
        aim = Path.exists if not copy.exists() else lambda _: True
        hits += kill_at_work(SERVE, partial(aim, half), source, environment_of(data_dir))
    server = start()
    server.wait_until_stored(60)
    stored = Counter(server.stored_ids())
    with closing(sqlite3.connect(copy)) as database:
        kept = database.execute("select count(*) from waiting").fetchone()[0]
        version = database.execute("pragma user_version").fetchone()[0]
    wrong = len(set(ids) ^ stored.keys()) + sum(count > 1 for count in stored.values())
    note(Trial("killed while the format of the queue is changed: an event lost or doubled", "kills", hits, wrong > 0))

    assert hits > 0
    assert stored == Counter(ids)
    assert (kept, version) == (OLD_EVENTS, 1), "the copy is the whole file as it was"


@TIMES
def test_killed_while_old_events_are_removed(
    start: StartServer, data_dir: Path, source: random.Random, kills: int
) -> None:
    server = start()
    young = [f"young-{number}" for number in range(1000)]
    long_ago = (datetime.now(UTC) - timedelta(days=100)).isoformat()
    send(server, [{"id": each, "name": "Young"} for each in young])
    send(server, [{"id": f"old-{number}", "name": "Old", "time": long_ago} for number in range(OLD_EVENTS)])
    server.wait_until_stored(60)
    server.stop()
    log = data_dir / "events.duckdb.wal"
    environment = environment_of(data_dir, FOOTFALL_RETENTION_DAYS="30")
    hits = sum(kill_at_work(SERVE, log.exists, source, environment) for _ in range(kills))
    server = start(environment={"FOOTFALL_RETENTION_DAYS": "30"})
    end = time.monotonic() + AIM_TIMEOUT_S
    while server.get("/api/events?name=Old&limit=1").json()["events"] and time.monotonic() < end:
        time.sleep(0.1)
    stored = Counter(server.stored_ids())
    wrong = stored != Counter(young)
    note(Trial("killed while old events are removed: a young one lost or doubled", "kills", hits, wrong))

    assert hits > 0
    assert stored == Counter(young)


@TIMES
def test_killed_while_a_backup_is_made(
    start: StartServer, data_dir: Path, tmp_path: Path, source: random.Random, kills: int
) -> None:
    """Kills the server, which makes it, or the command that asks for it; the next backup is whole."""
    server = start()
    ids = [f"kept-{number}" for number in range(5_000)]
    send(server, [{"id": each, "name": "Kept"} for each in ids])
    server.wait_until_stored(60)
    hits = 0
    for number in range(kills):
        copy = tmp_path / f"copy-{number}"
        is_half = partial(has_half, copy)
        if number % 2:
            hits += kill_at_work(backup_command(server, copy), is_half, source, environment_of(data_dir))
            while is_half():  # the server, which lives, ends what it was asked for; there is one at a time
                time.sleep(0.01)
        else:
            with subprocess.Popen([sys.executable, *backup_command(server, copy)], cwd=ROOT) as asking:
                while not is_half() and asking.poll() is None:
                    time.sleep(0.001)
                time.sleep(source.uniform(0, LONGEST_WORK_S))
                hits += not copy.exists()
                server.kill()
            server = start()
    command = [sys.executable, *backup_command(server, tmp_path / "copy-last")]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    server.stop()
    assert made.returncode == 0, made.stderr
    whole = [folder for folder in tmp_path.glob("copy-*") if folder.suffix != ".partial"]
    wrong = sum(restored_ids(folder) != Counter(ids) for folder in whole)
    note(Trial("killed while a backup is made: a finished backup that is not whole", "kills", hits, wrong))

    assert hits > 0
    assert wrong == 0


def has_half(backup: Path) -> bool:
    """Return whether a backup has been begun and is not whole."""
    return any(backup.parent.glob(f"{backup.name}.*.partial"))


def backup_command(server: RealServer, target: Path) -> tuple[str, ...]:
    folder, port = str(server.data_dir), str(server.port)
    return ("-m", "server", "backup", str(target), "--data-dir", folder, "--port", port)


def restored_ids(backup: Path) -> Counter[str]:
    """Return what is in a backup, as often as it is there."""
    folder = backup.with_name(f"restored-{backup.name}")
    command = [sys.executable, "-m", "server", "restore", str(backup), "--data-dir", str(folder)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    server = start_server(folder)
    found = Counter(server.stored_ids())
    server.stop()
    return found


def send(server: RealServer, events: list[dict[str, str]]) -> None:
    for begin in range(0, len(events), 1000):
        assert server.post("/api/events", events[begin : begin + 1000]).json()["accepted"] == 1000
