"""The one source of the current time; tests pass their own. Called by everything that needs an instant."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time. Shape: a call without arguments. Units: whole milliseconds since the epoch, UTC."""

    def __call__(self) -> int:
        """Return the current instant."""
        ...


def now_ms() -> int:
    """Return the system's time in milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000
