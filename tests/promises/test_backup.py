"""A backup made under load holds every event acknowledged before it, once; one that was cut off is none."""

import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.promises.clients import Target, finish_clients, start_clients
from tests.promises.conftest import StartServer
from tests.real_server import ROOT, start_server

pytestmark = pytest.mark.promise


def footfall(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "server", *arguments], cwd=ROOT, capture_output=True, check=False)


def test_a_restored_backup_has_each_event_acknowledged_before_it_once(
    start: StartServer, data_dir: Path, tmp_path: Path, source: random.Random
) -> None:
    target = Target()
    clients = start_clients(target, source, count=4)
    server = start()
    target.move(server.port, server.secret_key)
    time.sleep(1)
    before = set().union(*(set(client.journal.acknowledged) for client in clients))
    made = footfall("backup", str(tmp_path / "copy"), "--data-dir", str(data_dir), "--port", str(server.port))
    time.sleep(0.3)
    journal = finish_clients(clients)
    server.stop()
    assert made.returncode == 0, made.stderr
    again = footfall("restore", str(tmp_path / "copy"), "--data-dir", str(data_dir))
    assert again.returncode == 1, "a folder in use is not overwritten unasked"

    forced = footfall("restore", str(tmp_path / "copy"), "--data-dir", str(data_dir), "--force")
    assert forced.returncode == 0, forced.stderr
    server = start()
    server.wait_until_stored()
    stored = Counter(server.stored_ids())
    assert before
    assert before <= stored.keys() <= journal.sent
    assert set(stored.values()) == {1}
    # what was in the backup is known, what came later is new: numbers and ids go on where the backup ends
    events = [{"id": each, "name": "Kept"} for each in sorted(journal.sent)]
    for start_at in range(0, len(events), 1000):
        assert server.post("/api/events", events[start_at : start_at + 1000]).status == 200
    server.wait_until_stored()
    assert Counter(server.stored_ids()) == Counter(journal.sent)


def test_a_backup_or_restore_that_is_killed_leaves_things_usable(
    start: StartServer, data_dir: Path, tmp_path: Path, source: random.Random
) -> None:
    server = start()
    ids = [f"event-{number}" for number in range(500)]
    assert server.post("/api/events", [{"id": each, "name": "Kept"} for each in ids]).status == 200
    server.wait_until_stored()
    server.stop()
    copy = tmp_path / "copy"
    assert footfall("backup", str(copy), "--data-dir", str(data_dir)).returncode == 0
    restored = tmp_path / "restored"
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-m", "server", "restore", str(copy), "--data-dir", str(restored), "--force"], cwd=ROOT
        )
        time.sleep(source.uniform(0.1, 0.6))
        process.kill()
        process.wait()
    assert footfall("restore", str(copy), "--data-dir", str(restored), "--force").returncode == 0
    server = start_server(restored)
    try:
        assert sorted(server.stored_ids()) == sorted(ids)
    finally:
        server.stop()


def test_a_damaged_or_half_backup_is_refused(start: StartServer, data_dir: Path, tmp_path: Path) -> None:
    start().stop()
    copy = tmp_path / "copy"
    assert footfall("backup", str(copy), "--data-dir", str(data_dir)).returncode == 0
    half = tmp_path / "half"
    shutil.copytree(copy, half)
    (half / "manifest.json").unlink()
    content = bytearray((copy / "events.duckdb").read_bytes())
    content[5000] ^= 1
    (copy / "events.duckdb").write_bytes(content)
    for folder in (half, copy):
        refused = footfall("restore", str(folder), "--data-dir", str(tmp_path / "new"))
        assert (refused.returncode, (tmp_path / "new" / "events.duckdb").exists()) == (1, False)
