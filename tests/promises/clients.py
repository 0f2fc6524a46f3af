"""Clients that journal every event id before it is sent and every verdict after it, and never give an event up.

An event without an answer is sent again under the same id, as a tracker does. Now and then an acknowledged request
is replayed as well: it must be told to be a duplicate.
"""

import gzip
import json
import random
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any

TIMEOUT_S = 10.0
MAX_BATCH = 30
REPLAY_SHARE = 0.05
REFUSAL_PAUSE_S = 0.05


class Target:
    """Where the server is now. It moves with every restart; clients wait for it.

    Units:  patience_s is how long they wait before they try the same place again: short where connections break for
            other reasons than a restart.
    """

    def __init__(self, patience_s: float = TIMEOUT_S * 6) -> None:
        self._patience_s = patience_s
        self._changed = threading.Condition()
        self._generation = 0
        self.port = 0
        self.secret_key = ""

    def move(self, port: int, secret_key: str) -> None:
        """Tell all clients where the next server listens."""
        with self._changed:
            self.port, self.secret_key = port, secret_key
            self._generation += 1
            self._changed.notify_all()

    def wait_for_another(self, generation: int) -> int:
        """Return the present generation once it is not the given one any more, or patience is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._generation != generation, self._patience_s)
            return self._generation


@dataclass
class Journal:
    """What one client knows.

    Shape:  sent holds ids from before they were sent, acknowledged those that a 200 answered; oddities are
            sentences about answers that nobody may get.
    """

    sent: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    refusals: int = 0
    broken: int = 0
    replays: int = 0
    oddities: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Batch:
    """Events that travel in one request. Shape: path decides the key and the body's shape."""

    path: str
    ids: tuple[str, ...]
    is_packed: bool

    def body(self) -> bytes:
        """Return the request's body; the same batch always gives the same events."""
        events = [{"id": each, "name": "Kept", "props": {"place": index}} for index, each in enumerate(self.ids)]
        value: Any = {"site": "default", "visitor_id": "v-1", "events": events}
        if self.path == "/api/events":
            value = events[0] if len(events) == 1 else events
        encoded = json.dumps(value).encode()
        return gzip.compress(encoded, 1) if self.is_packed else encoded


class Client(threading.Thread):
    """One client on one keep-alive connection. `finish` makes it deliver what it has and end."""

    def __init__(self, target: Target, seed: int) -> None:
        super().__init__(daemon=True)
        self.journal = Journal()
        self._target = target
        self._source = random.Random(seed)  # noqa: S311 - choices, no secrets
        self._generation = 0
        self._connection: HTTPConnection | None = None
        self._acknowledged: list[Batch] = []
        self._is_finishing = threading.Event()

    def finish(self) -> None:
        """Start nothing new."""
        self._is_finishing.set()

    def run(self) -> None:
        """Send until told to finish; an event that was begun is brought to an answer."""
        try:
            while not self._is_finishing.is_set():
                if self._acknowledged and self._source.random() < REPLAY_SHARE:
                    self._deliver(self._source.choice(self._acknowledged), is_replay=True)
                else:
                    self._deliver(self._new_batch(), is_replay=False)
        except Exception as error:  # noqa: BLE001 - a dead client must not look like a quiet one
            self.journal.oddities.append(f"the client died: {error!r}")
        finally:
            self._close()

    def _new_batch(self) -> Batch:
        size = self._source.choice((1, 1, 1, 2, self._source.randint(3, MAX_BATCH)))
        path = self._source.choice(("/collect", "/collect", "/api/events"))
        ids = tuple(str(uuid.UUID(int=self._source.getrandbits(128), version=4)) for _ in range(size))
        batch = Batch(path, ids, is_packed=self._source.random() < 0.3)
        self.journal.sent.update(ids)
        return batch

    def _deliver(self, batch: Batch, *, is_replay: bool) -> None:
        while True:
            try:
                status, answer = self._ask(batch)
            except (OSError, HTTPException):
                self.journal.broken += 1
                self._close()
                self._generation = self._target.wait_for_another(self._generation)
                continue
            if status == 200:
                self._take_verdict(batch, answer, is_replay=is_replay)
                return
            if status != 503:
                self.journal.oddities.append(f"{status} {answer}")
                return
            self.journal.refusals += 1
            self._is_finishing.wait(REFUSAL_PAUSE_S)

    def _ask(self, batch: Batch) -> tuple[int, Any]:
        if self._connection is None:
            self._connection = HTTPConnection("127.0.0.1", self._target.port, timeout=TIMEOUT_S)
        headers = {"content-type": "text/plain"}
        if batch.path == "/api/events":
            headers["authorization"] = f"Bearer {self._target.secret_key}"
        self._connection.request("POST", batch.path, batch.body(), headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())

    def _take_verdict(self, batch: Batch, answer: Any, *, is_replay: bool) -> None:
        self.journal.acknowledged.update(batch.ids)
        if answer["accepted"] + answer["duplicate"] != len(batch.ids) or answer["rejected"]:
            self.journal.oddities.append(f"{len(batch.ids)} events, answered {answer}")
        if not is_replay:
            self._acknowledged.append(batch)
        else:
            self.journal.replays += 1
            if answer["duplicate"] != len(batch.ids):
                self.journal.oddities.append(f"a replay of {len(batch.ids)} known events was answered {answer}")

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def start_clients(target: Target, source: random.Random, count: int) -> list[Client]:
    """Return running clients."""
    clients = [Client(target, source.getrandbits(64)) for _ in range(count)]
    for client in clients:
        client.start()
    return clients


def finish_clients(clients: Sequence[Client]) -> Journal:
    """Let all clients deliver what they have; return their journals as one. Errors: TimeoutError."""
    for client in clients:
        client.finish()
    for client in clients:
        client.join(TIMEOUT_S * 6)
        if client.is_alive():
            raise TimeoutError("a client could not deliver its events")
    return Journal(
        sent=set().union(*(client.journal.sent for client in clients)),
        acknowledged=set().union(*(client.journal.acknowledged for client in clients)),
        refusals=sum(client.journal.refusals for client in clients),
        broken=sum(client.journal.broken for client in clients),
        replays=sum(client.journal.replays for client in clients),
        oddities=[oddity for client in clients for oddity in client.journal.oddities],
    )
