"""When a delivery that failed is tried again. Pure; the dates are in docs/webhooks_out.md."""

from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

DELAYS_S = (5, 30, 120, 900, 3_600, 21_600, 86_400)
"""Pauses after the first, second … failed attempt; after one more the delivery is dead."""

JITTER = 0.2
LONGEST_RETRY_AFTER_S = 86_400


def delay_ms(failures: int, retry_after_s: float | None, random: Callable[[], float]) -> int | None:
    """Return the pause before the next attempt, None when there is none.

    Shape:  failures counts the attempts so far, at least 1; random returns 0 to 1. A target may ask for a longer pause
            than the schedule has, up to LONGEST_RETRY_AFTER_S, never for a shorter one.
    """
    if failures > len(DELAYS_S):
        return None
    pause_s = DELAYS_S[failures - 1] * (1 + JITTER * random())
    if retry_after_s is not None:
        pause_s = max(pause_s, min(retry_after_s, LONGEST_RETRY_AFTER_S))
    return round(pause_s * 1000)


def longest_pause_ms() -> int:
    """Return how long one pause can be. What would end later was begun while the clock was ahead: it is over."""
    return round(max(DELAYS_S[-1] * (1 + JITTER), LONGEST_RETRY_AFTER_S) * 1000)


def pause_end_ms(until_ms: int, now_ms: int) -> int:
    """Return when a pause that was to last until an instant ends, now at the earliest."""
    return until_ms if now_ms < until_ms <= now_ms + longest_pause_ms() else now_ms


def longest_wait_ms() -> int:
    """Return how long the pauses are together: who has waited longer behind a target that is away goes with it."""
    return int(sum(DELAYS_S) * 1000)


def read_retry_after(text: str | None, now_ms: int) -> float | None:
    """Return the seconds that a Retry-After header asks for, None where there is none. Source: RFC 9110, 10.2.3."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdecimal() and len(text) < 10:  # noqa: PLR2004 - thirty years, in digits
        return float(text)
    try:
        found = parsedate_to_datetime(text)
        told = found if found.tzinfo else found.replace(tzinfo=UTC)  # without a zone it is not this server's
        return max(0.0, told.timestamp() - now_ms / 1000)
    except (ValueError, OverflowError, OSError):
        return None
