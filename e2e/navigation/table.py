"""Reads the written table of navigations. The table's own head says what its columns mean."""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from tools.browsers import ENGINES

TABLE = Path(__file__).with_name("navigations.toml")
LONG = 3000 * "x"
VERBS = frozenset(
    {"run", "click", "open", "background", "back", "reload", "hide", "show", "wait", "at", "until", "newest", "settle"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Navigation:
    """One row. Errors: ValueError for a row that cannot be walked."""

    title: str
    steps: list[str]
    views: list[str]
    start: str = ""
    inclusion: str = "tag"
    starts: int = 1
    attributes: str = ""
    head: str = ""
    body: str = ""
    referrers: list[str] | None = None
    titles: list[str] | None = None
    hits: list[str] | None = None
    not_in: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check what a typing error would silently turn into a row that proves nothing."""
        if unknown := {step.partition(" ")[0] for step in self.steps} - VERBS:
            raise ValueError(f"{self.title}: no such step: {unknown}")
        if unknown := set(self.not_in) - set(ENGINES):
            raise ValueError(f"{self.title}: no such engine: {unknown}")
        for told in (self.referrers, self.titles):
            if told is not None and len(told) != len(self.views):
                raise ValueError(f"{self.title}: one for each view, not {told}")

    @property
    def slug(self) -> str:
        """Return the title as a part of an address."""
        return re.sub(r"\W+", "-", self.title.lower()).strip("-")

    @property
    def engines(self) -> list[str]:
        """Return the engines that the row is walked in."""
        return [engine for engine in ENGINES if engine not in self.not_in]


def read_table() -> list[Navigation]:
    """Return the rows in their order. Errors: ValueError for two rows of one name."""
    text = TABLE.read_text(encoding="utf-8").replace("%REPEAT%", LONG)
    rows = [Navigation(**row) for row in tomllib.loads(text)["navigation"]]
    if len({row.slug for row in rows}) < len(rows):
        raise ValueError("two rows have the same title")
    return rows
