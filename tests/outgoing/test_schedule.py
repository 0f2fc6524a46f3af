"""When a failed delivery is tried again: as docs/webhooks_out.md publishes it."""

import re
import time
from itertools import pairwise
from pathlib import Path

import pytest

from server.outgoing.schedule import DELAYS_S, JITTER, delay_ms, longest_wait_ms, read_retry_after
from tests.factories import NOW_MS

PAGE = Path(__file__).parent.parent.parent / "docs" / "webhooks_out.md"
UNITS = {"s": 1, "min": 60, "h": 3600}


def test_the_published_schedule_is_the_one_that_is_kept() -> None:
    (line,) = re.findall(r"^Pauses: (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    published = [int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+) (s|min|h)\b", line)]
    assert tuple(published) == DELAYS_S


def test_pauses_grow_and_end() -> None:
    pauses = [delay_ms(failures, None, lambda: 0.0) for failures in range(1, len(DELAYS_S) + 1)]
    assert pauses == [seconds * 1000 for seconds in DELAYS_S]
    assert all(first < second for first, second in pairwise(DELAYS_S))
    assert delay_ms(len(DELAYS_S) + 1, None, lambda: 0.0) is None
    assert longest_wait_ms() == sum(DELAYS_S) * 1000


def test_chance_adds_up_to_a_fifth() -> None:
    assert delay_ms(2, None, lambda: 1.0) == 30_000 * (1 + JITTER)


@pytest.mark.parametrize(
    ("asked", "pause_ms"), [(0.0, 5_000), (4.0, 5_000), (60.0, 60_000), (10**9, 86_400_000), (-5.0, 5_000)]
)
def test_a_target_may_ask_for_more_time_within_bounds_never_for_less(asked: float, pause_ms: int) -> None:
    assert delay_ms(1, asked, lambda: 0.0) == pause_ms


def test_asking_for_time_does_not_make_the_schedule_longer() -> None:
    assert delay_ms(len(DELAYS_S) + 1, 60.0, lambda: 0.0) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("Mon, 23 Nov 2026 14:04:22 GMT", 60.0),
        ("Mon, 23 Nov 2020 14:04:22 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("1e9", None),
        ("9" * 40, None),
        ("\u0663", None),
    ],
)
def test_retry_after_is_read_in_both_forms(text: str | None, seconds: float | None) -> None:
    assert read_retry_after(text, NOW_MS) == seconds


@pytest.mark.parametrize("zone", ["", " -0000"])
def test_a_date_without_a_zone_is_utc_wherever_the_server_is(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "EST5")
        time.tzset()
        found = read_retry_after(f"Mon, 23 Nov 2026 14:04:22{zone}", NOW_MS)
    time.tzset()
    assert found == 60.0
