"""A receiver of webhooks on loopback that answers as its deck says: for unit and promise tests."""

import itertools
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.fault_proxy import RESET_ON_CLOSE

HANG_S = 60.0


class Reply(StrEnum):
    """What becomes of one webhook, after it has been read and noted."""

    OK = "204"
    BUSY = "503"
    REFUSE = "422"
    GONE = "410"
    REDIRECT = "302"
    RESET = "reset"
    LOSE_ANSWER = "lost answer"
    HANG = "hang"
    DRIP = "drip"
    FLOOD = "flood"


@dataclass(frozen=True, slots=True)
class Received:
    """One webhook as it came. Shape: header names in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    reply: Reply
    connection: int


@dataclass
class Receiver:
    """Owns the socket and its threads.

    Shape:  deck is drawn from in turn; met are all that were read whole; what is longer than max_bytes is answered with
            413 from its headers alone, and the connection closed, as many servers and proxies do; interim are statuses
            of answers that come before each.
    """

    deck: Sequence[Reply] = (Reply.OK,)
    max_bytes: int = 2**63
    interim: Sequence[int] = ()
    tls: ssl.SSLContext | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    met: list[Received] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start listening."""
        self.stopping = threading.Event()
        self.numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._deck: Iterator[Reply] = itertools.cycle(self.deck)
        self._http = _Http(self)
        self.port = self._http.server_port
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def draw(self, handler: BaseHTTPRequestHandler, body: bytes, connection: int) -> Reply:
        """Note a webhook; return what becomes of it."""
        with self._lock:
            reply = next(self._deck)
            headers = {name.lower(): value for name, value in handler.headers.items()}
            self.met.append(Received(handler.path, headers, body, reply, connection))
            return reply

    def change_deck(self, *deck: Reply) -> None:
        """Answer otherwise from now on."""
        with self._lock:
            self._deck = itertools.cycle(deck)

    def close(self) -> None:
        """Free the port; whoever hangs is let go."""
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        super().__init__(("127.0.0.1", 0), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.receiver.tls is None:
            super().finish_request(request, client_address)
            return
        with self.receiver.tls.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)

    def handle_error(self, *_: Any) -> None:
        """Say nothing: clients that go away are what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # an answer that waits in the socket is lost when it is closed before all was read
    server: _Http

    def setup(self) -> None:
        super().setup()
        self._number = next(self.server.receiver.numbers)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Note it as well: only a redirect that is followed comes here."""
        self.do_POST()

    def do_POST(self) -> None:
        """Read the webhook whole, then answer as the deck says."""
        receiver = self.server.receiver
        length = int(self.headers.get("content-length", 0))
        if length > receiver.max_bytes:
            self.send_error(413)
            self.close_connection = True
            return
        body = self.rfile.read(length)
        reply = receiver.draw(self, body, self._number)
        self.wfile.write(b"".join(b"HTTP/1.1 %d Wait\r\nLink: </a.css>\r\n\r\n" % each for each in receiver.interim))
        match reply:
            case Reply.RESET:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                self.close_connection = True
            case Reply.LOSE_ANSWER:
                self.close_connection = True
            case Reply.HANG:
                receiver.stopping.wait(HANG_S)
                self.close_connection = True
            case Reply.DRIP:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
                while not receiver.stopping.wait(0.05):
                    self.wfile.write(b"x")
            case Reply.FLOOD:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
                while not receiver.stopping.is_set():
                    self.wfile.write(b"x" * 65_536)
            case _:
                self.send_response(int(reply))
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()
