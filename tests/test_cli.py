"""The command line, in this process; the server itself is started in tests/promises."""

import json
import os
from pathlib import Path

import duckdb
import orjson
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped]  # ships no types
from starlette.testclient import TestClient

from server import __version__, doctor
from server.app import create_app
from server.cli import main
from tests.broken_server import broken_server
from tests.factories import make_batch, make_event, make_settings
from tests.real_server import start_server

NO_SERVER = ["--port", "1"]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    with TestClient(create_app(make_settings(tmp_path))) as client:
        for name in ("A", "B"):
            client.post("/collect", content=orjson.dumps(make_batch(make_event(name=name))))
    return tmp_path


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    told = capsys.readouterr().out
    for word in ("serve", "demo", "snippet", "export", "doctor", "geo", "version", "examples:"):
        assert word in told


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"footfall {__version__}\n"


def test_wrong_settings_are_listed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTFALL_IP", "some")
    assert main(["serve", "--port", "http"]) == 2
    told = capsys.readouterr().err
    assert "FOOTFALL_IP" in told
    assert "--port must be a port, 0 to 65535 (0 takes any free one) (it is 'http')" in told


def test_snippet_is_what_pages_paste(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["snippet", "--data-dir", str(tmp_path / "none"), "--url", "https://t.example/"]) == 0
    told = capsys.readouterr().out.strip()
    assert told.startswith("<script>")
    assert told.endswith('<script async src="https://t.example/tracker.js" data-site="default"></script>')
    assert not (tmp_path / "none").exists()


def test_snippet_with_integrity_names_the_version_that_is_served(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["snippet", "--integrity", "--port", "8123"]) == 0
    tag = capsys.readouterr().out.splitlines()[-1]
    with TestClient(create_app(make_settings(tmp_path))) as client:
        integrity, path = client.get("/tracker.js.sri").text.split()
    assert f'src="http://127.0.0.1:8123{path}"' in tag
    assert f'integrity="{integrity}" crossorigin="anonymous"' in tag


@pytest.mark.parametrize("command", ["snippet", "doctor"])
@pytest.mark.parametrize(
    "url",
    [
        "t.example", "ftp://t.example", "https://", "https://t.example/?a=1", "https://t.example/#a", "https://[",
        "https://t.example:port", "https://me@t.example", "https://t example",
    ],
)  # fmt: skip
def test_an_address_that_no_page_could_use_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, url: str
) -> None:
    assert main([command, *NO_SERVER, "--data-dir", str(tmp_path), "--url", url]) in {1, 2}
    told = capsys.readouterr()
    assert f"--url: {url!r} is no address such as https://t.example" in told.err + told.out
    assert "<script" not in told.out


def test_snippet_of_an_unknown_site_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["snippet", "--site", "nonesuch"]) == 2
    assert "nonesuch; there are: default" in capsys.readouterr().err


@pytest.mark.parametrize(("file_format", "lines"), [("ndjson", 2), ("csv", 3)])
def test_export_without_a_server_reads_the_file(data_dir: Path, tmp_path: Path, file_format: str, lines: int) -> None:
    output = tmp_path / "out"
    assert (
        main(["export", *NO_SERVER, "--data-dir", str(data_dir), "--format", file_format, "--output", str(output)]) == 0
    )
    assert len(output.read_text().splitlines()) == lines


def test_export_to_standard_output_with_a_filter(data_dir: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["export", *NO_SERVER, "--data-dir", str(data_dir), "--name", "B"]) == 0
    (line,) = capfdbinary.readouterr().out.splitlines()
    assert json.loads(line)["name"] == "B"


def test_export_to_parquet(data_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.parquet"
    assert (
        main(["export", *NO_SERVER, "--data-dir", str(data_dir), "--format", "parquet", "--output", str(output)]) == 0
    )
    assert duckdb.execute(f"select name from '{output}' order by 1").fetchall() == [("A",), ("B",)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--format", "parquet"], "--output"),
        (["--since", "soon"], "RFC 3339"),
        (["--site", "nobody"], "no site"),
    ],
)
def test_export_says_what_is_wrong(
    data_dir: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert main(["export", *NO_SERVER, "--data-dir", str(data_dir), *arguments]) == 1
    assert told in capsys.readouterr().err


def test_export_of_an_empty_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", *NO_SERVER, "--data-dir", str(tmp_path)]) == 1
    assert "no server has started" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_doctor_finds_nothing_wrong(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *NO_SERVER, "--data-dir", str(data_dir)]) == 0
    told = capsys.readouterr().out
    for part in ("can be written", "GiB free", "fsync takes", "places:", "no proxy is trusted", "footfall serve"):
        assert part in told


def test_doctor_finds_keys_that_others_can_read(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data_dir / "keys" / "cookie_key").chmod(0o644)
    assert main(["doctor", *NO_SERVER, "--data-dir", str(data_dir)]) == 1
    assert "chmod 600" in capsys.readouterr().out


