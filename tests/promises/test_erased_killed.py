"""Killed wherever erasing has changed a file: the next start leaves no byte of the erased, and all others.

The kills are SIGKILLs of a process that erases. What waited in the queue meanwhile is of the erased and of others.
"""

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from server.app import close_parts, create_parts
from server.ingest.erasure import MARKER
from server.storage.tombstones import FILE_NAME, read_tombstones
from server.web.parts import Parts
from tests.factories import SECRET_KEY, make_settings
from tests.promises.conftest import StartServer
from tests.promises.dying_eraser import KEPT, session_batch
from tests.promises.figures import Trial, note
from tests.promises.test_erased import (
    ALLOW_LOOPBACK,
    HASTY,
    OTHER_VISITOR,
    OTHERS,
    PATIENCE_S,
    USER,
    VISITOR,
    files_with_canary,
    plant,
)
from tests.real_server import ROOT, fetch
from tests.webhook_receiver import Receiver, Reply

KILLS = 8
SHARES = pytest.mark.parametrize("kills", [KILLS, pytest.param(None, marks=pytest.mark.long)])
ENOUGH_PLACES = 20

pytestmark = [pytest.mark.promise, pytest.mark.timeout(600)]


def plant_others(server: Any) -> None:
    """Have others in the places where the erased person is."""
    batch = json.dumps(session_batch("v1", "other-session")).encode()
    assert fetch(f"{server.base_url}/collect", body=batch).status == 200
    bad = {"site": "default", "visitor_id": "v1", "events": [{"id": "other-bad", "name": "", "props": {}}]}
    assert fetch(f"{server.base_url}/collect", body=json.dumps(bad).encode()).status == 200
    assert server.post("/api/users/v-user/properties", {"properties": {"$email": "v@shop.example"}}).status == 200
    server.wait_until_stored()
    server.wait_until_stored()  # of what follows from them, too


Erase = Callable[[Path, str | None], tuple[int, list[str]]]


@pytest.fixture
def erase() -> Iterator[Erase]:
    """Return a function that has somebody erased, to a place or to the end, and returns exit status and places."""
    arguments = [sys.executable, "-m", "tests.promises.dying_eraser"]
    with subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def ask(data_dir: Path, place: str | None) -> tuple[int, list[str]]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps([str(data_dir), place]) + "\n")
            process.stdin.flush()
            status, places = json.loads(process.stdout.readline())
            return status, places

        yield ask


def finish(parts: Parts, data_dir: Path) -> None:
    """Have the next life of the server do what is left."""
    assert parts.writer is not None
    if not read_tombstones(data_dir / FILE_NAME):  # nobody was told that it is done, and nothing of it was
        ids = [("visitor", VISITOR), ("visitor", OTHER_VISITOR), ("user", USER)]
        parts.writer.erase("default", ids)  # type: ignore[arg-type]
    end = time.monotonic() + PATIENCE_S
    while (data_dir / MARKER).exists() or parts.queue.counts().waiting:  # what follows from what waited comes later
        assert time.monotonic() < end, "the erasure is never finished"
        time.sleep(0.02)
    assert parts.writer.wait_until_idle(PATIENCE_S)


def everything_of_others(data_dir: Path, parts: Parts) -> dict[str, Any]:
    """Return what is kept of anybody, in a form in which two folders can be compared."""
    assert parts.store is not None
    events = parts.store.query("select case when name = '$email_changed' then name else id end from events", {})
    found: dict[str, Any] = {"stored": Counter(each for (each,) in events)}
    for file, sql in {
        "queue": "select site, session_id from session_origins",
        "rejected": "select event_id, code from rejected",
        "users": "select kind, id, person_kind, person_id from nodes",
        "properties": "select id, properties from people",
        "outbox": "select subscription, event_id from deliveries",
    }.items():
        name = {"rejected": "queue", "properties": "users"}.get(file, file)
        with closing(sqlite3.connect(data_dir / f"{name}.sqlite")) as database:
            found[file] = Counter(database.execute(sql).fetchall())
    counts = parts.queue.counts()
    found["accounts"] = (counts.waiting, counts.accepted - counts.stored)
    return found


@pytest.fixture
def planted(start: StartServer, data_dir: Path) -> Path:
    """Return a data folder that holds the person, among others, in everything; nobody uses it."""
    receivers = [Receiver((Reply.BUSY,)), Receiver((Reply.GONE,))]
    server = start(command=HASTY, environment={**ALLOW_LOOPBACK, "FOOTFALL_SECRET_KEY": SECRET_KEY})
    (data_dir / "keys" / "secret_key").write_text(SECRET_KEY)  # for the tests' client alone
    plant(server, *receivers)
    plant_others(server)
    server.stop()
    for receiver in receivers:
        receiver.close()
    return data_dir


@SHARES
def test_killed_wherever_erasing_has_changed_a_file(
    planted: Path, tmp_path: Path, source: random.Random, erase: Erase, kills: int | None
) -> None:
    whole = shutil.copytree(planted, tmp_path / "whole")
    status, places = erase(whole, None)
    assert status == 0
    assert files_with_canary(whole) == set()
    expected = reopened(whole)
    assert expected["stored"][KEPT] == 1
    assert expected["stored"]["$email_changed"] == len(["v1", "v-user", "somebody"])
    assert len([each for each in expected["stored"] if each.startswith("other-")]) == OTHERS + 2
    assert expected["queue"].total() == 2, "two sessions of others"
    assert expected["rejected"].total() > 0
    assert expected["outbox"].total() > 0
    assert len(places) > ENOUGH_PLACES
    hits, wrong = 0, []
    for place in places if kills is None else source.sample(places, kills):
        folder = shutil.copytree(planted, tmp_path / "killed")
        status, _ = erase(folder, place)
        hits += status == -signal.SIGKILL
        found = reopened(folder)
        if files_with_canary(folder) or found != expected:
            wrong.append((place, files_with_canary(folder), differences(found, expected)))
        shutil.rmtree(folder)
    note(Trial("killed while somebody is erased: a byte of them left, or something lost", "kills", hits, len(wrong)))
    assert wrong == []
    assert hits > 0.7 * (kills or len(places)), "the places were come by"


def reopened(folder: Path) -> dict[str, Any]:
    """Return what a folder holds once a server has been started on it."""
    parts = create_parts(make_settings(folder))
    try:
        finish(parts, folder)
        return everything_of_others(folder, parts)
    finally:
        close_parts(parts)


def differences(found: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """Return what is told by a failure."""
    return {name: (found[name], expected[name]) for name in expected if found[name] != expected[name]}
