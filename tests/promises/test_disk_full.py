"""The queue cannot be written: 503 with Retry-After and never a 2xx, then on again without a restart.

The limit on the size of files, set from outside on the running process, makes every write fail as a full disk does.
"""

import contextlib
import gzip
import json
import os
import resource
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from tests.promises.conftest import StartServer
from tests.real_server import RealServer, Reply, fetch, start_server

PATIENCE_S = 30.0
LONG_ENOUGH_TO_LOOK_AGAIN_S = 1.5
TRIES = 5

pytestmark = [
    pytest.mark.promise,
    pytest.mark.skipif(sys.platform != "linux", reason="prlimit, which limits a running process, is Linux's"),
]


def test_answers_503_when_the_queue_cannot_be_written_and_recovers(start: StartServer) -> None:
    """Every way in refuses; what was refused is not stored and is accepted when it comes again."""
    server = start()
    ids = [str(uuid.uuid4()) for _ in range(3 * TRIES)]
    kept = [str(uuid.uuid4()) for _ in range(3)]
    assert _post_beacon(server, kept).status == 200

    _limit_files(server, 0)  # some of the kept events may still be on their way into the store
    answers = [_post_in_one_of_three_ways(server, number, each) for number, each in enumerate(ids)]
    time.sleep(LONG_ENOUGH_TO_LOOK_AGAIN_S)
    readiness = server.get("/health/ready")
    _limit_files(server, resource.RLIM_INFINITY)
    _wait_until_ready(server)  # by itself: an unready server may get no requests
    recovered = _post_beacon(server, ids)

    assert [answer.status for answer in answers] == [503] * len(ids)
    assert all(int(answer.header("retry-after") or 0) >= 1 for answer in answers)
    assert {answer.json()["error"]["code"] for answer in answers} == {"queue_unavailable"}
    assert (readiness.status, readiness.json()["checks"]["queue"] != "ok") == (503, True)
    assert recovered.json()["accepted"] == len(ids), "what was refused must not be known already"
    server.wait_until_stored(PATIENCE_S)
    assert sorted(server.stored_ids()) == sorted(kept + ids)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts file systems")
def test_a_real_disk_that_is_full_and_has_room_again(tmp_path: Path) -> None:
    """A small memory disk, filled to its last byte: all that was answered 200 is stored, and nothing else."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "none", str(disk)], check=False).returncode:  # noqa: S607
        pytest.skip("this machine mounts nothing")
    server = None
    try:
        server = start_server(disk / "data")
        acknowledged = [str(uuid.uuid4()) for _ in range(20)]
        assert _post_beacon(server, acknowledged).status == 200
        filler = disk / "filler"
        _fill(filler)
        refused = [_post_beacon(server, [str(uuid.uuid4())]) for _ in range(20)]
        refused_statuses = {answer.status for answer in refused[10:]}
        filler.unlink()
        _wait_until_ready(server)
        late = [str(uuid.uuid4())]
        assert _post_beacon(server, late).status == 200
        server.wait_until_stored(PATIENCE_S)
        stored = server.stored_ids()
    finally:
        if server is not None:
            server.kill()
        subprocess.run(["umount", "-l", str(disk)], check=False)  # noqa: S607
    assert refused_statuses == {503}
    assert all(answer.header("retry-after") for answer in refused if answer.status == 503)
    accepted_late = sum(answer.status == 200 for answer in refused)
    assert set(acknowledged + late) <= set(stored)
    assert len(stored) == len(set(stored)) == len(acknowledged) + accepted_late + 1


def _post_in_one_of_three_ways(server: RealServer, number: int, event_id: str) -> Reply:
    if number % 3 == 0:
        return server.post("/api/events", {"id": event_id, "name": "Refused"})
    return _post_beacon(server, [event_id], is_packed=number % 3 == 1)


def _post_beacon(server: RealServer, ids: list[str], *, is_packed: bool = False) -> Reply:
    events = [{"id": each, "name": "Refused"} for each in ids]
    body = json.dumps({"site": "default", "visitor_id": "v-1", "events": events}).encode()
    return fetch(f"{server.base_url}/collect", body=gzip.compress(body) if is_packed else body)


def _wait_until_ready(server: RealServer) -> None:
    end = time.monotonic() + PATIENCE_S
    while server.get("/health/ready").status != 200:
        assert time.monotonic() < end, f"does not recover; the log says:\n{server.log()}"
        time.sleep(0.1)


def _limit_files(server: RealServer, size_bytes: int) -> None:
    hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size_bytes, hard))


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (1024 * 1024, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * size):
                    pass
