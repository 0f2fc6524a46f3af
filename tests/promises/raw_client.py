"""A client that sends bytes as it likes, for requests that no HTTP library would make."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

TIMEOUT_S = 20.0
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
BEACON = b'{"site":"default","visitor_id":"v","events":[{"name":"Sent slowly"}]}'


class RawClient:
    """One connection. Shape: `with RawClient(port) as client`."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.socket.close()

    def send(self, content: bytes) -> None:
        """Send bytes. Errors: OSError."""
        self.socket.sendall(content)

    def is_open(self) -> bool:
        """Return whether the server has neither answered nor closed."""
        self.socket.setblocking(False)
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            self.socket.settimeout(TIMEOUT_S)
        return False

    def read_to_end(self) -> bytes:
        """Return everything until the server closes. Errors: TimeoutError."""
        received = b""
        while piece := self.socket.recv(65536):
            received += piece
        return received

    def read_answer(self) -> tuple[int, dict[str, str], bytes]:
        """Return (status, headers, body) of one answer with a length. Errors: ConnectionError, TimeoutError."""
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, body = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        while len(body) < int(headers.get("content-length", 0)):
            body += self._more()
        return int(first.split()[1]), headers, body

    def _more(self) -> bytes:
        piece = self.socket.recv(65536)
        if not piece:
            raise ConnectionError("the server closed before the end of its answer")
        return piece


def head_of(length: int, *lines: str) -> bytes:
    """Return the head of a request to /collect whose body has this length."""
    return "\r\n".join(["POST /collect HTTP/1.1", "host: x", f"content-length: {length}", *lines, "", ""]).encode()


def request_of(body: bytes = BEACON, *lines: str) -> bytes:
    """Return a whole request to /collect."""
    return head_of(len(body), *lines) + body


@contextmanager
def many_clients(port: int, count: int) -> Iterator[list[RawClient]]:
    """Yield so many open connections."""
    clients = [RawClient(port) for _ in range(count)]
    try:
        yield clients
    finally:
        for client in clients:
            client.socket.close()
