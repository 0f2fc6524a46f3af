"""From scores to the table that people read, and into the page that keeps it."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from user_agents import parse

from bench.accuracy.corpus import HELD_OUT, Labelled, strings
from bench.accuracy.goals import CACHED_US, COLD_US, GOALS, default_hints, is_met
from bench.accuracy.score import Score, footfall, plain_user_agents, score, with_hints
from server.enrich import bots, user_agent
from server.enrich.hints import Hints

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "accuracy.md"
BEGIN, END = "<!-- accuracy:begin -->", "<!-- accuracy:end -->"
_ROUNDS = 5
_TIMED = 2000


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
    texts = [row.user_agent for row in rows[:: max(1, len(rows) // _TIMED)]]
    chrome = [(row.user_agent, hints) for row in rows if (hints := default_hints(row))]
    no_hints = [(text, Hints()) for text in texts]
    lines = ["| Processor time a string | cold | goal | | cached | goal | |", "|---|---|---|---|---|---|---|"]
    for name, pairs in (("rare strings", no_hints), ("Chrome's, with hints", chrome)):
        cold, cached = _microseconds(pairs, is_cold=True), _microseconds(pairs[:500], is_cold=False)
        lines.append(f"| {name} | {time_cells(cold, COLD_US, 1)} | {time_cells(cached, CACHED_US, 2)} |")
    # How fast this machine is just now: research measured 550 µs where the goals were set.
    alone = _timed(lambda: [parse(text) for text in texts]) / len(texts) * 1e6
    return [*lines, f"| user-agents alone, rare strings | {alone:.0f} µs | | | | | |"]


def time_cells(found_us: float, goal_us: float, digits: int) -> str:
    """Return a time, its goal and whether that is met, as cells of a row. Units: microseconds."""
    return f"{found_us:.{digits}f} µs | ≤ {goal_us} µs | {_verdict(is_met=found_us <= goal_us)}"


def _verdict(*, is_met: bool) -> str:
    return "met" if is_met else "**missed**"


def _microseconds(pairs: Sequence[tuple[str, Hints]], *, is_cold: bool) -> float:
    def once() -> None:
        for text, hints in pairs:
            user_agent.describe(text, hints)
            bots.bot_reason(text, False, hints)

    once()
    return min(_timed(once, is_cold=is_cold) for _ in range(_ROUNDS)) / len(pairs) * 1e6


def _timed(once: Callable[[], object], *, is_cold: bool = False) -> float:
    if is_cold:
        user_agent.forget()
        bots.forget()
    start = time.process_time()
    once()
    return time.process_time() - start
