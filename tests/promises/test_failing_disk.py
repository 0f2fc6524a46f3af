"""The disk reports errors or turns read-only under load: 503, never a 2xx, no crash, and on again by itself.

What was answered 200, before or after, is stored once; questions are answered all the time.
"""

import errno
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.promises.clients import Target, finish_clients, start_clients
from tests.promises.conftest import StartServer
from tests.promises.failing_disk import NAMES, make_failing_disk, why_no_failing_disk
from tests.promises.figures import Trial, note
from tests.promises.killing import count_stored
from tests.real_server import RealServer

OUTAGES = 3
MANY_OUTAGES = 25
OUTAGE_S = 0.7
PATIENCE_S = 30.0

pytestmark = [
    pytest.mark.promise,
    pytest.mark.timeout(300),
    pytest.mark.skipif(why_no_failing_disk() is not None, reason=str(why_no_failing_disk())),
]


@pytest.mark.parametrize("outages", [OUTAGES, pytest.param(MANY_OUTAGES, marks=pytest.mark.long)])
@pytest.mark.parametrize("how", [errno.EIO, errno.EROFS], ids=["EIO", "EROFS"])
def test_a_disk_that_fails_loses_nothing_and_is_taken_up_again(
    start: StartServer, data_dir: Path, tmp_path: Path, source: random.Random, how: int, outages: int
) -> None:
    """Every other outage ends with a crash, so that what a failed sync left behind is read by the next process."""
    disk = make_failing_disk(tmp_path, data_dir)
    server = start(environment=disk.environment())
    target = Target(patience_s=0.5)
    target.move(server.port, server.secret_key)
    clients = start_clients(target, source, count=4)
    questions = []
    for number in range(outages):
        time.sleep(source.uniform(0.2, 0.6))
        disk.break_down(how)
        time.sleep(OUTAGE_S)
        acknowledged = sum(len(client.journal.acknowledged) for client in clients)
        questions.append(server.get("/api/events/names").status)
        readiness = server.get("/health/ready")
        assert (readiness.status, readiness.json()["checks"]["queue"] != "ok") == (503, True), readiness.body
        assert sum(len(client.journal.acknowledged) for client in clients) == acknowledged, "a 2xx without a disk"
        if number % 2:
            server.kill()
        disk.mend()
        if number % 2:
            server = start(environment=disk.environment())
            target.move(server.port, server.secret_key)
        _wait_until_ready(server)
    journal = finish_clients(clients)
    stored = count_stored(server)
    wrong = sum(count > 1 for count in stored.values()) + len(journal.sent - stored.keys())
    note(Trial(f"{NAMES[how]}, {outages} times: an event lost or stored twice", "events", len(journal.sent), wrong))

    assert journal.oddities == []
    assert stored == Counter(journal.sent)
    assert journal.refusals > 0
    assert questions == [200] * outages


def test_a_data_folder_that_cannot_be_written_is_said_at_the_start(
    start: StartServer, data_dir: Path, tmp_path: Path
) -> None:
    disk = make_failing_disk(tmp_path, data_dir)
    start(environment=disk.environment()).stop()
    disk.break_down(errno.EROFS)
    with pytest.raises(RuntimeError, match=r"(?s)cannot start.*FOOTFALL_DATA_DIR.*Read-only|readonly"):
        start(environment=disk.environment())
    disk.mend()
    assert start(environment=disk.environment()).stop() == 0


def _wait_until_ready(server: RealServer) -> None:
    end = time.monotonic() + PATIENCE_S
    while server.get("/health/ready").status != 200:
        assert time.monotonic() < end, f"does not recover: {server.get('/health/ready').body!r}\n{server.log()[-3000:]}"
        time.sleep(0.1)
