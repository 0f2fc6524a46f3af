"""Fixtures: settings in a fresh folder, a clock that stands, the running application and a client of it."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher, profiles
from starlette.testclient import TestClient

from server.app import create_app
from server.settings import Settings
from server.web import keys
from server.web.parts import Parts
from tests.factories import NOW_MS, SECRET_KEY, make_settings
from tests.syncs import Syncs


@pytest.fixture(autouse=True)
def _guard_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own settings must not reach a test."""
    for name in [each for each in os.environ if each.startswith("FOOTFALL_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _cheap_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost of a password's hash is not what these tests are about."""
    monkeypatch.setattr(keys, "HASHER", PasswordHasher.from_parameters(profiles.CHEAPEST))


class StandingClock:
    """A clock that moves only when told to."""

    def __init__(self, now_ms: int = NOW_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        """Return the instant at which it stands."""
        return self.now_ms


@pytest.fixture
def clock() -> StandingClock:
    """Return a clock standing at NOW_MS."""
    return StandingClock()


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> Syncs:
    """Return what knows which files were synced since they were last written."""
    known = Syncs()
    monkeypatch.setattr(os, "fsync", known)
    return known


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings whose data folder is new."""
    return make_settings(tmp_path / "data")


@pytest.fixture
def client(settings: Settings, clock: StandingClock) -> Iterator[TestClient]:
    """Return a client of a running application; `client.app.state.parts` holds its parts."""
    with TestClient(create_app(settings, clock=clock)) as running:
        running.headers["user-agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
        yield running


@pytest.fixture
def parts(client: TestClient) -> Parts:
    """Return the running parts behind `client`."""
    found: Parts = client.app.state.parts  # type: ignore[attr-defined]  # the client's type knows only ASGI
    return found


@pytest.fixture
def secret() -> dict[str, str]:
    """Return the headers of the site's own server."""
    return {"authorization": f"Bearer {SECRET_KEY}"}


@pytest.fixture
def stored(client: TestClient, secret: dict[str, str]) -> Callable[..., list[dict[str, object]]]:
    """Return a function that waits until the queue is empty and returns the stored events, oldest first."""

    def read(**filters: str) -> list[dict[str, object]]:
        wait_until_stored(client)
        answer = client.get("/api/events", params={"limit": "1000", **filters}, headers=secret)
        assert answer.status_code == 200, answer.text
        return list(reversed(answer.json()["events"]))

    return read


def wait_until(is_so: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Return once something is so; fails after the time-out."""
    end = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def wait_until_stored(client: TestClient) -> None:
    """Return once the writer has moved everything that waits; fails after 10 seconds."""
    parts: Parts = client.app.state.parts  # type: ignore[attr-defined]  # as above
    assert parts.writer is not None
    assert parts.writer.wait_until_idle(10), "the writer did not empty the queue"
