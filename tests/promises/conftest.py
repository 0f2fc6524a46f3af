"""Fixtures of the promise tests: a seed that a failure prints, and servers that are ended whatever happens."""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real_server import RealServer, start_server

StartServer = Callable[..., RealServer]


@pytest.fixture
def source() -> random.Random:
    """Return the source of all random choices.

    PROMISE_SEED repeats the choices of a failed run; what the machine does at the chosen moments it cannot repeat.
    """
    seed = int(os.environ.get("PROMISE_SEED") or random.SystemRandom().randrange(2**32))
    print(f"PROMISE_SEED={seed}")  # noqa: T201 - pytest shows it with a failure
    return random.Random(seed)  # noqa: S311 - choices, no secrets


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Return the data folder that all servers of one test share."""
    return tmp_path / "data"


@pytest.fixture
def start(data_dir: Path) -> Iterator[StartServer]:
    """Return a function that starts a server on the test's data folder; those still running at the end are killed."""
    started: list[RealServer] = []

    def start_one(**choices: Any) -> RealServer:
        started.append(start_server(data_dir, **choices))
        return started[-1]

    yield start_one
    for server in started:
        if server.is_running():
            server.kill()
