"""`footfall replay` after a fix of the settings: the event that was refused is stored as it came, once."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.promises.conftest import StartServer
from tests.real_server import ROOT, fetch

pytestmark = pytest.mark.promise


def test_what_the_settings_refused_is_taken_in_after_their_fix(
    start: StartServer, data_dir: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "footfall.toml"
    settings.write_text('[sites.default]\nserver_only = ["Paid"]\n')
    command = ("-m", "server", "serve", "--config", str(settings))
    server = start(command=command)
    body = b'{"site": "default", "visitor_id": "v", "events": [{"id": "a-paid-one", "name": "Paid"}]}'
    assert fetch(f"{server.base_url}/collect", body=body).json()["rejected"][0]["code"] == "reserved_for_server"
    server.stop()
    settings.write_text("[sites.default]\n")
    server = start(command=command)

    replay = [sys.executable, "-m", "server", "replay", "--data-dir", str(data_dir), "--port", str(server.port)]
    said = [subprocess.run(replay, cwd=ROOT, capture_output=True, check=True).stdout.decode() for _ in range(2)]
    server.wait_until_stored()

    assert said == ["default: 1 accepted, 0 duplicate\n", "default: 0 accepted, 0 duplicate\n"]
    assert server.stored_ids() == ["a-paid-one"]
