"""Lines of the tables that people read: a figure, its spread, its budget and whether it was met."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table. Shape: spread is empty where there is one value only; is_met None without a budget."""

    what: str
    value: str
    spread: str = ""
    budget: str = ""
    is_met: bool | None = None
    by_processor_time: str = ""

    def cells(self) -> tuple[str, ...]:
        """Return the line's texts."""
        verdict = {True: "met", False: "**missed**", None: ""}[self.is_met]
        return self.what, self.value, self.spread, self.budget, verdict, self.by_processor_time


def at_least(what: str, values: Sequence[float], limit: float) -> Row:
    """Return the line of a ratio whose median must reach a limit."""
    line = figure(what, values, "{:.2f}")
    return Row(what, line.value, line.spread, f"≥ {limit:g}", median(values) >= limit)


def at_most(what: str, values: Sequence[float], limit: float) -> Row:
    """Return the line of a ratio whose median must not exceed a limit."""
    line = figure(what, values, "{:.2f}")
    return Row(what, line.value, line.spread, f"≤ {limit:g}", median(values) <= limit)


def milliseconds(what: str, values_s: Sequence[float]) -> Row:
    """Return the line of a duration. Units: values_s are seconds."""
    return figure(what, [value * 1000 for value in values_s], "{:.2f} ms")


def figure(what: str, values: Sequence[float], form: str) -> Row:
    """Return the line of a figure: median and range, written as `form` says."""
    spread = f"{form.format(min(values))} … {form.format(max(values))}" if len(values) > 1 else ""
    return Row(what, form.format(median(values)), spread)


def markdown(head: tuple[str, ...], rows: Sequence[Row]) -> list[str]:
    """Return the table's lines; as many cells of each row as the head has."""
    used = [head, *(row.cells()[: len(head)] for row in rows)]
    widths = [max(len(line[column]) for line in used) for column in range(len(head))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |" for line in used
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return [lines[0], rule, *lines[1:]]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that a share of all does not exceed, by nearest rank. Shape: share 0.5 is the median."""
    return sorted(values)[max(math.ceil(len(values) * share) - 1, 0)]
