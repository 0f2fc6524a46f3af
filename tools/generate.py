"""Writes every generated file, or with `--check` names those that are stale and fails.

A further file is one more line in GENERATED.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # it runs as a plain file, with nothing installed

from server.events.catalogue import load_catalogue
from tools.generate_events_page import events_page
from tools.generate_settings import settings_page
from tools.generate_types import event_types

ROOT = Path(__file__).resolve().parent.parent

GENERATED: tuple[tuple[str, Callable[[], str]], ...] = (
    ("docs/events.md", lambda: events_page(load_catalogue())),
    ("docs/settings.md", settings_page),
    ("tracker_js/src/catalogue.ts", lambda: event_types(load_catalogue())),
)


def stale_files(root: Path) -> list[str]:
    """Return the generated files below root that are missing or differ from what would be written now."""
    return [path for path, text in GENERATED if _read(root / path) != text()]


def write_files(root: Path) -> list[str]:
    """Write the stale files below root and return them; the others keep their modification time."""
    stale = stale_files(root)
    for path, text in GENERATED:
        if path in stale:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text(), encoding="utf-8", newline="\n")
    return stale


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(description="Write the files that are derived from catalogue and settings.")
    parser.add_argument("--check", action="store_true", help="write nothing; name stale files and exit with 1")
    if parser.parse_args(arguments).check:
        stale = stale_files(root)
        for path in stale:
            print(f"{path} is stale: run `make generate`", file=sys.stderr)
        return 1 if stale else 0
    for path in write_files(root):
        print(f"wrote {path}")
    return 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
