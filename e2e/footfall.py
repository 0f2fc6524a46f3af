"""The server under test: a real process on a real port. What it stored is the proof of every story."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from server.events.wire import MAX_EVENTS
from server.sites import DEFAULT_SITE, DEMO_SITE
from tests.real_server import RealServer, Reply, fetch, start_server

PASSWORD = "a password for stories"
PATIENCE_S = 12.0
_POLL_S = 0.05
_SITES = (DEFAULT_SITE, DEMO_SITE)

Event = dict[str, Any]


class Footfall:
    """Owns the process. A story may end it as a crash would, and start it again at the same address.

    Shape:  settings are environment variables. What is read is what happened since the latest `begin`, by the
            time of the events: a request that an earlier test's page sent while it closed is none of this test's.
            That is of both sites, `default` for pages of the stories' own and `demo` for the shop.
    """

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self._data_dir = data_dir
        self._environment = {"FOOTFALL_ADMIN_PASSWORD": PASSWORD, **settings}
        self._since = ""
        self._process = self._start(0)
        self.base_url = self._process.base_url
        self.shop_url = f"{self.base_url}/demo/"

    def begin(self) -> None:
        """Leave what happened until now out of account; start the process again if it was left killed."""
        if not self._process.is_running():
            self.restart()
        self._since = datetime.now(tz=UTC).isoformat(timespec="milliseconds")

    def kill(self) -> None:
        """End the process with SIGKILL."""
        self._process.kill()

    def restart(self, *, shows_demo: bool = True) -> None:
        """Start it again on the same port, with what it kept."""
        self._process = self._start(self._process.port, "demo" if shows_demo else "serve")

    def post(self, *events: Event, site: str = DEFAULT_SITE) -> None:
        """Have events taken as from the site's own server, some of which it may reject."""
        headers = {"authorization": f"Bearer {self._secret_key(site)}", "content-type": "application/json"}
        for start in range(0, len(events), MAX_EVENTS):
            batch = events[start : start + MAX_EVENTS]
            reply = fetch(f"{self.base_url}/api/events", headers=headers, body=json.dumps(batch).encode())
            assert reply.status == 200, reply.body

    def auth_key(self) -> str:
        """Return the key with which the site signs user ids."""
        return (self._data_dir / "keys" / "auth_key").read_text(encoding="ascii").strip()

    def events(self, **filters: str) -> list[Event]:
        """Return what is stored once nothing waits for the store any more, oldest first."""
        self._process.wait_until_stored()
        found = [event for reply in self._ask("events", limit="1000", **filters) for event in reply.json()["events"]]
        return sorted(found, key=lambda event: (event["time"], event["id"]))

    def wait_for(self, count: int, **filters: str) -> list[Event]:
        """Return the stored events, oldest first, as soon as there are that many; fails after PATIENCE_S seconds."""
        end = time.monotonic() + PATIENCE_S
        while len(found := self.events(**filters)) < count:
            assert time.monotonic() < end, f"{count} events expected, stored are {names(found)}"
            time.sleep(_POLL_S)
        return found

    def everything(self) -> str:
        """Return all that was kept of any event, accepted or rejected, as text."""
        rejected = [each for reply in self._ask("rejected", limit="1000") for each in reply.json()["rejected"]]
        stored = [reply.body.decode() for reply in self._ask("export", format="ndjson")]
        return "".join(stored) + json.dumps(rejected, ensure_ascii=False)

    def _ask(self, path: str, **query: str) -> list[Reply]:
        """Return each site's answer."""
        since = {"since": self._since} if self._since else {}
        url = f"{self._process.base_url}/api/{path}?{urlencode({**since, **query})}"
        replies = [fetch(url, headers={"authorization": f"Bearer {self._secret_key(site)}"}) for site in _SITES]
        for reply in replies:
            assert reply.status == 200, reply.body
        return replies

    def _secret_key(self, site: str) -> str:
        name = "secret_key" if site == DEFAULT_SITE else f"{site}.secret_key"
        return (self._data_dir / "keys" / name).read_text(encoding="ascii").strip()

    def _start(self, port: int, command: str = "demo") -> RealServer:
        return start_server(
            self._data_dir,
            command=("-m", "server", command),
            environment=self._environment,
            port=port,
        )


def names(events: list[Event]) -> list[str]:
    """Return the events' names in their order."""
    return [event["name"] for event in events]


def named(events: list[Event], name: str) -> list[Event]:
    """Return the events of one name in their order."""
    return [event for event in events if event["name"] == name]
