"""Distributions counted on the way, for /metrics: plain integers, no lock, one writer each."""

from bisect import bisect_left
from collections.abc import Sequence

SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)


class Histogram:
    """How often a value was at most each bound. `observe` is for one thread, reading for any."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def add(self, counts: Sequence[int], total: float) -> None:
        """Add what another histogram of the same bounds has counted."""
        self.counts = [own + other for own, other in zip(self.counts, counts, strict=True)]
        self.total += total

    def buckets(self) -> list[tuple[str, float]]:
        """Return (upper bound, how many values were at most that), as Prometheus wants it; the last is +Inf."""
        rows: list[tuple[str, float]] = []
        below = 0
        for bound, count in zip([*self.bounds, "+Inf"], list(self.counts), strict=True):
            below += count
            rows.append((str(bound), below))
        return rows
