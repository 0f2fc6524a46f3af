"""Requests with an Idempotency-Key, whose events have no ids, are sent until they are answered: and stored once."""

import json
import random
import threading
import time
from collections import Counter

import pytest

from tests.promises.conftest import StartServer
from tests.real_server import RealServer, fetch

CLIENTS = 4
KILLS = 8
LONGEST_LIFE_S = 0.5

pytestmark = [pytest.mark.promise, pytest.mark.timeout(200)]


class Shop(threading.Thread):
    """Sends one order after the other, each until it is answered.

    Shape:  tries counts how often a request was cut off; answers are by key.
    """

    def __init__(self, name: str, source: random.Random) -> None:
        super().__init__(daemon=True)
        self.name = name
        self.server: RealServer | None = None
        self.is_done = False
        self.cut_off = 0
        self.answers: dict[str, bytes] = {}
        self._source = random.Random(source.random())  # noqa: S311 - choices, no secrets

    def body_of(self, key: str) -> bytes:
        """Return the body of a request, always the same for a key."""
        return json.dumps([{"name": "Paid", "props": {"order": f"{key}-{part}"}} for part in range(3)]).encode()

    def run(self) -> None:
        number = 0
        while not self.is_done:
            key = f"{self.name}-{number}"
            while key not in self.answers:
                self._try(key)
            if self._source.random() < 0.2:
                assert send(self.server, key, self.body_of(key)) in {self.answers[key], None}
            number += 1

    def _try(self, key: str) -> None:
        answer = send(self.server, key, self.body_of(key))
        if answer is None:
            self.cut_off += 1
            time.sleep(0.01)
        else:
            self.answers[key] = answer


def send(server: RealServer | None, key: str, body: bytes) -> bytes | None:
    """Return the answer, None where there was none."""
    if server is None:
        return None
    headers = {"authorization": f"Bearer {server.secret_key}", "idempotency-key": key}
    try:
        reply = fetch(f"{server.base_url}/api/events", headers=headers, body=body)
    except OSError:
        return None
    return reply.body if reply.status == 200 else None


def test_each_order_is_stored_once_and_answered_the_same(start: StartServer, source: random.Random) -> None:
    shops = [Shop(f"shop{number}", source) for number in range(CLIENTS)]
    for shop in shops:
        shop.start()
    for _ in range(KILLS):
        server = start()
        for shop in shops:
            shop.server = server
        time.sleep(source.uniform(0.1, LONGEST_LIFE_S))
        server.kill()
    server = start()
    for shop in shops:
        shop.server = server
        shop.is_done = True
    for shop in shops:
        shop.join(60)
        assert not shop.is_alive()
    server.wait_until_stored()

    for shop in shops:
        for key, answer in shop.answers.items():
            assert send(server, key, shop.body_of(key)) == answer
    server.wait_until_stored()
    lines = server.get("/api/export?format=ndjson").body.splitlines()
    stored = Counter(json.loads(line)["props"]["order"] for line in lines)
    assert set(stored.values()) == {1}
    assert stored.keys() == {f"{key}-{part}" for shop in shops for key in shop.answers for part in range(3)}
    assert sum(shop.cut_off for shop in shops) > 0, "kills have cut requests off"
    reused = {"authorization": f"Bearer {server.secret_key}", "idempotency-key": next(iter(shops[0].answers))}
    refused = fetch(f"{server.base_url}/api/events", headers=reused, body=b'{"name": "Other"}')
    assert (refused.status, refused.json()["error"]["code"]) == (422, "idempotency_key_reused")
