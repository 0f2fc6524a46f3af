"""`footfall export` and its kin where something goes wrong: what was there stays, and the reason is told."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.cli import main
from server.exporting import _writing
from server.restoring import folder_in_use
from tests.broken_server import LIVE, broken_server
from tests.factories import make_batch, make_event, make_settings
from tests.real_server import RealServer, start_server

OLD = b"an export of yesterday"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    with TestClient(create_app(make_settings(folder, secret_key=None))) as client:
        client.post("/collect", content=orjson.dumps(make_batch(make_event())))
    return folder


@pytest.fixture
def output(tmp_path: Path) -> Path:
    path = tmp_path / "out" / "events.ndjson"
    path.parent.mkdir()
    path.write_bytes(OLD)
    return path


def export(data_dir: Path, port: int, *arguments: str) -> int:
    return main(["export", "--data-dir", str(data_dir), "--port", str(port), *arguments])


def test_a_whole_export_takes_the_place_of_the_old_one(data_dir: Path, output: Path) -> None:
    assert export(data_dir, 1, "--output", str(output)) == 0
    assert orjson.loads(output.read_bytes())["name"] == "Signed up"
    assert list(output.parent.iterdir()) == [output]


def test_an_export_that_is_cut_off_leaves_what_was_there(
    data_dir: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n{"name": "half'
    with broken_server(LIVE, half) as port:
        assert export(data_dir, port, "--output", str(output)) == 1
    assert "was cut off" in capsys.readouterr().err
    assert output.read_bytes() == OLD
    assert list(output.parent.iterdir()) == [output]


@pytest.mark.parametrize("command", [["export"], ["replay"], ["backup", "copy"]], ids=lambda command: command[0])
def test_an_answer_that_is_cut_off_is_told(
    data_dir: Path, capfd: pytest.CaptureFixture[str], command: list[str]
) -> None:
    with broken_server(LIVE, b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n{"') as port:
        assert main([*command, "--data-dir", str(data_dir), "--port", str(port)]) == 1
    assert "was cut off" in capfd.readouterr().err


@pytest.mark.parametrize("command", [["export"], ["replay"], ["backup", "copy"]], ids=lambda command: command[0])
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 9\r\n\r\n<b>hi</b>",
        b'HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{"status":"up"}',
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
    ids=["page", "json", "no_http"],
)
def test_another_program_at_the_port_gets_no_key_and_its_answer_is_not_taken(
    data_dir: Path, output: Path, capsys: pytest.CaptureFixture[str], command: list[str], answer: bytes
) -> None:
    asked: list[bytes] = []
    options = ["--output", str(output)] if command == ["export"] else []
    with broken_server(answer, asked=asked) as port:
        assert main([*command, *options, "--data-dir", str(data_dir), "--port", str(port)]) == 1
        told = capsys.readouterr().err
        assert f"What listens at http://127.0.0.1:{port} is no Footfall. See --host and --port." in told
    assert output.read_bytes() == OLD
    assert b"uthorization" not in b"".join(asked)


def test_a_server_that_takes_too_long_is_not_one_that_is_not_there(
    data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.exporting.TIMEOUT_S", 0.2)
    with broken_server(LIVE) as port:
        assert export(data_dir, port) == 1
        assert "gave no answer: " in capsys.readouterr().err


@pytest.mark.parametrize("file_format", ["ndjson", "csv", "parquet"])
def test_an_output_that_cannot_be_written_is_told(
    data_dir: Path, output: Path, capsys: pytest.CaptureFixture[str], file_format: str
) -> None:
    target = output / "no_folder" / "file"
    assert export(data_dir, 1, "--format", file_format, "--output", str(target)) == 1
    told = capsys.readouterr().err
    assert f"footfall: {target} cannot be written" in told
    assert "Name a file in a folder that can be written" in told
    assert output.read_bytes() == OLD


def test_two_exports_to_one_file_do_not_mix(data_dir: Path, output: Path) -> None:
    """The next run of a timer begins while a slow one still writes."""
    with _writing(output) as slow:
        assert slow is not None
        with slow.open("wb") as file:
            file.write(b"the slow")
            file.flush()
            assert export(data_dir, 1, "--output", str(output)) == 0
            assert orjson.loads(output.read_bytes())["name"] == "Signed up"
            file.write(b" one")
    assert output.read_bytes() == b"the slow one"
    assert list(output.parent.iterdir()) == [output]


def test_a_pipe_is_written_as_it_is(data_dir: Path) -> None:
    assert export(data_dir, 1, "--output", "/dev/null") == 0
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("command", [["export"], ["backup", "copy"]], ids=lambda command: command[0])
def test_a_folder_that_an_unknown_server_has_open_is_told(
    data_dir: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    with folder_in_use(data_dir, alone=False):
        assert main([*command, "--data-dir", str(data_dir), "--port", "1"]) == 1
    told = capsys.readouterr().err
    assert f"Something has {data_dir} open, but no server answers at http://127.0.0.1:1." in told
    assert "--port" in told


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    started = start_server(tmp_path_factory.mktemp("server") / "data")
    yield started
    started.kill()


@pytest.mark.parametrize("command", [["export"], ["replay"], ["backup", "copy"]], ids=lambda command: command[0])
def test_an_error_of_the_server_is_told_in_its_words(
    server: RealServer, data_dir: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """The folder is another server's than the one that listens there."""
    assert main([*command, "--data-dir", str(data_dir), "--port", str(server.port)]) == 1
    told = capsys.readouterr().err
    assert f"footfall: {server.base_url} answered 401, wrong_key: " in told
    assert "b'" not in told


def test_an_answer_of_something_else_is_shown_without_its_control_characters(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with broken_server(b"HTTP/1.1 502 Bad\r\ncontent-length: 9\r\n\r\n<b>\x1b[2J\r\n") as port:
        assert export(data_dir, port) == 1
    told = capsys.readouterr().err
    assert "answered 502, not_ours: '<b>\\x1b[2J'" in told
    assert "\x1b" not in told


def test_replay_of_what_is_not_there_says_so(server: RealServer, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["replay", "--data-dir", str(server.data_dir), "--port", str(server.port)]
    assert main([*arguments, "999", "an-event"]) == 1
    assert "2 of the ids named no rejected event" in capsys.readouterr().out
    assert main(arguments) == 0
