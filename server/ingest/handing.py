"""What was committed just now, handed from the committer to the writer in memory: not read and decoded a second time.

A short cut and nothing else: the queue's file has all of it. The writer takes from here what follows its position
without a gap, and reads the file where there is one: after a start, when more is waiting than is kept here, and where
something was put into the queue by another way.
"""

import threading
from collections import deque
from collections.abc import Sequence

from server.ingest.queue_file import Record
from server.ingest.reading import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, Waiting

# one batch: a second part from the file would cost the store a second transaction
MAX_EVENTS = MAX_BATCH_EVENTS
MAX_BYTES = MAX_BATCH_BYTES  # of encoded events; decoded they take about three times as much


class Handing:
    """Between two threads. Shape: numbers are those of the queue's events, which grow."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: deque[tuple[int, Sequence[Record]]] = deque()
        self._events = 0
        self._bytes = 0
        self._newest = 0

    def put(self, first: int, records: Sequence[Record]) -> None:
        """Offer events that were committed, in their order. Shape: first is the first one's number, others follow."""
        size_bytes = sum(len(record.event) for record in records)
        with self._lock:
            self._newest = first + len(records) - 1
            if self._events + len(records) <= MAX_EVENTS and self._bytes + size_bytes <= MAX_BYTES:
                self._groups.append((first, records))
                self._events += len(records)
                self._bytes += size_bytes

    def take(self, position: int) -> tuple[list[Waiting], bool]:
        """Return what follows a position without a gap, and whether more was committed behind it.

        What is not behind the position is forgotten, and so is what is returned.
        """
        taken: list[Waiting] = []
        with self._lock:
            while self._groups and self._groups[0][0] <= position + 1:
                first, records = self._groups.popleft()
                self._events -= len(records)
                self._bytes -= sum(len(record.event) for record in records)
                for seq, record in enumerate(records, first):
                    if seq > position:
                        taken.append(Waiting(seq, record.event, record.fields))
                position = max(position, first + len(records) - 1)
            return taken, self._newest > position
