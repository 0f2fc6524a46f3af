"""One engine's run: the real server, the proxy before it, the site, and a browser that opens its pages.

Shape:  a profile is a host of the site, "<row>-<number>.localhost": storage and cookies of its own, so a fresh visitor,
        and a later page of the same host is the same visitor's later visit.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver

from bench.delivery.proxy import Proxy
from bench.delivery.site import Site
from tests.real_server import RealServer, start_server
from tools.browsers import drive

HUB = "hub.localhost"
OPEN_TIMEOUT_S = 40.0
_POLL_S = 0.1
# Firefox: windows that one click may open, processes that one site may have, and the switch for its network
_PREFS = {"dom.popup_maximum": 100, "dom.ipc.processCount.webIsolated": 10}
_ARGUMENTS = {"firefox": ("-remote-allow-system-access",)}

Plan = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is done. Shape: size is how many profiles a row has, a quarter where they wait for the network.

    Units:  outage_s is how long the server is down, steady_s how long five events a second go on.
    """

    size: int
    outage_s: float
    steady_s: float


@dataclass(slots=True)
class Lab:
    """Shape: seed names the decks of faults."""

    engine: str
    driver: WebDriver
    server: RealServer
    proxy: Proxy
    site: Site
    extent: Extent
    seed: int
    hub: str = ""

    # ---- windows ----

    def open(self, profiles: list[str], plan: Plan) -> list[str]:
        """Open a window for each profile and return their handles once all pages are ready for the plan."""
        ready = {name: self.site.journals[name].ready + 1 for name in profiles}
        addresses = [[name, self.site.url(name, "page?" + _encode(plan))] for name in profiles]
        before = set(self.driver.window_handles)
        self.driver.execute_script("window.addresses = arguments[0]", addresses)
        self.driver.find_element(By.TAG_NAME, "button").click()
        for name, count in ready.items():
            self.site.wait_for("ready", [name], count, OPEN_TIMEOUT_S)
        return [handle for handle in self.driver.window_handles if handle not in before]

    def open_alone(self, profile: str) -> str:
        """Open a window that no other knows, so that it may have a process of its own; return its handle."""
        ready = self.site.journals[profile].ready + 1
        self.driver.switch_to.new_window("window")
        handle = self.driver.current_window_handle
        self.driver.get(self.site.url(profile, "page"))
        self.site.wait_for("ready", [profile], ready, OPEN_TIMEOUT_S)
        self.driver.switch_to.window(self.hub)
        return handle

    def tell(self, profiles: list[str], plan: Plan) -> None:
        """Let open pages carry out a plan, or just bring their journals up to date with an empty one."""
        script = "for (const name of arguments[0]) opened[name].postMessage(arguments[1], '*')"
        self.driver.execute_script(script, profiles, plan)

    def close(self, handles: list[str]) -> None:
        """Close the windows as their person would; those that have closed themselves are gone already."""
        for handle in set(handles) & set(self.driver.window_handles):
            with suppress(WebDriverException):  # it closes itself at this moment, or its process is dead
                self.driver.switch_to.window(handle)
                self.driver.close()
        self.driver.switch_to.window(self.hub)

    def visit_again(self, profiles: list[str]) -> None:
        """Open another page of the same visitors, and leave it once its tracker has nothing left to do."""
        for batch in batches(profiles):
            self.close(self.open(batch, {"isSettled": True}))

    # ---- what is stored ----

    def stored(self, name: str = "") -> list[dict[str, Any]]:
        """Return the stored events of a name, or all."""
        self.server.wait_until_stored()
        query = urlencode({"format": "ndjson", **({"name": name} if name else {})})
        return [json.loads(line) for line in self.server.get(f"/api/export?{query}").body.splitlines()]

    def missing(self, name: str, profiles: list[str]) -> dict[str, set[str]]:
        """Return which tracked events are not stored, for each profile that has any."""
        found = {event["id"] for event in self.stored(name)}
        lost = {profile: set(self.site.journals[profile].ids) - found for profile in profiles}
        return {profile: ids for profile, ids in lost.items() if ids}

    def wait_until_stored(self, name: str, profiles: list[str], timeout_s: float) -> dict[str, set[str]]:
        """Return what is still missing after at most this time."""
        end = time.monotonic() + timeout_s
        while (lost := self.missing(name, profiles)) and time.monotonic() < end:
            time.sleep(_POLL_S)
        return lost

    def doubles(self, name: str) -> int:
        """Return how many events are stored more than once, under one id (any event) or under several (tracked)."""
        ids = Counter(event["id"] for event in self.stored())
        # the host too: a page's time of origin is no finer than a millisecond, and two pages may share it
        keys = Counter((event["props"]["host"], event["props"]["key"]) for event in self.stored(name))
        return sum(count - 1 for counter in (ids, keys) for count in counter.values())

    # ---- the server ----

    def kill_server(self) -> None:
        """End it with SIGKILL."""
        self.server.kill()

    def start_server(self) -> None:
        """Start it again at its port, with what it kept."""
        self.server = start_server(self.server.data_dir, port=self.server.port)


def batches(profiles: list[str], size: int = 10) -> Iterator[list[str]]:
    """Return the profiles in groups of as many windows as may be open at once."""
    for start in range(0, len(profiles), size):
        yield profiles[start : start + size]


@contextmanager
def open_lab(engine: str, folder: Path, extent: Extent, seed: int) -> Iterator[Lab]:
    """Return a lab that ends with the block, everything that it started included."""
    with ExitStack() as stack:
        server = start_server(folder / f"data-{engine}")
        stack.callback(server.kill)
        proxy = Proxy(server.port)
        stack.callback(proxy.close)
        site = Site(proxy.base_url)
        stack.callback(site.close)
        prefs = _PREFS if engine == "firefox" else None
        driver = stack.enter_context(drive(engine, prefs=prefs, arguments=_ARGUMENTS.get(engine, ())))
        lab = Lab(engine, driver, server, proxy, site, extent, seed)
        stack.callback(lab.kill_server)
        driver.get(site.url(HUB, "hub"))
        lab.hub = driver.current_window_handle
        yield lab


def _encode(plan: Plan) -> str:
    return quote(json.dumps(plan))
