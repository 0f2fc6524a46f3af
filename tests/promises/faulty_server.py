"""Footfall with a store that can be taken away: while the data folder holds STORE_AWAY, writing it fails.

Started by the promise tests as a process of its own.
"""

import sys
from collections.abc import Sequence

from server.events.head import Numbered
from server.serving import serve
from server.settings import read_settings
from server.storage.duckdb import DuckDBStore

STORE_AWAY = "store-away"


def main() -> int:
    """Serve until told to stop; return the exit status."""
    settings = read_settings()
    append = DuckDBStore.append

    def append_unless_away(self: DuckDBStore, events: Sequence[Numbered], queue_id: str, position: int) -> int:
        if (settings.data_dir / STORE_AWAY).exists():
            raise ConnectionError("the store is away")
        return append(self, events, queue_id, position)

    DuckDBStore.append = append_unless_away  # type: ignore[method-assign]  # the fault that this server is for
    return serve(settings, shows_demo=False)


if __name__ == "__main__":
    sys.exit(main())
