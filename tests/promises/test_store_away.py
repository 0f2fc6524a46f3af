"""The store is away for a while: receiving goes on, readiness tells, nothing is lost and nothing is doubled."""

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.promises.clients import Target, finish_clients, start_clients
from tests.promises.conftest import StartServer
from tests.promises.faulty_server import STORE_AWAY
from tests.promises.killing import count_stored
from tests.real_server import RealServer

LOAD_S = 1.0
PATIENCE_S = 30.0
COMMAND = ("-m", "tests.promises.faulty_server")

pytestmark = pytest.mark.promise


def test_nothing_is_lost_or_doubled_when_the_store_is_away(
    start: StartServer, data_dir: Path, source: random.Random
) -> None:
    """All through the outage, and through a crash in the middle of it, every request is answered 200."""
    server = start(command=COMMAND)
    target = Target()
    target.move(server.port, server.secret_key)
    clients = start_clients(target, source, count=4)
    _wait_until(lambda: server.metric("footfall_events_stored_total") > 0, server)

    (data_dir / STORE_AWAY).touch()
    _wait_until(lambda: _readiness(server) == (503, True), server)
    time.sleep(LOAD_S)
    server.kill()
    server = start(command=COMMAND)
    target.move(server.port, server.secret_key)
    _wait_until(lambda: _readiness(server) == (503, True), server)
    time.sleep(LOAD_S)
    waiting = server.metric("footfall_queue_waiting")
    (data_dir / STORE_AWAY).unlink()
    _wait_until(lambda: _readiness(server) == (200, False), server)

    journal = finish_clients(clients)
    assert waiting > 0
    assert (journal.refusals, journal.oddities) == (0, [])
    assert count_stored(server) == Counter(journal.sent)


def _readiness(server: RealServer) -> tuple[int, bool]:
    """Return (status, whether it names the store as the reason)."""
    answer = server.get("/health/ready")
    return answer.status, answer.json()["checks"]["store"] != "ok"


def _wait_until(is_so: Callable[[], bool], server: RealServer) -> None:
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end, f"waited in vain; the log says:\n{server.log()}"
        time.sleep(0.02)
