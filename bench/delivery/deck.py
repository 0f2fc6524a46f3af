"""What happens to the next request: cards dealt from a shuffled deck, so that the rate of faults is exact."""

import random
from collections.abc import Callable, Sequence
from enum import StrEnum

DECK_SIZE = 20


class Fate(StrEnum):
    """What the network does to one request."""

    PASS = "pass"  # noqa: S105 - no password
    RESET = "reset before the server has seen it"
    LOSE_ANSWER = "reset after the server has processed it"
    BUSY = "503"
    BARE_BUSY = "503 of a balancer, which scripts may not read"
    LIMITED = "429 with Retry-After"


Draw = Callable[[], Fate]


class Deck:
    """Shape: DECK_SIZE cards, all PASS but the `faults`; shuffled anew when used up. The seed fixes all orders."""

    def __init__(self, seed: str, faults: Sequence[Fate]) -> None:
        self._random = random.Random(seed)
        self._cards = [*faults, *[Fate.PASS] * (DECK_SIZE - len(faults))]
        self._rest: list[Fate] = []

    def draw(self) -> Fate:
        """Return the next card."""
        if not self._rest:
            self._rest = self._random.sample(self._cards, DECK_SIZE)
        return self._rest.pop()


def always(fate: Fate) -> Draw:
    """Return a draw that knows one card only."""
    return lambda: fate
