"""What happens to the data folder before it is served."""

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from server.errors import SettingsError
from server.holding import SERVING_FILE, hold_folder
from server.restoring import folder_in_use
from server.settings import Settings
from server.storage.folder import RESTORE_READY
from tests.real_server import start_server


@pytest.fixture
def begun(settings: Settings) -> Path:
    """Return the data folder, where a restore was killed before it moved its files."""
    (settings.data_dir / RESTORE_READY).mkdir(parents=True)
    (settings.data_dir / RESTORE_READY / "queue.sqlite").write_bytes(b"restored")
    return settings.data_dir


def test_a_restore_that_was_begun_is_finished_before_the_folder_is_served(settings: Settings, begun: Path) -> None:
    with hold_folder(settings):
        assert (begun / "queue.sqlite").read_bytes() == b"restored"
        assert not (begun / RESTORE_READY).exists()
        with folder_in_use(begun, alone=False):
            pass  # other servers share the folder


def test_a_restore_that_was_begun_is_not_finished_under_another_server(settings: Settings, begun: Path) -> None:
    with folder_in_use(begun, alone=False), pytest.raises(SettingsError, match="in use"), hold_folder(settings):
        pass
    assert not (begun / "queue.sqlite").exists()


def test_a_second_server_on_the_folder_is_refused_with_the_way_out(settings: Settings) -> None:
    expected = rf"another Footfall \(PID {os.getpid()}\) serves .*FOOTFALL_ROLE=collect"
    for role in ("all", "app"):
        with hold_folder(settings), pytest.raises(SettingsError, match=expected):
            hold_folder(replace(settings, role=role)).__enter__()
    with hold_folder(settings):
        pass  # the lock has ended with its holder


def test_a_folder_of_a_newer_version_is_told_in_a_sentence(tmp_path: Path) -> None:
    server = start_server(tmp_path / "data")
    assert server.stop() == 0
    with closing(sqlite3.connect(server.data_dir / "queue.sqlite")) as database:
        database.execute("pragma user_version = 99")
    command = [sys.executable, "-m", "server", "serve", "--port", "0", "--data-dir", str(server.data_dir)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "footfall cannot start:\n" in done.stderr
    assert "queue.sqlite has format 99" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_settings_can_be_checked_without_a_start(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "server", "serve", "--check", "--data-dir", str(tmp_path / "data")]
    assert subprocess.run(command, timeout=30, check=False).returncode == 0
    assert list(tmp_path.iterdir()) == []
    assert subprocess.run([*command, "--port", "x"], timeout=30, check=False, capture_output=True).returncode == 2


@pytest.mark.parametrize("command", ["serve --check", "demo --check", "serve", "demo", "serve --workers 2"])
def test_a_path_that_would_hide_the_servers_own_is_told_before_anything_is_made(tmp_path: Path, command: str) -> None:
    arguments = [sys.executable, "-m", "server", *command.split(), "--port", "0", "--data-dir", str(tmp_path / "data")]
    environment = {**os.environ, "FOOTFALL_COLLECT_PATH": "/login"}
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "FOOTFALL_COLLECT_PATH is a path of the server's own (it is '/login')" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_collectors_join_a_server(settings: Settings) -> None:
    collector = replace(settings, role="collect")
    with hold_folder(replace(settings, role="app")), hold_folder(collector), hold_folder(collector):
        assert (settings.data_dir / SERVING_FILE).read_text() == f"{os.getpid()}\n"


def test_a_server_that_was_handed_its_sockets_waits_for_its_predecessor(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ExitStack()
    before.enter_context(hold_folder(settings))
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        before.close()

    monkeypatch.setattr("server.holding.time.sleep", sleep)
    with hold_folder(settings, is_handed_over=True):
        assert len(waits) == 1


def test_the_children_of_a_dead_server_are_waited_for_but_not_for_ever(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.holding.PATIENCE_S", 0.2)
    with hold_folder(settings):
        child = subprocess.Popen([sys.executable, "-c", ""])
        child.wait()
        (settings.data_dir / SERVING_FILE).write_text(f"{child.pid}\n")
        start = time.monotonic()
        with pytest.raises(SettingsError, match=f"PID {child.pid}"), hold_folder(settings):
            pass
        assert time.monotonic() - start >= 0.2


def test_a_second_real_server_says_who_has_the_folder(tmp_path: Path) -> None:
    first = start_server(tmp_path / "data")
    try:
        with pytest.raises(RuntimeError, match=rf"another Footfall \(PID {first.process.pid}\) serves"):
            start_server(tmp_path / "data")
        with pytest.raises(RuntimeError, match=rf"another Footfall \(PID {first.process.pid}\) serves"):
            start_server(tmp_path / "data", command=("-m", "server", "serve", "--workers", "1"))
        assert first.get("/health/ready").status == 200
    finally:
        first.kill()


@pytest.mark.parametrize("options", [(), ("--workers", "1")], ids=["one_process", "workers"])
def test_two_with_workers_do_not_share_a_port_in_silence(tmp_path: Path, options: tuple[str, ...]) -> None:
    first = start_server(tmp_path / "one", command=("-m", "server", "serve", "--workers", "1"))
    try:
        with pytest.raises(RuntimeError, match=rf"cannot listen on 127\.0\.0\.1 port {first.port}: Address already in"):
            start_server(tmp_path / "two", command=("-m", "server", "serve", *options), port=first.port)
        assert not (tmp_path / "two" / "keys").exists()
        assert first.stop() == 0
        second = start_server(
            tmp_path / "two", command=("-m", "server", "serve", "--workers", "2"), port=first.port
        )  # its predecessor's ended connections keep nobody away
        assert second.stop() == 0
    finally:
        first.kill()
