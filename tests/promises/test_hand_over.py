"""Restarts under load fail no request: the listening socket outlives the process, connections end with an answer.

Both ways to keep it: the process's own (SIGUSR2, same process id), and a service manager's that passes it in.
"""

import contextlib
import random
import signal
import socket
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.promises.clients import Target, finish_clients, start_clients
from tests.promises.conftest import StartServer
from tests.promises.figures import Trial, note
from tests.promises.killing import count_stored
from tests.promises.raw_client import RawClient, request_of
from tests.real_server import SERVE, RealServer, fetch

RESTARTS = 3
MANY_RESTARTS = 20
LIFE_S = 0.5
PATIENCE_S = 20.0
TIMES = pytest.mark.parametrize("restarts", [RESTARTS, pytest.param(MANY_RESTARTS, marks=pytest.mark.long)])
PASS_ON = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(sys.argv[2], sys.argv[2:])
"""

pytestmark = [pytest.mark.promise, pytest.mark.timeout(300)]


@TIMES
def test_a_server_told_to_restart_fails_no_request(start: StartServer, source: random.Random, restarts: int) -> None:
    server = start()
    target = Target()
    target.move(server.port, server.secret_key)
    clients = start_clients(target, source, count=6)
    lives = 1
    for _ in range(restarts):
        time.sleep(LIFE_S)
        server.process.send_signal(signal.SIGUSR2)
        lives = wait_for_life(server, lives + 1)
    time.sleep(LIFE_S)
    journal = finish_clients(clients)
    failed = journal.broken + journal.refusals + len(journal.oddities)
    note(Trial(f"{restarts} restarts under load by `SIGUSR2`: a failed request", "events", len(journal.sent), failed))

    assert (journal.broken, journal.refusals, journal.oddities) == (0, 0, [])
    assert count_stored(server) == Counter(journal.sent)
    assert server.stop() == 0


@TIMES
def test_a_server_whose_socket_is_kept_by_its_manager_fails_no_request(
    start: StartServer, source: random.Random, restarts: int
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        descriptor = listener.fileno()
        wrapper = (sys.executable, "-c", PASS_ON, str(descriptor))
        server = start(wrapper=wrapper, pass_fds=(descriptor,))
        assert server.port == listener.getsockname()[1]
        target = Target()
        target.move(server.port, server.secret_key)
        clients = start_clients(target, source, count=6)
        statuses = []
        for _ in range(restarts):
            time.sleep(LIFE_S)
            statuses.append(server.stop())
            server = start(wrapper=wrapper, pass_fds=(descriptor,))
        time.sleep(LIFE_S)
        journal = finish_clients(clients)
    failed = journal.broken + journal.refusals + len(journal.oddities)
    what = f"{restarts} restarts by a manager that keeps the socket: a failed request"
    note(Trial(what, "events", len(journal.sent), failed))

    assert statuses == [0] * restarts
    assert (journal.broken, journal.refusals, journal.oddities) == (0, 0, [])
    assert count_stored(server) == Counter(journal.sent)


def test_a_server_told_to_restart_again_and_again_lives(start: StartServer) -> None:
    """Whatever moment of its two lives the signal meets."""
    server = start()
    end = time.monotonic() + PATIENCE_S
    lives = server.log().count("listens on")
    while server.log().count("listens on") < lives + 2:
        assert time.monotonic() < end
        server.process.send_signal(signal.SIGUSR2)
        time.sleep(0.001)
        assert server.is_running(), server.log()
    wait_for_red_to_end(server)
    assert server.stop() == 0


def test_a_server_whose_next_life_could_not_start_goes_on(start: StartServer, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("retention_days = 30\n")
    server = start(command=(*SERVE, "--config", str(file)))
    file.write_text("retention_dayz = 30\n")
    server.process.send_signal(signal.SIGUSR2)
    wait_for_log(server, "not restarted, since the next start would fail")
    assert "retention_dayz in the file: no such setting" in server.log()
    assert server.get("/health/ready").status == 200
    file.write_text("retention_days = 31\n")
    server.process.send_signal(signal.SIGUSR2)
    wait_for_life(server, 2)
    assert server.stop() == 0


def test_several_processes_say_that_they_do_not_restart(start: StartServer) -> None:
    server = start(command=(*SERVE, "--workers", "1"))
    server.process.send_signal(signal.SIGUSR2)
    wait_for_log(server, "not restarted: with --workers")
    assert server.get("/health/ready").status == 200
    assert server.stop() == 0


@pytest.mark.parametrize("command", [SERVE, (*SERVE, "--workers", "2")], ids=["one process", "several"])
def test_readiness_turns_red_first_and_requests_are_answered_until_the_end(
    start: StartServer, command: tuple[str, ...]
) -> None:
    server = start(command=command, environment={"FOOTFALL_DRAIN_S": "6"})
    assert server.get("/health/ready").json()["checks"]["server"] == "ok"
    with RawClient(server.port) as kept:
        kept.send(request_of())
        assert kept.read_answer()[0] == 200
        server.process.send_signal(signal.SIGTERM)
        wait_for_red(server)
        for _ in range(3):
            kept.send(request_of())
            assert kept.read_answer()[0] == 200
            assert fetch(f"{server.base_url}/collect", body=request_of().partition(b"\r\n\r\n")[2]).status == 200
            assert server.get("/health/ready").status == 503
            assert server.get("/health/live").status == 200
    assert server.process.wait(PATIENCE_S) == 0


def wait_for_log(server: RealServer, text: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while text not in server.log():
        assert time.monotonic() < end, server.log()
        time.sleep(0.05)


def wait_for_red(server: RealServer) -> None:
    end = time.monotonic() + PATIENCE_S
    while server.get("/health/ready").status == 200:
        assert time.monotonic() < end
    assert server.get("/health/ready").json()["checks"]["server"] != "ok"


def wait_for_red_to_end(server: RealServer) -> None:
    """Return once the server is ready; a request may meet a life that is ending."""
    end = time.monotonic() + PATIENCE_S
    while True:
        with contextlib.suppress(OSError):
            if server.get("/health/ready").status == 200:
                return
        assert time.monotonic() < end


def wait_for_life(server: RealServer, lives: int) -> int:
    """Return the number of lives once the server has said so often where it listens."""
    end = time.monotonic() + PATIENCE_S
    while server.log().count("listens on") < lives:
        assert server.is_running(), server.log()
        assert time.monotonic() < end, f"no new life; the log says:\n{server.log()}"
        time.sleep(0.02)
    return lives
