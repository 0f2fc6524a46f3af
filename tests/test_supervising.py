"""When nobody may listen; whether a dead process has a next life, and how long it waits for it."""

import errno
import os
import signal
import socket
from itertools import chain
from typing import Any, cast

import pytest

from server import listening, supervising
from server.errors import SettingsError
from server.holding import hold_folder
from server.settings import Settings
from server.supervising import FIRST_PAUSE_S, LONGEST_PAUSE_S, SHORT_LIFE_S, _Child, _Supervisor, supervise


@pytest.mark.parametrize(
    ("life_s", "pause_s"), [(SHORT_LIFE_S / 2, LONGEST_PAUSE_S), (SHORT_LIFE_S * 2, FIRST_PAUSE_S)]
)
def test_a_long_life_ends_the_pauses_that_short_ones_made(life_s: float, pause_s: float) -> None:
    child = _Child("answering", lambda: 0, pid=1, started_s=100.0, pause_s=LONGEST_PAUSE_S)
    child.end(100.0 + life_s)
    assert (child.pid, child.pause_s) == (0, pause_s)


@pytest.mark.parametrize("status", [-9, 1, 2, 3])
def test_what_has_served_is_tried_again_for_as_long_as_it_takes(status: int) -> None:
    child = _Child("answering", lambda: 0, pid=1)
    assert child.may_live_again(status) == (status not in (2, 3)), "wrong settings end the first try"
    child.served[0] = 1
    now_s, pauses = 100.0, []
    for _ in range(10):
        child.started_s = now_s
        child.end(now_s)
        assert child.may_live_again(status)
        child.plan(now_s)
        pauses.append(child.due_s - now_s)
        now_s = child.due_s
    assert pauses == sorted(pauses)
    assert pauses[-1] == pytest.approx(LONGEST_PAUSE_S)


def test_what_never_served_is_given_up_after_some_short_lives() -> None:
    child = _Child("answering", lambda: 0, pid=1)
    tries = 0
    while child.may_live_again(1):
        child.plan(0.0)
        tries += 1
    assert tries == 6


def test_a_machine_without_memory_for_another_process_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise OSError(errno.ENOMEM, "no memory")

    timers: list[float] = []
    monkeypatch.setattr(os, "fork", fork)
    monkeypatch.setattr(signal, "setitimer", lambda _which, seconds: timers.append(seconds))
    unused = cast("Any", None)
    supervisor = _Supervisor(unused, [], unused, unused, shows_demo=False)
    with pytest.raises(OSError, match="no memory"):
        supervisor._start_those_due()
    supervisor._answering.served[0] = 1
    supervisor._start_those_due()
    assert len(timers) == 1
    assert 0 < timers[0] <= FIRST_PAUSE_S


def test_sockets_of_a_service_manager_are_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    descriptor = os.dup(0)
    monkeypatch.setattr(listening, "FIRST_DESCRIPTOR", descriptor)
    with socket.create_server(("127.0.0.1", 0)) as given:
        os.dup2(given.fileno(), descriptor)
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    with pytest.raises(SettingsError, match="--workers: it listens by itself"):
        supervise(settings, 1, shows_demo=False)


def test_each_process_listens_on_all_addresses_of_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one process alone does, which leaves IPv4 to another socket on each address of IPv6."""
    hosts = ("127.0.0.1", "127.0.0.2")

    def addresses(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 0)) for host in hosts]

    monkeypatch.setattr(socket, "getaddrinfo", addresses)
    groups = listening.listen("localhost", 0, 1, processes=3)
    try:
        assert [[each.getsockname()[0] for each in group] for group in groups] == [list(hosts)] * 3
        assert {group[1].getsockname() for group in groups} == {groups[0][1].getsockname()}
    finally:
        for each in chain.from_iterable(groups):
            each.close()


def test_who_may_not_have_the_folder_never_listens(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections to a socket beside the first one's would be lost when the second start ends."""

    def listen(*_: object) -> None:
        raise AssertionError("it listens")

    monkeypatch.setattr(supervising, "_listen", listen)
    with hold_folder(settings), pytest.raises(SettingsError, match="another Footfall"):
        supervise(settings, 1, shows_demo=False)
