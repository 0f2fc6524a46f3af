"""Fail when a lock file names a host or lacks a hash: it must install from wherever the reader's registry is."""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> int:
    """Return the exit status; each problem is one line."""
    problems = []
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        if "://" in text:
            problems.append(f"{path.name} names a host")
        pinned = re.findall(r"^[a-z0-9._-]+(?:\[[a-z,]+\])?==\S+", text, re.MULTILINE)
        hashed = re.findall(r"^[a-z0-9._-]+(?:\[[a-z,]+\])?==[^\n]*\\\n    --hash=", text, re.MULTILINE)
        if not pinned or len(pinned) != len(hashed):
            problems.append(f"{path.name}: {len(pinned)} packages, {len(hashed)} with hashes")
    for folder in ("tracker_js", "tests/segment_clients"):
        lock = json.loads((ROOT / folder / "package-lock.json").read_text(encoding="utf-8"))
        for name, package in lock["packages"].items():
            if "resolved" in package:
                problems.append(f"{folder}/package-lock.json names a host for {name}")
            if name and "integrity" not in package and not package.get("link"):
                problems.append(f"{folder}/package-lock.json has no hash for {name}")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
