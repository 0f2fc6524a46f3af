"""What the processes of one machine share beside their files: made by their parent, before it makes them."""

import mmap
from dataclasses import dataclass, field
from functools import partial

from server.ingest.live_wire import LiveWire
from server.ingest.tally import SharedTallies
from server.web.keys import Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Where the processes meet.

    Shape:  app_socket is the path of the Unix socket on which the one that answers listens; keys are made once, by
            the parent, and so a new password is shown once; slot is a collector's number, None in the one that answers;
            stopping is one byte.
    """

    app_socket: str
    keys: Keys
    tallies: SharedTallies
    live_wire: LiveWire = field(default_factory=LiveWire)
    slot: int | None = None
    stopping: mmap.mmap = field(default_factory=partial(mmap.mmap, -1, 1))

    def stop(self) -> None:
        """Say to all processes that the server is stopping."""
        self.stopping[0] = 1

    def is_stopping(self) -> bool:
        """Return whether the server is stopping, though this process may go on for a while."""
        return self.stopping[0] != 0
