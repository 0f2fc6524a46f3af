"""What the proofs found, for docs/reliability.md: written as lines of JSON where PROMISE_FIGURES names a file."""

import json
import os
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

VARIABLE = "PROMISE_FIGURES"


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M}"


@dataclass(frozen=True, slots=True)
class Trial:
    """So many tries, so many failures. Shape: what begins a sentence; unit is the plural of one try."""

    what: str
    unit: str
    tries: int
    failures: int = 0
    at: str = field(default_factory=_now)


@dataclass(frozen=True, slots=True)
class Measured:
    """A value and the limit that it is held to. Shape: limit is empty where there is none, else like "≤ 2"."""

    what: str
    value: float
    limit: str = ""
    at: str = field(default_factory=_now)


def note(*figures: Trial | Measured) -> None:
    """Write figures down where they are asked for. Called by a proof before it asserts."""
    file = os.environ.get(VARIABLE)
    if not file:
        return
    lines = [json.dumps({"kind": type(each).__name__, **asdict(each)}, ensure_ascii=False) for each in figures]
    with Path(file).open("a", encoding="utf-8") as written:
        written.write("\n".join([*lines, ""]))


def read(file: Path) -> list[Trial | Measured]:
    """Return what was written down: trials of the same added up, of values the latest.

    Errors: OSError, ValueError, KeyError.
    """
    found: dict[str, Trial | Measured] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        fields = json.loads(line)
        if fields.pop("kind") == "Measured":
            found[fields["what"]] = Measured(**fields)
            continue
        trial = Trial(**fields)
        before = found.get(trial.what)
        if isinstance(before, Trial):
            tries, failures = before.tries + trial.tries, before.failures + trial.failures
            trial = replace(trial, tries=tries, failures=failures)
        found[trial.what] = trial
    return list(found.values())
