"""What each process counts by itself, for /metrics: shared between the processes of one machine and added up.

The accounts of events are in the queue's file (accounts.py) and need none of this. These counts have no promise: each
collector writes its own twice a second into memory that its parent made for all; the one that answers reads them. A
collector that is started again in the place of a dead one goes on from what that one wrote last.
"""

import mmap
import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import orjson

from server.ingest.accounts import Accounts
from server.ingest.histogram import SECONDS, SIZES, Histogram
from server.ingest.queue import Queue

SLOT_BYTES = 256 * 1024
_HEAD = struct.Struct("<II")  # length and CRC-32 of what follows: the reader may come in the middle of writing
_TRIES = 100
_COUNTERS = ("corrected", "refused_requests", "answers")
_HISTOGRAMS = ("commit_seconds", "sync_seconds", "commit_events")


@dataclass(slots=True)
class Tally:
    """Counts of one process or of several. Shape: as in Accounts and Queue; errors are the queues' last ones."""

    corrected: Counter[str] = field(default_factory=Counter)
    refused_requests: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    ignored_notices: Counter[tuple[str, str]] = field(default_factory=Counter)
    last_received_ms: dict[str, int] = field(default_factory=dict)
    commits: int = 0
    commit_seconds: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    sync_seconds: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    commit_events: Histogram = field(default_factory=lambda: Histogram(SIZES))
    errors: list[str] = field(default_factory=list)

    def add(self, told: dict[str, Any]) -> None:
        """Add what a process told."""
        for name in _COUNTERS:
            getattr(self, name).update(told[name])
        self.ignored_notices.update(_by_notice(told))
        for site, received_ms in told["last_received_ms"].items():
            self.last_received_ms[site] = max(received_ms, self.last_received_ms.get(site, 0))
        self.commits += told["commits"]
        for name in _HISTOGRAMS:
            getattr(self, name).add(*told[name])
        if told["error"]:
            self.errors.append(told["error"])


def tell(accounts: Accounts, queue: Queue) -> dict[str, Any]:
    """Return what a process has counted, as `Tally.add` takes it."""
    return {
        "corrected": dict(accounts.corrected),
        "refused_requests": dict(accounts.refused_requests),
        "answers": {str(status): count for status, count in dict(accounts.answers).items()},
        "ignored_notices": [(*key, count) for key, count in dict(accounts.ignored_notices).items()],
        "last_received_ms": dict(accounts.last_received_ms),
        "commits": queue.commits,
        **{name: (list(getattr(queue, name).counts), getattr(queue, name).total) for name in _HISTOGRAMS},
        "error": queue.last_error,
    }


def go_on_from(told: dict[str, Any], accounts: Accounts, queue: Queue) -> None:
    """Begin a process's counts where its predecessor's ended."""
    accounts.corrected.update(told["corrected"])
    accounts.refused_requests.update(told["refused_requests"])
    accounts.answers.update({int(status): count for status, count in told["answers"].items()})
    accounts.ignored_notices.update(_by_notice(told))
    accounts.last_received_ms.update(told["last_received_ms"])
    queue.commits += told["commits"]
    for name in _HISTOGRAMS:
        getattr(queue, name).add(*told[name])


def _by_notice(told: dict[str, Any]) -> dict[tuple[str, str], int]:
    """Return counts by vendor and reason, for which JSON has no keys."""
    return {(vendor, reason): count for vendor, reason, count in told["ignored_notices"]}


class SharedTallies:
    """Owns the shared memory: one slot for each collector. Made by their parent, before it makes them."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._memory = mmap.mmap(-1, slots * SLOT_BYTES)

    def write(self, slot: int, told: dict[str, Any]) -> None:
        """Replace what a slot holds; what does not fit is left out, and the slot is as it was."""
        body = orjson.dumps(told)
        if len(body) <= SLOT_BYTES - _HEAD.size:
            start = slot * SLOT_BYTES
            self._memory[start : start + _HEAD.size + len(body)] = _HEAD.pack(len(body), crc32(body)) + body

    def read(self, slot: int) -> dict[str, Any] | None:
        """Return what a slot holds, None before the first writing."""
        start = slot * SLOT_BYTES
        for _ in range(_TRIES):
            size, check = _HEAD.unpack_from(self._memory, start)
            if not size:
                return None
            body = self._memory[start + _HEAD.size : start + _HEAD.size + min(size, SLOT_BYTES)]
            if crc32(body) == check:
                told: dict[str, Any] = orjson.loads(body)
                return told
        return None  # its writer died in the middle

    def read_all(self) -> list[dict[str, Any]]:
        """Return what all slots hold."""
        return [told for slot in range(self._slots) if (told := self.read(slot)) is not None]
