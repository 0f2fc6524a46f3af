"""A proxy in front of a real server that does to each call what its deck says: for clients that are not ours.

Every fault is one that a network or a busy server makes; what passes, passes unchanged. Preflights and GETs pass.
"""

import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import StrEnum
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import Any

RETRY_AFTER_S = 1
_TIMEOUT_S = 20.0
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


class Fate(StrEnum):
    """What becomes of one call."""

    PASS = "pass"
    BUSY = "503"
    LIMITED = "429"
    LOSE_ANSWER = "lost answer"
    RESET = "reset"


ROUGH = (
    Fate.LOSE_ANSWER,
    Fate.BUSY,
    Fate.PASS,
    Fate.LIMITED,
    Fate.RESET,
    Fate.PASS,
    Fate.LOSE_ANSWER,
    Fate.PASS,
)
"""Every fault, never more than two in a row, so that the most impatient client gets through."""


class FaultProxy:
    """Owns the socket and its threads. Shape: met counts the fates of the POSTs until now."""

    def __init__(self, server_port: int, deck: Sequence[Fate] = ROUGH) -> None:
        self.met: Counter[Fate] = Counter()
        self.server_port = server_port
        self._deck: Iterator[Fate] = cycle(deck)
        self._lock = threading.Lock()
        self._http = _Http(self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._thread.start()
        self.base_url = f"http://127.0.0.1:{self._http.server_port}"

    def draw(self) -> Fate:
        """Return what becomes of the next call."""
        with self._lock:
            fate = next(self._deck)
            self.met[fate] += 1
            return fate

    def close(self) -> None:
        """Free the port."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, *_: Any) -> None:
        """Say nothing: a connection that the proxy itself has reset is no failure."""


class _Handler(BaseHTTPRequestHandler):
    server: _Http

    def do_GET(self) -> None:
        self._pass(b"")

    def do_OPTIONS(self) -> None:
        self._pass(b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        fate = self.server.proxy.draw()
        if fate is Fate.PASS:
            self._pass(body)
        elif fate in {Fate.BUSY, Fate.LIMITED}:
            self._refuse(fate)
        else:
            if fate is Fate.LOSE_ANSWER:
                self._ask(body)
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self.connection.close()

    def _ask(self, body: bytes) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection("127.0.0.1", self.server.proxy.server_port, timeout=_TIMEOUT_S)
        try:
            connection.request(self.command, self.path, body or None, dict(self.headers))
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def _pass(self, body: bytes) -> None:
        try:
            answer, content = self._ask(body)
        except (OSError, HTTPException):
            self.close_connection = True
            return
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP_HEADERS]
        self._answer(answer.status, headers, content)

    def _refuse(self, fate: Fate) -> None:
        headers = [("Content-Type", "application/json"), ("Retry-After", str(RETRY_AFTER_S))]
        if origin := self.headers.get("origin"):
            headers += [("Access-Control-Allow-Origin", origin), ("Access-Control-Expose-Headers", "Retry-After")]
        self._answer(int(fate), headers, b'{"success":false,"code":"busy","message":"Busy."}')

    def _answer(self, status: int, headers: Sequence[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing: the tests' own output is enough."""
