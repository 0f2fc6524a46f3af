"""What collectors tell the process that shows live events: one datagram for each, and whether anybody watches.

For several processes on one machine, made by their parent before they are. A datagram that finds no room is lost,
as is what is older than a watcher can take: the live stream is a view and promises nothing.
"""

import contextlib
import mmap
import socket
from collections.abc import Iterator

MAX_DATAGRAM_BYTES = 160 * 1024

Message = tuple[str, str | None, bytes]


class LiveWire:
    """Owns the sockets and the shared byte. Collectors send, one process receives."""

    def __init__(self) -> None:
        self._sender, self._receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sender.setblocking(False)
        self._receiver.setblocking(False)
        self._watched = mmap.mmap(-1, mmap.PAGESIZE)

    def is_watched(self) -> bool:
        """Return whether anybody watches; asked for every request."""
        return self._watched[0] != 0

    def watch(self, *, is_watched: bool) -> None:
        """Say whether anybody watches."""
        self._watched[0] = is_watched

    def send(self, messages: list[Message]) -> None:
        """Tell what there is room for."""
        for verdict, site, data in messages:
            if len(data) <= MAX_DATAGRAM_BYTES:
                with contextlib.suppress(OSError):
                    self._sender.send(b"\n".join((verdict.encode(), (site or "").encode(), data)))

    def fileno(self) -> int:
        """Return what can be waited on for messages."""
        return self._receiver.fileno()

    def receive(self) -> Iterator[Message]:
        """Yield what has come."""
        with contextlib.suppress(BlockingIOError):
            while True:
                verdict, site, data = self._receiver.recv(2 * MAX_DATAGRAM_BYTES).split(b"\n", 2)
                yield verdict.decode(), site.decode() or None, data
