"""From scores to the table that people read, and into the page that keeps it."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from user_agents import parse

from bench.accuracy.corpus import HELD_OUT, Labelled, strings
from bench.accuracy.goals import ALONE_US, CACHED_US, COLD_US, GOALS, default_hints, is_met
from bench.accuracy.score import Score, footfall, plain_user_agents, score, with_hints
from server.enrich import bots, user_agent
from server.enrich.hints import Hints

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "accuracy.md"
BEGIN, END = "<!-- accuracy:begin -->", "<!-- accuracy:end -->"
_ROUNDS = 5
_TIMED = 2000
_REMEMBERED = 500  # fit into the caches
_RARE, _CHROME = "rare strings", "Chrome's, with hints"


def create_report() -> tuple[str, bool]:
    """Return the report as Markdown, and whether every goal of accuracy is met."""
    rows = strings(HELD_OUT)
    ours, plain = score(rows, footfall), score(rows, plain_user_agents)
    sources = sorted({row.source for row in rows})
    lines = [
        f"{len(rows):,} strings that no rule was made on, from {len(sources)} sources: {', '.join(sources)}.",
        "",
        "| Question | Footfall | user-agents alone | goal | | strings |",
        "|---|---|---|---|---|---|",
        *(_line(ours[question], plain[question]) for question in GOALS),
        "",
        *_hint_lines(rows),
        "",
        *_time_lines(rows),
    ]
    return "\n".join(lines), all(is_met(question, ours[question].share) for question in GOALS)


def write_page(report: str) -> None:
    """Replace what stands between the page's marks. Errors: ValueError when the marks are gone."""
    text = PAGE.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise ValueError(f"{PAGE.name} has lost its marks {BEGIN} and {END}")
    head, rest = text.split(BEGIN, 1)
    PAGE.write_text(f"{head}{BEGIN}\n{report}\n{END}{rest.split(END, 1)[1]}", encoding="utf-8")


def _line(ours: Score, plain: Score) -> str:
    question = ours.question
    sign = "≤" if question == "people taken for programs" else "≥"
    verdict = _verdict(is_met=is_met(question, ours.share))
    shares = f"{ours.share:.1%} | {plain.share:.1%} | {sign} {GOALS[question]:.1%}"
    return f"| {question} | {shares} | {verdict} | {ours.strings:,} |"


def _hint_lines(rows: Sequence[Labelled]) -> list[str]:
    """Return how the strings of Chrome fare without and with the three headers that Chrome always sends."""
    hinted = {row: hints for row in rows if (hints := default_hints(row))}
    without = score(hinted, footfall)
    having = score(hinted, lambda row: with_hints(row, hinted[row]))
    table = [
        f"| {name} | {each.share:.1%} | {having[name].share:.1%} | {each.strings:,} |"
        for name, each in without.items()
        if name in GOALS
    ]
    return ["| Chrome's strings | string alone | with the three default hints | strings |", "|---|---|---|---|", *table]


def _time_lines(rows: Sequence[Labelled]) -> list[str]:
    """Return the times here, and what they would be where user-agents is as fast as when the goals were set.

    Each round's own time of user-agents is the measure for the others: how fast a machine is changes within a minute.
    """
    texts = [row.user_agent for row in rows[:: max(1, len(rows) // _TIMED)]]
    rare = [(text, Hints()) for text in texts]
    chrome = [(row.user_agent, hints) for row in rows if (hints := default_hints(row))]
    alone: list[float] = []
    rounds: dict[str, list[float]] = {f"{name}, {how}": [] for name in (_RARE, _CHROME) for how in ("cold", "cached")}
    for _ in range(_ROUNDS):
        alone.append(_microseconds(parse, [(text,) for text in texts]))
        for name, pairs in ((_RARE, rare), (_CHROME, chrome)):
            user_agent.forget()
            bots.forget()
            rounds[f"{name}, cold"].append(_microseconds(_ask, pairs))
            few = pairs[-_REMEMBERED:]
            rounds[f"{name}, cached"].append(_microseconds(_ask, few))
    return [
        f"| Processor time a string | here | where user-agents takes {ALONE_US} µs | goal | |",
        "|---|---|---|---|---|",
        *(
            time_row(name, times, [ALONE_US / each for each in alone], CACHED_US if "cached" in name else COLD_US)
            for name, times in rounds.items()
        ),
        f"| user-agents alone, rare strings | {median(alone):.0f} µs | {ALONE_US} µs | | |",
    ]


def time_row(name: str, times_us: Sequence[float], scales: Sequence[float], goal_us: float) -> str:
    """Return a row: a time here, scaled, its goal and whether the scaled one meets it. Units: microseconds.

    Shape:  one time and one scale for each round; medians are shown.
    """
    scaled_us = median(time_us * scale for time_us, scale in zip(times_us, scales, strict=True))
    verdict = _verdict(is_met=scaled_us <= goal_us)
    return f"| {name} | {median(times_us):.1f} µs | {scaled_us:.1f} µs | ≤ {goal_us} µs | {verdict} |"


def _verdict(*, is_met: bool) -> str:
    return "met" if is_met else "**missed**"


def _ask(text: str, hints: Hints) -> None:
    user_agent.describe(text, hints)
    bots.bot_reason(text, False, hints)


def _microseconds(ask: Callable[..., object], questions: Sequence[tuple[Any, ...]]) -> float:
    start = time.process_time()
    for question in questions:
        ask(*question)
    return (time.process_time() - start) / len(questions) * 1e6
