"""What collectors tell the process that shows live events: one datagram for each, and whether anybody watches.

For several processes on one machine, made by their parent before they are. A datagram that finds no room is lost,
as is what is older than a watcher can take: the live stream is a view. Whoever watches is told that something is lost.
"""

import contextlib
import mmap
import socket
from collections.abc import Iterator

MAX_DATAGRAM_BYTES = 160 * 1024

Message = tuple[str, str | None, bytes]

MISSED: Message = ("missed", None, b"{}")
"""Told to all watchers in place of messages that were lost."""

_WATCHED, _LOST = 0, 1  # the shared bytes


class LiveWire:
    """Owns the sockets and the shared bytes. Collectors send, one process receives."""

    def __init__(self) -> None:
        self._sender, self._receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sender.setblocking(False)
        self._receiver.setblocking(False)
        self._shared = mmap.mmap(-1, mmap.PAGESIZE)

    def is_watched(self) -> bool:
        """Return whether anybody watches; asked for every request."""
        return self._shared[_WATCHED] != 0

    def watch(self, *, is_watched: bool) -> None:
        """Say whether anybody watches."""
        self._shared[_WATCHED] = is_watched

    def send(self, messages: list[Message]) -> None:
        """Tell what there is room for."""
        for verdict, site, data in messages:
            try:
                if len(data) <= MAX_DATAGRAM_BYTES:
                    self._sender.send(b"\n".join((verdict.encode(), (site or "").encode(), data)))
                    continue
            except OSError:  # no room: what fills it is still to be received, and after it that something is lost
                pass
            self._shared[_LOST] = True

    def fileno(self) -> int:
        """Return what can be waited on for messages."""
        return self._receiver.fileno()

    def receive(self) -> Iterator[Message]:
        """Yield what has come, and at its end whether something could not come."""
        with contextlib.suppress(BlockingIOError):
            while True:
                verdict, site, data = self._receiver.recv(2 * MAX_DATAGRAM_BYTES).split(b"\n", 2)
                yield verdict.decode(), site.decode() or None, data
        if self._shared[_LOST]:
            self._shared[_LOST] = False
            yield MISSED
