"""What is asked of enrichment, on strings that no rule was made on. Accuracy is deterministic, so it is asserted."""

import pytest

from bench.accuracy.corpus import HELD_OUT, TUNE, Labelled, strings
from bench.accuracy.goals import GOALS, default_hints, is_met
from bench.accuracy.report import time_row
from bench.accuracy.score import Score, footfall, score, with_hints

# Fewer than these would say nothing; what the sources hold now is well above.
LEAST_STRINGS = {
    "device type": 2000,
    "tablets": 300,
    "mainstream browsers": 1500,
    "systems": 1500,
    "programs found": 700,
    "people taken for programs": 1000,
}


@pytest.fixture(scope="module")
def scores() -> dict[str, Score]:
    return score(strings(HELD_OUT), footfall)


@pytest.mark.parametrize("question", list(GOALS))
def test_goal_is_met(question: str, scores: dict[str, Score]) -> None:
    found = scores[question]
    assert found.strings >= LEAST_STRINGS[question]
    assert is_met(question, found.share), f"{question}: {found.share:.2%} of {found.strings}"


def test_a_time_is_judged_by_what_user_agents_takes_in_the_same_round() -> None:
    """A machine half as fast, then one as fast, then one that was busy once."""
    times_us, scales = [70.0, 36.0, 90.0], [0.5, 1.0, 0.5]
    assert time_row("cold", times_us, scales, 40) == "| cold | 70.0 µs | 36.0 µs | ≤ 40 µs | met |"
    assert time_row("cold", [58.0], [0.7], 40) == "| cold | 58.0 µs | 40.6 µs | ≤ 40 µs | **missed** |"


def test_halves_share_no_string() -> None:
    assert not {row.user_agent for row in strings(TUNE)} & {row.user_agent for row in strings(HELD_OUT)}


def test_default_hints_make_nothing_worse() -> None:
    """A beacon brings three hints; what they say must never cost what the string already told."""
    hinted = {row: hints for row in strings(HELD_OUT) + strings(TUNE) if (hints := default_hints(row))}
    without = score(hinted, footfall)
    having = score(hinted, lambda row: with_hints(row, hinted[row]))
    assert len(hinted) > 300
    assert {name: each.right for name, each in having.items()} == {
        name: max(each.right, having[name].right) for name, each in without.items()
    }


def test_score_tells_wrong_from_right() -> None:
    rows = [
        Labelled("test", "x", "tablet", "Chrome", "Android", True),
        Labelled("test", "ExampleBot/1.0", "bot", None, None, False),
    ]
    found = score(rows, footfall)
    assert {name: (each.right, each.strings) for name, each in found.items()} == {
        "people taken for programs": (1, 1),
        "device type": (0, 1),
        "tablets": (0, 1),
        "mainstream browsers": (0, 1),
        "systems": (0, 1),
        "programs found": (1, 1),
    }