def test_doctor_names_the_files_of_keys_and_finds_what_is_wrong_with_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTFALL_AUTH_KEY", "an-auth-key-of-the-settings")
    keys = tmp_path / "keys"
    with TestClient(create_app(make_settings(tmp_path, secret_key=None, admin_password=None))):
        pass
    (keys / "cookie_key").write_text("\n")
    (keys / "admin_password.argon2").unlink()
    assert main(["doctor", *NO_SERVER, "--data-dir", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert f"ok       secret key of the site `default`: in {keys / 'secret_key'}" in told
    assert "ok       auth key of the site `default`: as set by FOOTFALL_AUTH_KEY" in told
    assert f"PROBLEM  key of the dashboard's cookie: {keys / 'cookie_key'} is empty" in told
    assert f"note     the password's hash: there is no {keys / 'admin_password.argon2'}" in told
    assert (keys / "secret_key").read_text().strip() not in told


def test_doctor_finds_copies_and_too_few_files(
    data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / "queue.sqlite.before-v2").write_bytes(b"x" * 3 * 1024**2)
    (data_dir / "queue.sqlite.before-v2").chmod(0o600)
    monkeypatch.setattr(doctor, "most_connections", lambda: 384)
    assert main(["doctor", *NO_SERVER, "--data-dir", str(data_dir)]) == 0
    told = capsys.readouterr().out
    assert "note     queue.sqlite.before-v2 is there, 3 MiB" in told
    assert "note     files for 384 connections, not for 2000" in told
    assert "LimitNOFILE) to 4256" in told
    assert "events a minute of one network: no limit" in told


def test_doctor_finds_a_folder_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["doctor", *NO_SERVER, "--data-dir", str(tmp_path / "file")]) == 1
    assert "PROBLEM" in capsys.readouterr().out


def test_doctor_finds_a_file_that_cannot_be_written(
    data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a restore of a backup that was made read-only; root may write it all the same."""
    store, may = data_dir / "events.duckdb", os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != store and may(path, mode))
    assert main(["doctor", *NO_SERVER, "--data-dir", str(data_dir)]) == 1
    assert f"PROBLEM  {store} cannot be written by this user" in capsys.readouterr().out


def test_doctor_finds_another_program_at_the_port(
    data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTFALL_SECRET_KEY", "a-key-that-stays-here")
    asked: list[bytes] = []
    page = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi"
    with broken_server(page, page, asked=asked) as port:
        assert main(["doctor", "--port", str(port), "--data-dir", str(data_dir)]) == 1
    assert f"PROBLEM  What listens at http://127.0.0.1:{port} is no Footfall." in capsys.readouterr().out
    assert b"uthorization" not in b"".join(asked)


def test_doctor_asks_the_server_itself_whatever_proxy_the_environment_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server = start_server(tmp_path / "data")
    try:
        assert main(["doctor", "--data-dir", str(server.data_dir), "--port", str(server.port)]) == 0
    finally:
        server.kill()
    assert "the server is ready" in capsys.readouterr().out


def test_what_the_disk_refuses_is_told_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data").write_text("a file")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "manifest.json").write_text('{"files": {}}')
    assert main(["restore", str(tmp_path / "copy"), "--data-dir", str(tmp_path / "data")]) == 1
    told = capsys.readouterr().err
    assert told.startswith("footfall: ")
    assert "Traceback" not in told


def test_doctor_asks_the_running_server_which_address_it_believes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = start_server(tmp_path / "data")
    try:
        arguments = ["doctor", "--data-dir", str(server.data_dir), "--port", str(server.port)]
        assert main([*arguments, "--url", f"{server.base_url}/"]) == 0
        told = capsys.readouterr().out
        assert "The connection comes from 127.0.0.1." in told
        assert "Believed: 127.0.0.1 (the connection's own address: no proxy is trusted)." in told
    finally:
        server.kill()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "t.example"])
def test_doctor_says_when_the_public_address_is_wrong(
    data_dir: Path, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    assert main(["doctor", *NO_SERVER, "--data-dir", str(data_dir), "--url", url]) == 1
    assert "PROBLEM" in capsys.readouterr().out


def test_doctor_finds_that_everybody_is_believed(
    data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOOTFALL_TRUSTED_PROXIES", "10.0.0.0/8, ::/0")
    assert main(["doctor", *NO_SERVER, "--data-dir", str(data_dir)]) == 1
    assert "everybody is a trusted proxy" in capsys.readouterr().out


@pytest.fixture
def city_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "city.mmdb"
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="DBIP-City-Lite")
    record = {"country_code": "FR", "state1": "Occitanie", "city": "Toulouse"}
    writer.insert_network(IPSet(["81.2.69.0/24"]), record)
    writer.to_db_file(str(path))
    monkeypatch.setenv("FOOTFALL_GEOIP", str(path))
    return path


def test_geo_tells_the_file_its_licence_and_an_address(city_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["geo", "81.2.69.142", "2002:5102:458e::1", "10.0.0.1", "8.8.8.8"]) == 0
    told = capsys.readouterr().out
    for part in (
        f"{city_file}: DBIP-City-Lite, built 20",
        "country, region, city",
        "licence CC BY 4.0",
        "'IP Geolocation by DB-IP' with a link to https://db-ip.com",
        "81.2.69.142: Toulouse, Occitanie, FR",
        "stands for 81.2.69.142): Toulouse",
        "10.0.0.1: private or reserved",
        "8.8.8.8: not known",
    ):
        assert part in told
    assert "days old" not in told


def test_geo_warns_of_an_old_file(
    city_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert city_file.exists()
    monkeypatch.setattr("server.doctor.OLD_GEO_DAYS", -1)
    assert main(["geo"]) == 0
    assert "the file is 0 days old" in capsys.readouterr().out


def test_geo_answers_without_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["geo", "8.8.8.8", "nonsense"]) == 1
    told = capsys.readouterr().out
    assert "iptocc: country only" in told
    assert "8.8.8.8: US" in told
    assert "nonsense: no address" in told


def test_geo_finds_a_file_that_is_none(city_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    city_file.write_bytes(b"no places here")
    assert main(["geo"]) == 1
    assert "cannot be read" in capsys.readouterr().out
