"""The first password reaches a person, whatever happened before: real servers on loopback."""

import re
import socket
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.cli import main
from tests.factories import make_settings
from tests.real_server import RealServer, fetch, start_server


def shown_password(server: RealServer) -> str:
    found = re.search(r"Password +(\S+) +\(shown only now", server.log())
    assert found, server.log()
    return found.group(1)


def can_sign_in(base_url: str, password: str) -> bool:
    reply = fetch(f"{base_url}/login", headers={"origin": base_url}, body=f"password={password}".encode())
    return reply.status == 200


def test_a_start_that_fails_for_its_port_makes_no_keys(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(
            RuntimeError, match=r"cannot listen on 127\.0\.0\.1 port \d+: Address already in use; .*FOO"
        ):
            start_server(folder, port=taken.getsockname()[1])
        assert list(folder.iterdir()) == []
    server = start_server(folder)
    try:
        assert can_sign_in(server.base_url, shown_password(server))
    finally:
        server.kill()


@pytest.mark.parametrize("command", [["export"], ["replay"], ["backup", "copy"]], ids=lambda command: command[0])
def test_a_command_before_the_first_start_makes_nothing(
    tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data"
    assert main([*command, "--port", "1", "--data-dir", str(folder)]) == 1
    assert "data" in capsys.readouterr().err
    assert not folder.exists()


@pytest.mark.parametrize("options", [(), ("--workers", "1")], ids=["one_process", "workers"])
def test_the_password_is_shown_by_the_start_that_makes_it_and_by_no_other(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    command = ("-m", "server", "serve", *options)
    server = start_server(tmp_path / "data", command=command)
    password = shown_password(server)
    assert server.stop() == 0
    server = start_server(tmp_path / "data", command=command)
    try:
        assert can_sign_in(server.base_url, password)
        assert server.log().count("shown only now") == 1
    finally:
        server.stop()


def test_the_password_of_a_mounted_application_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = make_settings(tmp_path, admin_password=None)
    for _ in range(2):
        with TestClient(create_app(settings)) as client:
            assert client.get("/health/live").status_code == 200
    [record] = [each for each in caplog.records if "password" in each.getMessage()]
    password = record.getMessage().rpartition(" ")[2]
    assert (record.name, record.levelname) == ("footfall", "WARNING")
    with TestClient(create_app(settings)) as client:
        assert client.post("/login", data={"password": password}).url.path == "/"
