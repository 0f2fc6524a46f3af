"""The express lane: a POST to `/collect` that came whole is answered without a task, a scope and an ASGI conversation.

What it is
    The HTTP server's own connection, with one more way through it. A request goes the express way when all of it was
    in one read from the socket, nothing before it on the connection waits for its answer, and it asks for nothing
    special (no query, no Expect, no Upgrade, HTTP/1.1). Nearly every tracker's request is such a one. Every other one
    goes the ASGI way, untouched, from its first byte: slow clients, large bodies, all other paths.

Why
    The ASGI way (a scope, a task, an event, two sends and so two writes to the socket) costs as much as all
    the work on the event. Both ways end in the same function, `collect.take_batch`, and give the same answers.

What it relies on
    The attributes of uvicorn's HttpToolsProtocol that its own methods share: url, headers, cycle, pipeline. A test
    goes through all ways on one connection, so that a version of uvicorn that differs is found.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from server.web.answers import AnswerHead

Answer = Callable[[AnswerHead, bytes], None]
Take = Callable[[dict[str, Any], bytes, asyncio.AbstractEventLoop, Answer], None]


class Lane(Protocol):
    """What an application says of its express lane. Shape: targets are request targets as they are sent."""

    express_targets: frozenset[bytes]

    def take_express(self, scope: dict[str, Any], body: bytes, loop: asyncio.AbstractEventLoop, answer: Answer) -> None:
        """Answer a request, now or later in the loop. Shape: scope has headers, client and query_string."""


class _Signal:
    """Stands in for the event that an ASGI conversation waits for; nobody waits here."""

    def set(self) -> None:
        """Do nothing."""


_SIGNAL = _Signal()


class _NoTimer:
    """Stands in for the timer of an idle connection, which says that it is idle."""

    def cancel(self) -> None:
        """Do nothing."""


_NO_TIMER = _NoTimer()


class _Trailers(list[tuple[bytes, bytes]]):
    """Takes what comes behind a body, which is none of the request's headers and may be a lot, and keeps nothing."""

    def append(self, _: tuple[bytes, bytes]) -> None:
        """Drop a line."""


TRAILERS = _Trailers()


class _Exchange:
    """One request on the express way, in the place of uvicorn's cycle: what its protocol asks a cycle for."""

    __slots__ = ("_connection", "disconnected", "keep_alive", "response_complete")

    message_event = _SIGNAL
    more_body = False
    response_started = False

    def __init__(self, connection: "ExpressProtocol") -> None:
        self._connection = connection
        self.keep_alive = True
        self.disconnected = False
        self.response_complete = False

    def answer(self, head: AnswerHead, body: bytes) -> None:
        """Send the answer, all of it in one write."""
        if self.response_complete:
            return
        self.response_complete = True
        self._connection.send_answer(head, body, keep_alive=self.keep_alive)


class ExpressProtocol(HttpToolsProtocol):
    """One connection. Made by the HTTP server, which is told to by `express_protocol`."""

    lane: Lane
    server_lines: "_ServerLines"
    takes_express = True
    _body: bytes | None = None
    _head: list[tuple[bytes, bytes]]

    def on_message_begin(self) -> None:
        """Begin a request; its scope is made only where it goes the ASGI way."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """Choose the way."""
        self._head = self.headers
        if self._is_express():
            self._body = b""
        else:
            self._go_the_asgi_way()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        if self._body is None:
            super().on_body(body)
        else:
            self._body = self._body + body if self._body else body

    def on_message_complete(self) -> None:
        """Have a whole request answered."""
        if self._body is None:
            super().on_message_complete()
            return
        body, self._body = self._body, None
        exchange = _Exchange(self)
        exchange.keep_alive = self.parser.should_keep_alive()
        self.cycle = exchange  # type: ignore[assignment]  # it has what is asked of a cycle
        scope = {"headers": self._head, "client": self.client, "query_string": b""}
        self.lane.take_express(scope, body, self.loop, exchange.answer)

    def data_received(self, data: bytes) -> None:
        """Take a read's bytes; a request of which some is still to come goes the ASGI way, with all limits there."""
        super().data_received(data)
        if self._body is not None:
            body, self._body = self._body, None
            if not self.transport.is_closing():
                self._go_the_asgi_way()
                super().on_body(body)

    def send_answer(self, head: AnswerHead, body: bytes, *, keep_alive: bool) -> None:
        """Write an answer and go on with the connection's next request, or close it."""
        transport = self.transport
        if transport.is_closing():
            return
        end = b"content-length: %d\r\n\r\n" if keep_alive else b"connection: close\r\ncontent-length: %d\r\n\r\n"
        lines = self.server_lines.of(self.server_state.default_headers)
        transport.write(b"".join((head.raw, lines, end % len(body), body)))
        if not keep_alive:
            transport.close()
        if self.pipeline:
            self.on_response_complete()
            return
        # as there, without a timer for each request: the guard looks at all connections and ends idle ones
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self.timeout_keep_alive_task = _NO_TIMER  # type: ignore[assignment]  # it has what is asked of a timer

    def _is_express(self) -> bool:
        parser = self.parser
        return (
            self.takes_express
            and self.url in self.lane.express_targets
            and (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused  # who does not read answers waits for his next one
            and parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and not (self.expect_100_continue or self.root_path)
            and self.limit_concurrency is None
        )

    def _go_the_asgi_way(self) -> None:
        """Do what the HTTP server does when a request's headers are complete."""
        url, expects = self.url, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += self._head  # the list that the new scope holds
        super().on_headers_complete()
        self.headers = TRAILERS


class _ServerLines:
    """The headers that the server puts on every answer (the date), as bytes; it makes them anew each second."""

    def __init__(self) -> None:
        self._headers: list[tuple[bytes, bytes]] = []
        self._lines = b""

    def of(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        """Return the headers as they go over the wire."""
        if headers is not self._headers:
            self._headers = headers
            self._lines = b"".join(b"%s: %s\r\n" % pair for pair in headers)
        return self._lines


def express_protocol(application: Lane) -> type[ExpressProtocol]:
    """Return the protocol of an application that has an express lane."""
    return type("ExpressProtocol", (ExpressProtocol,), {"lane": application, "server_lines": _ServerLines()})
