"""Writes what the proofs found into docs/reliability.md, with the bound that so many tries allow.

Called by `make prove ARGS=--write` with the file that PROMISE_FIGURES named.
"""

import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.promises.figures import Measured, Trial, read

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reliability.md"
BEGIN, END = "<!-- prove:begin -->", "<!-- prove:end -->"
RULE_OF_THREE = 3
"""With no failure in n tries, the rate of failures is below 3/n at 95 % confidence: (1 - 3/n)^n is about 0.05."""


def report(figures: Sequence[Trial | Measured]) -> str:
    """Return the tables as Markdown. Errors: ValueError without any trial."""
    trials = [each for each in figures if isinstance(each, Trial)]
    values = [each for each in figures if isinstance(each, Measured)]
    if not trials:
        raise ValueError("there is not one trial: run `make prove` to its end")
    times = sorted(each.at for each in figures)
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    lines = [
        f"Found between {times[0]} and {times[-1]} UTC on {machine}.",
        "",
        "| Tried | times | failed | at most, at 95 % |",
        "|---|---|---|---|",
        *(f"| {each.what} | {each.tries:,} {each.unit} | {int(each.failures)} | {bound(each)} |" for each in trials),
        "",
        "| Measured | value | limit |",
        "|---|---|---|",
        *(f"| {each.what} | {told(each.value)} | {each.limit} |" for each in values),
    ]
    return "\n".join(lines)


def bound(trial: Trial) -> str:
    """Return the highest rate of failures that the result does not rule out; none is told where there were failures."""
    if trial.failures:
        return "**failed**"
    return f"{100 * RULE_OF_THREE / trial.tries:.2g} %" if trial.tries > RULE_OF_THREE else ""


def told(value: float) -> str:
    """Return a value with three digits that count, or as a whole number."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - from here on all digits are whole


def main(file: Path) -> int:
    """Rewrite what stands between the page's marks; return the exit status."""
    text = PAGE.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        print(f"{PAGE.name} has lost its marks {BEGIN} and {END}", file=sys.stderr)
        return 1
    head, rest = text.split(BEGIN, 1)
    page = f"{head}{BEGIN}\n{report(read(file))}\n{END}{rest.split(END, 1)[1]}"
    PAGE.write_text(page, encoding="utf-8")
    print(f"wrote {PAGE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
