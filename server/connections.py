"""One connection: uvicorn's protocol with an end to all waiting, to the bytes of a request, and with a soft stop.

uvicorn waits for heads and bodies for ever, keeps heads of any length, and closes what is idle at the moment of a stop,
whatever is on its way to it. Called by serving; the limits are in guard.py.
    Time    `look` is called now and then and compares where the connection was with where it is.
    Bytes   of one head, of one message (a refused body is read on: whoever writes does not read the answer).
    Queue   at most MAX_PIPELINED requests behind one that is not answered: each costs much more than its bytes.
    Places  requests beyond `max_requests` at once wait for their turn, those on connections beyond `max_connections`
            for nothing; then they are answered 503 with Retry-After. Probes of health are always answered.
    Stop    the connection ends with its next answer, which says so; an idle one after a moment.
    Upgrade is not done, and the request is answered as if it had not asked (RFC 9110, 7.8); its body is its own.
"""

import asyncio
from functools import partial
from http import HTTPStatus
from typing import Any

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from server.guard import MAX_UNFINISHED_BYTES, RETRY_AFTER_S, Guard, Phase
from server.web.express import TRAILERS

MAX_HEAD_BYTES = 64 * 1024
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
MAX_PIPELINED = 32
LEAST_TAKEN_BYTES = 16 * 1024  # in ANSWER_S, of an answer that waits to be taken
LAST_REQUEST_S = 1.0

_OF_AN_UPGRADE = frozenset({b"upgrade", b"http2-settings"})


class _Parser(httptools.HttpRequestParser):
    """Reads requests. One that asks for an upgrade would lose its body to the next, so it is read anew without that."""

    def __init__(self, protocol: "GuardedProtocol") -> None:
        super().__init__(protocol)
        self._begin_anew = protocol.begin_without_upgrade
        self.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does

    def feed_data(self, data: Any) -> None:
        """Read bytes. Errors: httptools.HttpParserError.

        In a loop over one view: there may be thousands of such requests in what was read at once.
        """
        parser: httptools.HttpRequestParser = self
        while True:
            try:
                httptools.HttpRequestParser.feed_data(parser, data)
            except httptools.HttpParserUpgrade as upgrade:
                data = memoryview(data)[upgrade.args[0] :]
            else:
                return
            parser = self._begin_anew()


