"""A graceful stop under load: exit status 0, and everything acknowledged is there after the next start."""

import random
import time
from collections import Counter

import pytest

from tests.promises.clients import Target, finish_clients, start_clients
from tests.promises.conftest import StartServer
from tests.promises.killing import count_stored

STOPS = 3

pytestmark = pytest.mark.promise


def test_stops_with_status_0_under_load_and_keeps_everything(start: StartServer, source: random.Random) -> None:
    """SIGTERM, as every process manager sends it; clients go on with the next server."""
    target = Target()
    clients = start_clients(target, source, count=4)
    statuses = []
    for _ in range(STOPS):
        server = start()
        target.move(server.port, server.secret_key)
        time.sleep(source.uniform(0.2, 1.0))
        statuses.append(server.stop())

    server = start()
    acknowledged = set().union(*(client.journal.acknowledged for client in clients))
    stored_before_any_resend = count_stored(server)
    target.move(server.port, server.secret_key)
    journal = finish_clients(clients)

    assert statuses == [0] * STOPS
    assert acknowledged <= stored_before_any_resend.keys()
    assert journal.oddities == []
    assert count_stored(server) == Counter(journal.sent)
