"""A crowd of connections that send a byte now and then and begin anew when they are closed; a process of its own.

`python -m tests.promises.slow_crowd PORT COUNT` says `ready` when all are open, and goes on until it is killed.
"""

import contextlib
import sys
import time
from itertools import cycle

from tests.promises.raw_client import RawClient, request_of

ROUND_S = 1.0


class Slow:
    """One place in the crowd."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._client = RawClient(port)
        self._rest = request_of()

    def send_a_byte(self) -> None:
        """Send the next byte, on a new connection where the server has closed this one."""
        try:
            self._client.send(self._rest[:1])
            self._rest = self._rest[1:]
        except OSError:
            self._client.socket.close()
            with contextlib.suppress(OSError):
                self._client, self._rest = RawClient(self._port), request_of()


def main(port: int, count: int) -> None:
    """Be slow until killed."""
    crowd = [Slow(port) for _ in range(count)]
    print("ready", flush=True)  # noqa: T201 - whoever started this waits for it
    for one in cycle(crowd):
        one.send_a_byte()
        time.sleep(ROUND_S / count)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
