"""From a collector to the process that answers questions: every request that is not about receiving is passed on.

The two talk HTTP over a Unix socket in a folder that only this user can enter. The visitor's address travels in one
header, which a client's own cannot replace. While nobody listens there (the process is being started again), the
answer is 503 with Retry-After.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import httptools
from starlette.types import ASGIApp, Receive, Scope, Send

from server.errors import Unavailable
from server.web.answers import error_answer

CONNECT_S = 5.0
CHUNK_BYTES = 64 * 1024
PEER_HEADER = b"x-footfall-peer"
_HOP_HEADERS = frozenset({b"connection", b"keep-alive", b"transfer-encoding"})
_NOT_PASSED_ON = _HOP_HEADERS | {b"upgrade", b"expect", b"te", PEER_HEADER}
_NOT_PASSED_BACK = _HOP_HEADERS | {b"date"}  # the collector's own server dates its answers


class Relay:
    """The ASGI application of a collector for what it does not answer itself. Shape: path is the Unix socket's."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, and its answer back, both as they come."""
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_unix_connection(self._path)
        except (OSError, TimeoutError):
            await error_answer(_away())(scope, receive, send)
            return
        asking = asyncio.create_task(_ask(scope, receive, writer))
        try:
            await _answer(reader, send, scope, receive)
        finally:
            asking.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await asking
            writer.close()


async def _ask(scope: Scope, receive: Receive, writer: asyncio.StreamWriter) -> None:
    """Send the request; end the connection when the client goes away, which ends a stream without an end."""
    lines = [scope["method"].encode(), b" ", scope["raw_path"]]
    if scope["query_string"]:
        lines += [b"?", scope["query_string"]]
    lines.append(b" HTTP/1.1\r\n")
    is_chunked = False
    for name, value in scope["headers"]:
        if name not in _NOT_PASSED_ON:
            lines += [name, b": ", value, b"\r\n"]
        is_chunked = is_chunked or name == b"transfer-encoding"
    if scope.get("client"):
        lines += [PEER_HEADER, b": %s %d\r\n" % (scope["client"][0].encode(), scope["client"][1])]
    lines.append(b"connection: close\r\n" + (b"transfer-encoding: chunked\r\n" if is_chunked else b""))
    writer.write(b"".join(lines) + b"\r\n")
    with contextlib.suppress(OSError):
        while (message := await receive())["type"] == "http.request":
            if body := message.get("body", b""):
                writer.write(b"%x\r\n%s\r\n" % (len(body), body) if is_chunked else body)
            if is_chunked and not message.get("more_body", False):
                writer.write(b"0\r\n\r\n")
            await writer.drain()
    writer.close()


class _Response:
    """Collects what the parser finds, as ASGI messages."""

    def __init__(self) -> None:
        self._headers: list[tuple[bytes, bytes]] = []
        self._messages: list[dict[str, Any]] = []
        self._parser = httptools.HttpResponseParser(self)
        self.is_begun = False
        self.is_complete = False

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Yield the messages that some bytes make."""
        self._parser.feed_data(data)
        messages, self._messages = self._messages, []
        yield from messages

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        if name.lower() not in _NOT_PASSED_BACK:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Begin the answer."""
        self.is_begun = True
        status = self._parser.get_status_code()
        self._messages.append({"type": "http.response.start", "status": status, "headers": self._headers})

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._messages.append({"type": "http.response.body", "body": body, "more_body": True})

    def on_message_complete(self) -> None:
        """End the answer."""
        self.is_complete = True
        self._messages.append({"type": "http.response.body", "body": b"", "more_body": False})


async def _answer(reader: asyncio.StreamReader, send: Send, scope: Scope, receive: Receive) -> None:
    """Send the answer. Errors: ConnectionError when it ends too early, so that the client's does as well."""
    response = _Response()
    with contextlib.suppress(OSError):
        while not response.is_complete and (data := await reader.read(CHUNK_BYTES)):
            for message in response.feed(data):
                await send(message)
            if response.is_begun and scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return
    if not response.is_begun:
        await error_answer(_away())(scope, receive, send)
    elif not response.is_complete:
        raise ConnectionError("the process that answers has gone away")


def _away() -> Unavailable:
    return Unavailable("starting", "The process that answers is being started.", "Ask again.", retry_after_s=1)


class Behind:
    """The application on the other side of a relay: every request has the address of the client that sent it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of a relay."""
        if scope["type"] == "http":
            headers = [pair for pair in scope["headers"] if pair[0] != PEER_HEADER]
            peer = next((value for name, value in scope["headers"] if name == PEER_HEADER), None)
            scope = {**scope, "headers": headers, "client": _client(peer)}
        await self._app(scope, receive, send)


def _client(peer: bytes | None) -> tuple[str, int] | None:
    if peer is None:
        return None
    host, _, port = peer.decode("latin-1").rpartition(" ")
    return host, int(port)