class GuardedProtocol(HttpToolsProtocol):
    """One connection. Shape: made by uvicorn, told of its guard by `guarded`."""

    # slots: with more than 30 attributes in its dictionary an object's every access gets slower, and uvicorn's protocol
    # has 28 (measured: 5 µs a request)
    __slots__ = (
        "_answering",
        "_application",
        "_head",
        "_held_bytes",
        "_is_ending",
        "_is_surplus",
        "_message_bytes",
        "_pauses",
        "_seen",
        "_since_s",
        "takes_express",
    )

    guard: Guard

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.parser = _Parser(self)
        self._application = self.app
        self._answering: Any = None
        self._is_surplus = False
        self._is_ending = False
        self._message_bytes = 0
        self._held_bytes = 0
        self._pauses = 0
        self._seen: tuple[object, ...] = ()
        self._since_s = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        """Take the connection. Beyond twice the places nothing but an answer is left to give."""
        super().connection_made(transport)
        limit = self.guard.max_connections
        self._is_surplus = len(self.connections) > limit
        if len(self.connections) > 2 * limit:
            self._end(HTTPStatus.SERVICE_UNAVAILABLE, "busy")

    def connection_lost(self, exc: Exception | None) -> None:
        """Give back what it held, and tell whoever is answering, which need not be the newest request."""
        self._count(0)
        if self._answering is not None:
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes in. What comes in one piece, as nearly all requests do, is not counted."""
        before = self.cycle
        had_more = before is not None and before.more_body
        super().data_received(data)
        if had_more and self.cycle is before and not before.more_body:
            self._count(0)  # the body's last piece
        elif self.cycle is before or self.cycle.more_body:
            self._check_bytes(len(data), is_new=self.cycle is not before)
        elif self._message_bytes:
            self._count(0)

    def begin_without_upgrade(self) -> _Parser:
        """Read the head that was just read as one that asks for no upgrade; return the parser for what is behind it."""
        method, version = self.parser.get_method(), self.parser.get_http_version()
        lines = [b"%s %s HTTP/%s" % (method, self.url, version.encode())]
        for name, value in self.headers:
            if name == b"connection":
                kept = [each for each in value.split(b",") if each.strip().lower() not in _OF_AN_UPGRADE]
                lines.append(b"connection: " + b",".join(kept))
            elif name not in _OF_AN_UPGRADE:
                lines.append(b"%s: %s" % (name, value))
        if method == b"CONNECT" or any(b"\r" in each or b"\n" in each for each in lines):
            raise httptools.HttpParserError("no upgrade")
        parser = self.parser = _Parser(self)
        httptools.HttpRequestParser.feed_data(parser, b"\r\n".join([*lines, b"", b""]))
        return parser

    def on_headers_complete(self) -> None:
        """Begin with a request, or refuse it."""
        if self.parser.should_upgrade():
            return
        if len(self.pipeline) >= MAX_PIPELINED:
            raise httptools.HttpParserError("too many requests at once")
        self.takes_express = not (self._is_surplus or self._is_ending)
        if self._is_surplus or len(self.tasks) >= self.guard.max_requests:
            self.app = self._choose()
        elif self.app is not self._application:
            self.app = self._application
        super().on_headers_complete()
        self.headers = TRAILERS  # the request has its list: what comes behind a body must not change where it came from
        if self._is_ending:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """End a request's body, also one that was answered before its end: uvicorn would wait for more of that one."""
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        if self.cycle is not None and self.cycle.more_body:
            self.cycle.more_body = False

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, unless that would be taken for the answer to one before it."""
        del msg
        self._end(HTTPStatus.BAD_REQUEST, "bad_request")

    def pause_writing(self) -> None:
        """Note that the client does not take what it asked for."""
        self._pauses += 1
        super().pause_writing()

    def shutdown(self) -> None:
        """End with the next answer: an idle client may be sending a request at this moment."""
        self._is_ending = True
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False
        self.loop.call_later(LAST_REQUEST_S, self._end_idle)

    def look(self, now_s: float, *, is_crowded: bool) -> None:
        """Close the connection when it has been in one place for too long. Units: seconds of the loop's clock."""
        phase = self._phase()
        seen = (phase, self.cycle, self._pauses, self.transport.get_write_buffer_size() // LEAST_TAKEN_BYTES)
        if seen != self._seen:
            self._seen, self._since_s = seen, now_s
        elif now_s - self._since_s >= self.guard.patience_s(phase, is_crowded=is_crowded):
            self._give_up(phase)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _phase(self) -> Phase:
        cycle = self.cycle
        if self.flow.write_paused or self.transport.get_write_buffer_size():
            return "answer"
        if cycle is None or cycle.response_complete:
            return "head" if self.timeout_keep_alive_task is None else "idle"
        return "body" if cycle.more_body else "busy"

    def _give_up(self, phase: Phase) -> None:
        if phase == "answer":
            self.guard.refused("slow_reader", 0)
            self.transport.abort()
        elif phase == "idle" or (phase == "head" and not self._message_bytes):
            self.transport.close()  # nothing was asked
        else:
            self._end(HTTPStatus.REQUEST_TIMEOUT, f"slow_{phase}")

    def _choose(self) -> Any:
        """Return who answers the request that has begun."""
        if self._is_surplus and len(self.connections) <= self.guard.max_connections:
            self._is_surplus = False
        if self.url.startswith(b"/health/"):
            return self._application
        if self._is_surplus:
            return self.guard.answer_late
        if len(self.tasks) < self.guard.max_requests:
            return self._application
        return partial(self.guard.answer_in_turn, self._application, self.tasks)

    def _check_bytes(self, received: int, *, is_new: bool) -> None:
        """Count bytes of a message that is not whole yet."""
        cycle = self.cycle
        is_body = cycle is not None and cycle.more_body
        self._count(received if is_new else self._message_bytes + received)
        if not is_body and self._message_bytes > MAX_HEAD_BYTES:
            self._end(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large")
        elif self._message_bytes > MAX_MESSAGE_BYTES:
            self.transport.close()
        elif self.guard.unfinished_bytes > MAX_UNFINISHED_BYTES:
            self._end(HTTPStatus.SERVICE_UNAVAILABLE, "busy")

    def _count(self, message_bytes: int) -> None:
        self._message_bytes = message_bytes
        cycle = self.cycle
        # of a body that was refused already, nothing is kept
        held = message_bytes if cycle is not None and cycle.more_body and not cycle.response_complete else 0
        self.guard.unfinished_bytes += held - self._held_bytes
        self._held_bytes = held

    def _end_idle(self) -> None:
        if not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()  # once its answers are taken

    def _end(self, status: HTTPStatus, code: str) -> None:
        """Answer in front of any application, unless an answer to an earlier request is on its way, and close."""
        self.guard.refused(code, status)
        cycle = self.cycle
        is_mine = cycle is None or cycle.response_complete or (cycle.more_body and not cycle.response_started)
        if is_mine and not self.pipeline:
            body = orjson.dumps({"error": {"code": code, "message": status.phrase, "hint": status.description}})
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\nconnection: close\r\n"
            if status == HTTPStatus.SERVICE_UNAVAILABLE:
                head += f"retry-after: {RETRY_AFTER_S}\r\n"
            self.transport.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        self.transport.close()


def guarded(guard: Guard, base: type[HttpToolsProtocol] = HttpToolsProtocol) -> type[GuardedProtocol]:
    """Return the protocol of a server with this guard, in front of another one's ways."""
    return type(
        "GuardedProtocol",
        (GuardedProtocol,) if base is HttpToolsProtocol else (GuardedProtocol, base),
        {"guard": guard},
    )
