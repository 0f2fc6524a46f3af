"""A real server behind a real proxy: who can sign in, and what `footfall doctor --url` says of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from server.cli import main
from tests.plain_proxy import plain_proxy
from tests.real_server import RealServer, fetch, start_server

PASSWORD = "test-password"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    folder: Path = tmp_path_factory.mktemp("behind") / "data"
    started = start_server(
        folder, environment={"FOOTFALL_ADMIN_PASSWORD": PASSWORD, "FOOTFALL_TRUSTED_PROXIES": "127.0.0.1"}
    )
    yield started
    started.kill()


def sign_in(base_url: str) -> tuple[int, str]:
    """Return status and text of the answer to the password, sent as a browser does that has no Sec-Fetch-Site."""
    reply = fetch(f"{base_url}/login", headers={"origin": base_url}, body=f"password={PASSWORD}".encode())
    return reply.status, reply.body.decode()


def ask_doctor(server: RealServer, base_url: str) -> int:
    return main(["doctor", "--data-dir", str(server.data_dir), "--port", str(server.port), "--url", base_url])


def test_all_is_well_where_the_proxy_passes_the_host_on(server: RealServer, capsys: pytest.CaptureFixture[str]) -> None:
    with plain_proxy(server.port, passes_host=True) as base_url:
        assert sign_in(base_url)[0] == 200  # the dashboard, behind the redirect
        assert ask_doctor(server, base_url) == 0
    assert f"Browsers ask for it as {base_url}" in capsys.readouterr().out


def test_doctor_and_page_tell_the_cure_where_it_does_not(
    server: RealServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with plain_proxy(server.port, passes_host=False) as base_url:
        status, page = sign_in(base_url)
        assert ask_doctor(server, base_url) == 1
    told = capsys.readouterr().out
    assert status == 403
    assert "proxy_set_header Host $http_host" in page
    assert f"PROBLEM  asked as {base_url}, the server takes its address for {server.base_url}" in told
    assert "proxy_set_header Host $http_host" in told


def test_doctor_says_when_the_scheme_is_lost(server: RealServer, capsys: pytest.CaptureFixture[str]) -> None:
    """The other way round, which is the same: a program in a test has no certificate to ask by https."""
    with plain_proxy(server.port, passes_host=True, added={"X-Forwarded-Proto": "https"}) as base_url:
        assert ask_doctor(server, base_url) == 1
    assert "X-Forwarded-Proto" in capsys.readouterr().out
