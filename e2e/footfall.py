"""The server under test: a real process on a real port. What it stored is the proof of every story."""

import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.real_server import RealServer, start_server

PASSWORD = "a password for stories"
PATIENCE_S = 12.0
_POLL_S = 0.05

Event = dict[str, Any]


class Footfall:
    """Owns the process. A story may end it as a crash would, and start it again at the same address.

    Shape: settings are environment variables.
    """

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self._data_dir = data_dir
        self._environment = {"FOOTFALL_ADMIN_PASSWORD": PASSWORD, **settings}
        self._process = self._start(0)
        self.base_url = self._process.base_url
        self.shop_url = f"{self.base_url}/demo/"

    def kill(self) -> None:
        """End the process with SIGKILL."""
        self._process.kill()

    def restart(self) -> None:
        """Start it again on the same port, with what it kept."""
        self._process = self._start(self._process.port)

    def post(self, *events: Event) -> None:
        """Store events as the site's own server would."""
        reply = self._process.post("/api/events", list(events))
        assert reply.status == 200, reply.body

    def events(self, **filters: str) -> list[Event]:
        """Return what is stored once nothing waits for the store any more, oldest first."""
        self._process.wait_until_stored()
        reply = self._process.get(f"/api/events?{urlencode({'limit': 1000, **filters})}")
        assert reply.status == 200, reply.body
        return list(reversed(reply.json()["events"]))

    def wait_for(self, count: int, **filters: str) -> list[Event]:
        """Return the stored events, oldest first, as soon as there are that many; fails after PATIENCE_S seconds."""
        end = time.monotonic() + PATIENCE_S
        while len(found := self.events(**filters)) < count:
            assert time.monotonic() < end, f"{count} events expected, stored are {names(found)}"
            time.sleep(_POLL_S)
        return found

    def everything(self) -> str:
        """Return all that was kept of any event, accepted or rejected, as text."""
        stored = self._process.get("/api/export?format=ndjson").body.decode()
        return stored + self._process.get("/api/rejected?limit=1000").body.decode()

    def _start(self, port: int) -> RealServer:
        return start_server(
            self._data_dir,
            command=("-m", "server", "demo"),
            environment=self._environment,
            port=port,
        )


def names(events: list[Event]) -> list[str]:
    """Return the events' names in their order."""
    return [event["name"] for event in events]


def named(events: list[Event], name: str) -> list[Event]:
    """Return the events of one name in their order."""
    return [event for event in events if event["name"] == name]
