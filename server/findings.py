"""What `footfall doctor` finds, and how it is shown."""

import sys
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. Shape: advice says what to do, empty where nothing is to be done."""

    level: Level
    text: str
    advice: str = ""


def show(finding: Finding) -> None:
    """Print a finding."""
    mark = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}[finding.level]
    sys.stdout.write(f"{mark}  {finding.text}\n")
    if finding.advice:
        sys.stdout.write(f"         -> {finding.advice}\n")
