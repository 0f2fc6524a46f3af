"""A fifth of all answers is lost after the commit, and the server restarts: what is sent again is stored once."""

import random
import time
from collections import Counter

import pytest

from tests.fault_proxy import Fate, FaultProxy
from tests.promises.clients import Target, finish_clients, start_clients
from tests.promises.conftest import StartServer
from tests.promises.figures import Measured, Trial, note
from tests.promises.killing import count_stored

RESTARTS = 4
MANY_RESTARTS = 20
LIFE_S = 1.0
DECK_SIZE = 500

pytestmark = [pytest.mark.promise, pytest.mark.timeout(300)]


@pytest.mark.parametrize("restarts", [RESTARTS, pytest.param(MANY_RESTARTS, marks=pytest.mark.long)])
def test_each_event_is_stored_once_whatever_answers_are_lost(
    start: StartServer, source: random.Random, restarts: int
) -> None:
    """Half of the restarts are crashes, half are stops."""
    deck = [Fate.LOSE_ANSWER] * (DECK_SIZE // 5) + [Fate.PASS] * (DECK_SIZE - DECK_SIZE // 5)
    source.shuffle(deck)
    server = start()
    proxy = FaultProxy(server.port, deck)
    try:
        target = Target(patience_s=0.02)
        target.move(int(proxy.base_url.rpartition(":")[2]), server.secret_key)
        clients = start_clients(target, source, count=4)
        for number in range(restarts):
            time.sleep(source.uniform(0.2, LIFE_S))
            server.kill() if number % 2 else server.stop()
            server = start()
            proxy.server_port = server.port
        time.sleep(LIFE_S)
        journal = finish_clients(clients)
    finally:
        proxy.close()
    stored = count_stored(server)
    duplicates = server.metric("footfall_events_duplicate_total")
    twice = sum(count > 1 for count in stored.values())
    note(
        Measured("a fifth of the answers lost: stored ÷ distinct events", stored.total() / len(journal.sent), "= 1"),
        Trial(
            f"a fifth of the answers lost through {restarts} restarts: an event stored twice",
            "events",
            len(journal.sent),
            twice,
        ),
    )

    assert journal.oddities == []
    assert stored == Counter(journal.sent)
    assert proxy.met[Fate.LOSE_ANSWER] > 0.15 * proxy.met.total() > 10
    assert duplicates > 0, "an answer that was lost after the commit makes a duplicate, or the test has lost none"
