"""Erased means: no byte of a planted canary in any file of the data folder, whatever held it, also through kills."""

import contextlib
import json
import random
import threading
import time
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

import pytest

from server.restoring import restore
from tests.promises.conftest import StartServer
from tests.promises.test_backup import footfall
from tests.real_server import RealServer, fetch
from tests.webhook_receiver import Receiver, Reply

HASTY = ("-m", "tests.promises.hasty_server")
ALLOW_LOOPBACK = {"FOOTFALL_WEBHOOK_PRIVATE": "127.0.0.0/8"}
CANARY = "canary-7f3a9"
VISITOR, OTHER_VISITOR, USER = f"{CANARY}-visitor", f"{CANARY}-tablet", f"{CANARY}-user"
OTHERS = 200
PATIENCE_S = 60.0

pytestmark = [pytest.mark.promise, pytest.mark.timeout(240)]


@pytest.fixture
def away() -> Iterator[Receiver]:
    """Return a target that is away, so that everything waits for it."""
    running = Receiver((Reply.BUSY,))
    yield running
    running.close()


@pytest.fixture
def refusing() -> Iterator[Receiver]:
    """Return a target that makes dead letters of everything."""
    running = Receiver((Reply.GONE,))
    yield running
    running.close()


def collect(server: RealServer, visitor_id: str, *events: object) -> int:
    body = json.dumps({"site": "default", "visitor_id": visitor_id, "events": events}).encode()
    return fetch(f"{server.base_url}/collect", body=body).status


def plant(server: RealServer, *receivers: Receiver) -> None:
    """Have a person in everything that a data folder holds, among others who stay."""
    for receiver in receivers:
        made = server.post("/api/webhooks", {"url": f"http://127.0.0.1:{receiver.port}/", "events": "*"})
        assert made.status == 201
    others = [{"id": f"other-{number}", "name": "Kept", "visitor_id": f"v{number}"} for number in range(OTHERS)]
    assert server.post("/api/events", others).json()["accepted"] == OTHERS
    page = {"url": f"https://shop.example/?utm_source={CANARY}", "title": CANARY, "referrer": ""}
    shared = {"session_id": f"{CANARY}-session", "page": page}
    operations = [{"op": "update_or_create", "key": "$email", "value": f"{CANARY}@shop.example"}]
    events = [
        {"id": f"{CANARY}-start", "name": "$session_start", "props": {}, **shared},
        {"id": f"{CANARY}-note", "name": "Noted", "props": {"note": CANARY}, **shared},
        {"id": f"{CANARY}-identify", "name": "$identify", "props": {"operations": operations}, **shared},
        {"id": f"{CANARY}-bad", "name": "", "props": {"note": CANARY}, **shared},
    ]
    assert collect(server, VISITOR, *events) == 200
    assert collect(server, OTHER_VISITOR, {"id": f"{CANARY}-tablet", "name": "Seen", "props": {}}) == 200
    assert (
        fetch(f"{server.base_url}/collect", body=json.dumps({"site": "nowhere", "user": USER}).encode()).status == 404
    )
    headers = {"authorization": f"Bearer {server.secret_key}", "idempotency-key": f"{CANARY}-key"}
    named = [
        {"name": "Paid", "visitor_id": VISITOR, "user_id": USER},
        {"id": f"{CANARY}-worse", "name": "", "user_id": USER},
        {"name": f"${CANARY}", "user_id": USER},
    ]
    answer = fetch(f"{server.base_url}/api/events", headers=headers, body=json.dumps(named).encode())
    assert CANARY.encode() in answer.body, "the answer that is kept names the person"
    server.wait_until_stored()
    merge = {"$from": OTHER_VISITOR, "$from_kind": "visitor", "$to": USER, "$to_kind": "user"}
    assert server.post("/api/events", {"name": "$user_merged", "props": merge}).json()["accepted"] == 1
    server.wait_until_stored()


def files_with_canary(folder: Path) -> set[str]:
    """Return which files hold the canary, in either encoding that a file may use."""
    forms = (CANARY.encode(), CANARY.encode("utf-16-le"))
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and any(form in path.read_bytes() for form in forms)
    }


def erase(server: RealServer) -> None:
    """Erase the person by one of their ids; the others are found."""
    headers = {"authorization": f"Bearer {server.secret_key}"}
    reply = fetch(f"{server.base_url}/api/users/{USER}", headers=headers, method="DELETE")
    assert reply.status == 200, reply.body


def ask_to_erase(server: RealServer, person: str) -> None:
    """Ask for it and expect no answer: the server is killed meanwhile."""
    headers = {"authorization": f"Bearer {server.secret_key}"}
    with contextlib.suppress(OSError, HTTPException):
        fetch(f"{server.base_url}/api/users/{person}", headers=headers, method="DELETE")


def wait_until_erased(folder: Path) -> None:
    """Return once nothing is left: after a kill, the next start finishes what was begun."""
    end = time.monotonic() + PATIENCE_S
    while (folder / "erasing").exists() or files_with_canary(folder):
        assert time.monotonic() < end, files_with_canary(folder)
        time.sleep(0.1)


def test_no_byte_is_left_in_any_file_and_everybody_else_stays(
    start: StartServer, data_dir: Path, tmp_path: Path, away: Receiver, refusing: Receiver
) -> None:
    server = start(command=HASTY, environment=ALLOW_LOOPBACK)
    plant(server, away, refusing)
    planted = {name.split("-")[0] for name in files_with_canary(data_dir)}
    assert {"queue.sqlite", "events.duckdb", "users.sqlite", "outbox.sqlite"} <= {
        name.removesuffix(".wal") for name in planted
    }
    copy = tmp_path / "copy"
    made = footfall("backup", str(copy), "--data-dir", str(data_dir), "--port", str(server.port))
    assert made.returncode == 0, made.stderr
    assert "outbox.sqlite" in files_with_canary(copy)

    erase(server)
    assert files_with_canary(data_dir) == set(), "while the server runs"
    assert len([each for each in server.stored_ids() if each.startswith("other-")]) == OTHERS
    for webhook in server.get("/api/webhooks").json()["webhooks"]:
        assert webhook["waiting"] + webhook["dead"] == OTHERS, "what is due of the others is due still"
    server.stop()
    assert files_with_canary(data_dir) == set(), "and after it has stopped"

    restore(copy, data_dir, force=True)
    assert files_with_canary(data_dir), "the backup is of before"
    server = start(command=HASTY, environment=ALLOW_LOOPBACK)
    wait_until_erased(data_dir)
    assert len([each for each in server.stored_ids() if each.startswith("other-")]) == OTHERS
    server.kill()
    assert files_with_canary(data_dir) == set()


def test_an_erasure_that_is_killed_is_finished_by_the_next_start(
    start: StartServer, data_dir: Path, away: Receiver, refusing: Receiver, source: random.Random
) -> None:
    server = start(command=HASTY, environment=ALLOW_LOOPBACK)
    plant(server, away, refusing)
    asking = threading.Thread(target=ask_to_erase, args=(server, USER), daemon=True)
    asking.start()
    time.sleep(source.uniform(0.01, 0.4))
    server.kill()
    asking.join()
    for _ in range(3):
        server = start(command=HASTY, environment=ALLOW_LOOPBACK)
        time.sleep(source.uniform(0.05, 0.5))
        server.kill()
    server = start(command=HASTY, environment=ALLOW_LOOPBACK)
    erase(server)  # a kill may have come before the first tombstone was on disk: then nobody was told that it is done
    wait_until_erased(data_dir)
    assert len([each for each in server.stored_ids() if each.startswith("other-")]) == OTHERS
