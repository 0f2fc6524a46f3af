"""What the processes of one machine share beside their files: made by their parent, before it makes them."""

from dataclasses import dataclass, field

from server.ingest.live_wire import LiveWire
from server.ingest.tally import SharedTallies


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Where the processes meet.

    Shape:  app_socket is the path of the Unix socket on which the one that answers listens; slot is a collector's
            number, None in the one that answers.
    """

    app_socket: str
    tallies: SharedTallies
    live_wire: LiveWire = field(default_factory=LiveWire)
    slot: int | None = None
