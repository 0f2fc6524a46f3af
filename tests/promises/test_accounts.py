"""received = accepted + duplicate + rejected and accepted = stored + waiting: in every scrape, under load and kills."""

import random
import re
import threading

import pytest

from tests.promises.clients import Target, finish_clients, start_clients
from tests.promises.conftest import StartServer
from tests.real_server import RealServer

LIVES = 4
LIFE_S = 1.2
SCRAPERS = 3

pytestmark = pytest.mark.promise


class Scraper(threading.Thread):
    """Reads the accounts as fast as it can and keeps those that do not balance."""

    def __init__(self, server: RealServer) -> None:
        super().__init__(daemon=True)
        self._server = server
        self.is_done = False
        self.scrapes = 0
        self.wrong: list[dict[str, float]] = []
        self.last: dict[str, float] = {}

    def run(self) -> None:
        while not self.is_done:
            try:
                accounts = read_accounts(self._server)
            except OSError:  # killed in between
                return
            self.scrapes += 1
            if not balances(accounts) or any(
                accounts[name] < self.last.get(name, 0) for name in ("received", "stored")
            ):
                self.wrong.append(accounts)
            self.last = accounts


def read_accounts(server: RealServer) -> dict[str, float]:
    text = server.get("/metrics").body.decode()
    names = ("received", "accepted", "duplicate", "rejected", "stored")
    found = {
        name: sum(float(n) for n in re.findall(rf"^footfall_events_{name}_total(?:{{.*}})? (\S+)$", text, re.MULTILINE))
        for name in names
    }
    found["waiting"] = float(re.findall(r"^footfall_queue_waiting (\S+)$", text, re.MULTILINE)[0])
    return found


def balances(accounts: dict[str, float]) -> bool:
    return (
        accounts["received"] == accounts["accepted"] + accounts["duplicate"] + accounts["rejected"]
        and accounts["accepted"] == accounts["stored"] + accounts["waiting"]
    )


def test_the_accounts_balance_in_every_scrape(start: StartServer, source: random.Random) -> None:
    """Scraped in parallel with load, through kills; at the end they are what the clients know."""
    target = Target()
    clients = start_clients(target, source, count=3)
    scrapes, wrong, waiting_seen = 0, [], False
    for _ in range(LIVES):
        server = start()
        target.move(server.port, server.secret_key)
        scrapers = [Scraper(server) for _ in range(SCRAPERS)]
        for scraper in scrapers:
            scraper.start()
        threading.Event().wait(LIFE_S)
        server.kill()
        for scraper in scrapers:
            scraper.join()
        scrapes += sum(scraper.scrapes for scraper in scrapers)
        wrong += [each for scraper in scrapers for each in scraper.wrong]
        waiting_seen = waiting_seen or any(scraper.last["waiting"] > 0 for scraper in scrapers)
    server = start()
    target.move(server.port, server.secret_key)
    journal = finish_clients(clients)
    refused = server.post("/api/events", [{"name": ""}, {"name": "x" * 300}, {"name": "Fine", "id": "a-new-one"}])
    server.wait_until_stored()
    accounts = read_accounts(server)

    assert wrong == []
    assert scrapes > LIVES
    assert waiting_seen
    assert len(refused.json()["rejected"]) == 2
    assert accounts["accepted"] == accounts["stored"] == len(journal.sent) + 1 == len(server.stored_ids())
    assert (accounts["rejected"], balances(accounts)) == (2, True)
