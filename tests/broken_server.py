"""What listens at a port and is no server as one expects: it says what it is told to."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LIVE = b'HTTP/1.1 200 OK\r\ncontent-length: 34\r\nconnection: close\r\n\r\n{"status": "ok", "version": "0.1"}'


@contextmanager
def broken_server(*answers: bytes, asked: list[bytes] | None = None) -> Iterator[int]:
    """Yield the port of a server that gives these answers, one each to who asks next, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for answer in answers:
                connection, _ = listening.accept()
                with connection:
                    request = connection.recv(65536)
                    if asked is not None:
                        asked.append(request)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()
