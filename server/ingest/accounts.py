"""The count of everything that arrived: received = accepted + duplicate + rejected, at any instant.

Counts are raised in one go when the verdicts are final, by the event loop only; metrics read them.
"""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Accounts:
    """Counts since the start of the process. Shape: the counters' keys are codes."""

    accepted: int = 0
    duplicate: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    corrected: Counter[str] = field(default_factory=Counter)
    refused_requests: Counter[str] = field(default_factory=Counter)

    @property
    def received(self) -> int:
        """Return how many events have a final verdict."""
        return self.accepted + self.duplicate + self.rejected.total()
