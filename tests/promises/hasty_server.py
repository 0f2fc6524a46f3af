"""Footfall whose webhooks wait a hundredth of the published pauses: a test has no day.

Started by the promise tests as a process of its own.
"""

import sys

from server.outgoing import courier, schedule
from server.serving import serve
from server.settings import read_settings

HASTE = 100
TIMEOUT_S = 0.5


def main() -> int:
    """Serve until told to stop; return the exit status."""
    schedule.DELAYS_S = tuple(seconds / HASTE for seconds in schedule.DELAYS_S)  # type: ignore[assignment]
    courier.EXCHANGE_TIMEOUT_S = TIMEOUT_S
    return serve(read_settings(), shows_demo=False)


if __name__ == "__main__":
    sys.exit(main())
