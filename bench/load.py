"""The load generator: keep-alive connections driven by one epoll loop, nothing between it and the sockets.

An asyncio client was not taken: it costs as much for each request as the bare server that it has to outrun. The
share of time that the generator is busy is part of every result; below 0.5 it could drive twice as much.
"""

import select
import socket
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from time import perf_counter, process_time

from bench.traffic import AnyTemplate, Stamps

RECEIVE_BYTES = 65_536
STALL_S = 10.0
HEADER_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


@dataclass(frozen=True, slots=True)
class Block:
    """What one stretch of load brought.

    Shape:  latencies_s are sorted; with a given rate they count from the moment the request was due; refusals
            are the answers other than 200 and 204.
    """

    requests: int
    events: int
    refusals: Sequence[bytes]
    seconds: float
    busy_share: float
    latencies_s: "array[float]"

    @property
    def requests_per_s(self) -> float:
        """Return the throughput in requests."""
        return self.requests / self.seconds

    @property
    def events_per_s(self) -> float:
        """Return the throughput in events."""
        return self.events / self.seconds

    def latency_s(self, share: float) -> float:
        """Return a percentile of the latencies. Units: seconds; share 0.5 is the median."""
        return self.latencies_s[min(int(len(self.latencies_s) * share), len(self.latencies_s) - 1)]


class Connection:
    """One socket and the request that is on its way on it."""

    __slots__ = ("answer", "due_s", "events", "received", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.answer = b""
        self.due_s = 0.0
        self.events = 0

    def send(self, request: bytes, due_s: float, events: int) -> None:
        """Send a request; one larger than the socket's buffer blocks until the server has read."""
        self.due_s = due_s
        self.events = events
        self.socket.sendall(request)

    def receive(self) -> int:
        """Return the answer's status, 0 while it is incomplete."""
        received = self.socket.recv(RECEIVE_BYTES)
        if not received:
            raise ConnectionResetError("the server closed the connection")
        if self.received:
            received = self.received + received
        head, found, body = received.partition(HEADER_END)
        if not found or len(body) < _body_length(head):
            self.received = received
            return 0
        self.received = b""
        self.answer = received
        return int(received[9:12])


def _body_length(head: bytes) -> int:
    start = head.lower().find(_LENGTH)
    return int(head[start + len(_LENGTH) :].split(b"\r\n", 1)[0]) if start >= 0 else 0


def run_closed(port: int, templates: Sequence[AnyTemplate], connections: int, seconds: float) -> Block:
    """Keep every connection busy: the next request follows the answer."""
    return _Run(port, templates, connections).closed(seconds)


def run_open(port: int, templates: Sequence[AnyTemplate], connections: int, seconds: float, rate: float) -> Block:
    """Send at a fixed rate whatever the server does. Units: rate is requests per second."""
    return _Run(port, templates, connections).open(seconds, rate)


def run_once(port: int, templates: Sequence[AnyTemplate], connections: int) -> Block:
    """Send every request once, over connections that are kept busy."""
    return _Run(port, templates, connections).once(len(templates))


class _Run:
    """One stretch of load."""

    def __init__(self, port: int, templates: Sequence[AnyTemplate], connections: int) -> None:
        self._templates = cycle(templates)
        self._stamps = Stamps()
        self._poll = select.epoll()
        self._connections = {each.socket.fileno(): each for each in (Connection(port) for _ in range(connections))}
        for descriptor in self._connections:
            self._poll.register(descriptor, select.EPOLLIN)
        self._latencies = array("d")
        self._events = 0
        self._refusals: list[bytes] = []

    def closed(self, seconds: float) -> Block:
        """Run with all connections always busy."""
        start, busy = perf_counter(), process_time()
        for connection in self._connections.values():
            self._send(connection, perf_counter())
        end = start + seconds
        while perf_counter() < end:
            for connection in self._answered(1.0):
                self._send(connection, perf_counter())
        return self._finish(start, busy, len(self._connections))

    def once(self, requests: int) -> Block:
        """Send so many requests with all connections always busy."""
        start, busy = perf_counter(), process_time()
        idle = list(self._connections.values())
        for _ in range(requests):
            while not idle:
                idle = self._answered(1.0)
            self._send(idle.pop(), perf_counter())
        while len(self._latencies) < requests:
            self._answered(STALL_S)
        return self._finish(start, busy, 0)

    def open(self, seconds: float, rate: float) -> Block:
        """Run at a fixed rate. Polls without waiting: a timer would be coarser than the latencies."""
        start, busy = perf_counter(), process_time()
        idle = list(self._connections.values())
        sent = 0
        total = int(rate * seconds)
        while sent < total:
            idle.extend(self._answered(0.0))
            now = perf_counter()
            while idle and sent < total and start + sent / rate <= now:
                self._send(idle.pop(), start + sent / rate)
                sent += 1
        return self._finish(start, busy, len(self._connections) - len(idle))

    def _send(self, connection: Connection, due_s: float) -> None:
        self._stamps.refresh()
        template = next(self._templates)
        connection.send(template.render(self._stamps), due_s, template.events)

    def _answered(self, timeout_s: float) -> list[Connection]:
        done: list[Connection] = []
        for descriptor, _ in self._poll.poll(timeout_s):
            connection = self._connections[descriptor]
            status = connection.receive()
            if not status:
                continue
            self._latencies.append(perf_counter() - connection.due_s)
            if status in {200, 204}:
                self._events += connection.events
            else:
                self._refusals.append(connection.answer)
            done.append(connection)
        return done

    def _finish(self, start: float, busy: float, on_their_way: int) -> Block:
        """Stop the clocks, then wait for what is on its way, so that the next block finds a quiet server."""
        seconds, busy_s = perf_counter() - start, process_time() - busy
        requests, events, refusals = len(self._latencies), self._events, list(self._refusals)
        deadline = perf_counter() + STALL_S
        while on_their_way:
            on_their_way -= len(self._answered(1.0))
            if perf_counter() > deadline:
                raise TimeoutError(f"{on_their_way} requests have had no answer for {STALL_S:g} s")
        for connection in self._connections.values():
            connection.socket.close()
        self._poll.close()
        return Block(requests, events, refusals, seconds, busy_s / seconds, array("d", sorted(self._latencies)))
