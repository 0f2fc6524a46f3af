"""Nobody but its owner reads the data folder, whatever the umask."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import orjson
import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.cli import main
from server.storage.folder import OTHERS, loose_files, make_folder, private_files
from tests.conftest import wait_until_stored
from tests.factories import make_batch, make_event, make_settings
from tests.real_server import start_server


@pytest.fixture
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    """Return the mode of the folder and of everything in it that stays while it is looked at."""
    found = {}
    for each in (folder, *folder.rglob("*")):
        with suppress(FileNotFoundError):  # a file that was being written has got its name
            found[str(each)] = stat.S_IMODE(each.stat().st_mode)
    return found


@pytest.mark.usefixtures("usual_umask")
@pytest.mark.parametrize("options", [(), ("--workers", "1")], ids=["one_process", "workers"])
def test_a_server_makes_nothing_that_others_can_read(tmp_path: Path, options: tuple[str, ...]) -> None:
    folder = tmp_path / "new" / "data"
    folder.parent.mkdir()
    server = start_server(
        folder.with_name("log"), command=("-m", "server", "serve", "--data-dir", str(folder), *options)
    )
    try:
        key = (folder / "keys" / "secret_key").read_text().strip()
        assert key
        found = modes(folder)
    finally:
        server.kill()
    assert {"queue.sqlite", "queue.sqlite-wal", "outbox.sqlite", "users.sqlite", "events.duckdb"} <= {
        Path(name).name for name in found
    }
    assert {name: mode for name, mode in found.items() if mode & OTHERS} == {}


@pytest.mark.usefixtures("usual_umask")
def test_a_mounted_application_makes_a_private_folder(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with TestClient(create_app(make_settings(folder))) as client:
        client.post("/collect", content=orjson.dumps(make_batch(make_event())))
        wait_until_stored(client)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {path.name for path in loose_files(folder)} <= {"events.duckdb.wal"}


@pytest.mark.usefixtures("usual_umask")
def test_a_start_tightens_own_files_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    settings = make_settings(folder)
    with TestClient(create_app(settings)):
        pass
    (folder / "places.mmdb").touch()
    for path in (folder, *folder.glob("*.sqlite"), folder / "events.duckdb"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert main(["doctor", "--port", "1", "--data-dir", str(folder)]) == 1
    with TestClient(create_app(settings)):
        pass
    assert list(loose_files(folder)) == []
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert stat.S_IMODE((folder / "places.mmdb").stat().st_mode) == 0o644


def test_doctor_tells_what_others_can_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    make_folder(folder)
    (folder / "outbox.sqlite").touch()
    (folder / "outbox.sqlite").chmod(0o640)
    folder.chmod(0o750)
    assert main(["doctor", "--port", "1", "--data-dir", str(folder)]) == 1
    told = capsys.readouterr().out
    assert "note     others can look into the data folder" in told
    assert f"PROBLEM  {folder / 'outbox.sqlite'} can be read by others" in told


def test_doctor_makes_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--port", "1", "--data-dir", str(tmp_path / "a" / "b")]) == 0
    assert "is not there yet" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("usual_umask")
def test_an_export_is_as_private_as_the_one_that_it_replaces(tmp_path: Path) -> None:
    folder, output = tmp_path / "data", tmp_path / "events"
    with TestClient(create_app(make_settings(folder))):
        pass
    for file_format in ("ndjson", "parquet"):
        output.touch()
        output.chmod(0o600)
        arguments = ["--data-dir", str(folder), "--port", "1", "--format", file_format, "--output", str(output)]
        assert main(["export", *arguments]) == 0
        assert stat.S_IMODE(output.stat().st_mode) == 0o600


@pytest.mark.usefixtures("usual_umask")
def test_the_umask_is_that_of_commands_only(tmp_path: Path) -> None:
    with private_files():
        (tmp_path / "inside").touch()
    (tmp_path / "after").touch()
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("inside", "after")] == [0o600, 0o644]
