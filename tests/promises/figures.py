"""What the proofs found, for docs/reliability.md: written as lines of JSON where PROMISE_FIGURES names a file."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

VARIABLE = "PROMISE_FIGURES"


@dataclass(frozen=True, slots=True)
class Trial:
    """So many tries, so many failures. Shape: what is a sentence's beginning, unit the plural of one try."""

    what: str
    unit: str
    tries: int
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """A ratio and the limit that it is held to. Shape: limit starts with its sign, "≤ 2"."""

    what: str
    value: float
    limit: str


def note(*figures: Trial | Measured) -> None:
    """Write figures down where they are asked for. Called by a proof before it asserts."""
    file = os.environ.get(VARIABLE)
    if not file:
        return
    with Path(file).open("a", encoding="utf-8") as lines:
        lines.writelines(
            json.dumps({"kind": type(each).__name__, **asdict(each)}, ensure_ascii=False) + "\n" for each in figures
        )


def read(file: Path) -> list[Trial | Measured]:
    """Return what was written down. Errors: OSError, ValueError, KeyError."""
    kinds = {kind.__name__: kind for kind in (Trial, Measured)}
    found = []
    for line in file.read_text(encoding="utf-8").splitlines():
        fields = json.loads(line)
        found.append(kinds[fields.pop("kind")](**fields))
    return found
