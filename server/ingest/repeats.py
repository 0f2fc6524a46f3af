"""Requests that come again under the same Idempotency-Key: the same answer, and nothing stored twice. Called by web.

What is kept, in the queue's file and in the commit of the events themselves, is digests of key and body and the answer,
for KEYS_KEPT_DAYS. Events without an id get one that follows from key and body, so that even where the answer is kept
no more (after an erasure, or too late) the same request stores nothing twice.
"""

import contextlib
import hashlib
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from server.clock import Clock
from server.errors import BadRequest, Conflict, Unprocessable
from server.ingest.queue import Queue

KEYS_KEPT_DAYS = 7
MAX_KEY_LENGTH = 255
_DAY_MS = 24 * 3600 * 1000
_NAMESPACE = UUID("b4c0a1de-6b0e-5c38-9d5d-3f2a7e90c6d1")
_KEY = re.compile(rf"[ -~]{{1,{MAX_KEY_LENGTH}}}")


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request that has a key. Shape: key and body are SHA-256 digests: neither can be read from the file."""

    site: str
    key: bytes
    body: bytes

    def with_ids(self, events: Sequence[Any]) -> list[Any]:
        """Return the events, those without an id with one that follows from the request and their place in it."""
        return [
            {**event, "id": self._id(index)} if isinstance(event, dict) and event.get("id") is None else event
            for index, event in enumerate(events)
        ]

    def _id(self, index: int) -> str:
        return str(uuid5(_NAMESPACE, f"{self.site}\n{self.key.hex()}\n{self.body.hex()}\n{index}"))


def read_key(site: str, key: str, body: bytes) -> KeyedRequest:
    """Return what a request's key stands for. Shape: body is unpacked. Errors: BadRequest."""
    if not _KEY.fullmatch(key):
        raise BadRequest(
            "bad_idempotency_key", f"Idempotency-Key is 1 to {MAX_KEY_LENGTH} ASCII characters.", "Use a new UUID."
        )
    return KeyedRequest(site, hashlib.sha256(key.encode()).digest(), hashlib.sha256(body).digest())


class Repeats:
    """Knows which requests are under way and how earlier ones were answered. Everything happens on the event loop."""

    def __init__(self, queue: Queue, clock: Clock) -> None:
        self._queue = queue
        self._clock = clock
        self._under_way: set[tuple[str, bytes]] = set()

    @contextlib.contextmanager
    def once(self, request: KeyedRequest) -> Iterator[bytes | None]:
        """Give the earlier answer, or None: then the request is to be carried out, and no other of its key meanwhile.

        Errors: Conflict while one is under way, Unprocessable for another body under the same key, Unavailable.
        """
        key = (request.site, request.key)
        if key in self._under_way:
            raise Conflict(
                "request_under_way", "A request with this Idempotency-Key is under way.", "Ask again.", retry_after_s=1
            )
        self._under_way.add(key)
        try:
            found = self._queue.find_answer(key)
            if found is not None and found[0] != request.body:
                raise Unprocessable(
                    "idempotency_key_reused",
                    "This Idempotency-Key was used with another body.",
                    "Send the very same body again, or use a new key.",
                )
            yield None if found is None else found[1]
        finally:
            self._under_way.discard(key)

    def keep(self, database: sqlite3.Connection, request: KeyedRequest, answer: bytes) -> None:
        """Keep an answer, in the transaction of what it tells; the first one stays."""
        day = self._clock() // _DAY_MS
        row = (request.site, request.key, request.body, answer, day)
        database.execute("insert or ignore into answers values (?, ?, ?, ?, ?)", row)
