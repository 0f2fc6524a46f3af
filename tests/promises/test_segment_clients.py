"""Segment's own clients, unmodified, against a real server behind a network that fails: nothing lost, nothing twice."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.fault_proxy import Fate, FaultProxy
from tests.real_server import ROOT, RealServer

pytestmark = [pytest.mark.promise, pytest.mark.timeout(240)]
COUNT = 100
CLIENTS = ROOT / "tests" / "segment_clients"
TIMEOUT_S = 200


def find_node() -> str:
    """Return Node: the environment's own before the system's. Errors: RuntimeError."""
    places = f"{ROOT / '.venv' / 'node' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    found = shutil.which("node", path=places)
    if found is None or not (CLIENTS / "node_modules").is_dir():
        raise RuntimeError("`make setup` installs Node and Segment's clients")
    return found


def python_client(module: str) -> Callable[[], list[str]]:
    return lambda: [sys.executable, str(CLIENTS / "send.py"), module]


PROGRAMS: dict[str, tuple[str, Callable[[], list[str]]]] = {
    "segment-analytics-python": ("py", python_client("segment.analytics")),
    "analytics-python": ("py", python_client("analytics")),
    "analytics-node": ("node", lambda: [find_node(), str(CLIENTS / "send.mjs")]),
}


@pytest.fixture
def server(start: Callable[..., RealServer]) -> RealServer:
    """Return a running server."""
    return start()


@pytest.fixture
def proxy(server: RealServer) -> Iterator[FaultProxy]:
    """Return the failing network in front of it."""
    running = FaultProxy(server.port)
    yield running
    running.close()


def stored(server: RealServer) -> list[dict[str, Any]]:
    server.wait_until_stored()
    found: list[dict[str, Any]] = server.get("/api/events?limit=1000").json()["events"]
    return found


@pytest.mark.parametrize("name", PROGRAMS)
def test_client_delivers_everything_once_through_faults(name: str, server: RealServer, proxy: FaultProxy) -> None:
    prefix, command = PROGRAMS[name]
    arguments = [*command(), proxy.base_url, server.secret_key, str(COUNT)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, cwd=CLIENTS)
    assert done.returncode == 0, done.stderr
    assert "could not deliver" not in done.stderr
    assert {fate for fate in Fate if proxy.met[fate]} == set(Fate), "each fault happened"

    events = stored(server)
    steps = sorted(each["props"]["number"] for each in events if each["name"] == "Step")
    assert steps == list(range(COUNT))
    others = Counter(each["name"] for each in events if each["name"] != "Step" and "$cause" not in each["props"])
    expected = {"$page_view": 1, "Screen Viewed": 1, "Group Joined": 1, "$order_completed": 1, "$user_merged": 1}
    assert others == expected
    assert server.get("/api/rejected").json()["rejected"] == []
    step = next(each for each in events if each["name"] == "Step")
    told = (step["user_id"], step["ip"], step["language"], step["source"])
    assert told == (f"{prefix}-1", "203.0.113.7", "de-DE", "server")
    user = server.get(f"/api/users/{prefix}-2").json()
    properties = {"$email": f"{prefix}@shop.example", "plan": "pro", "group_id": "acme"}
    assert properties.items() <= user["properties"].items()


@pytest.mark.parametrize("name", PROGRAMS)
def test_client_is_told_of_a_wrong_key_at_once(name: str, server: RealServer) -> None:
    _, command = PROGRAMS[name]
    done = subprocess.run(
        [*command(), server.base_url, "nobody's key", "1"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        cwd=CLIENTS,
    )
    assert "could not deliver" in done.stderr
    assert stored(server) == []
