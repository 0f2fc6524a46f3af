"""The bench asks what the dashboard's scripts ask: every path they name, with the numbers they have."""

import re
from pathlib import Path

from bench.browser import MOST, NAMES, PAGE, ROWS, counts, finding, history

SCRIPTS = Path(__file__).resolve().parents[2] / "server" / "web" / "static" / "dashboard" / "js"


def script(name: str) -> str:
    """Return a script's text."""
    return (SCRIPTS / name).read_text(encoding="utf-8")


def constant(text: str, name: str) -> int:
    """Return a number that a script names."""
    found = re.search(rf"const {name} = (\d+);", text)
    assert found, name
    return int(found.group(1))


def test_every_path_is_asked() -> None:
    named = {
        path
        for file in SCRIPTS.glob("*.js")
        for path in re.findall(r"(?<![.\w])get\(\s*\"([^\"]+)\"", file.read_text())
    }
    once = {"catalogue"}  # titles, from no store
    asked = {question.path for question in [counts(), NAMES, *history(), *history(cursor="c"), finding("anna")]}
    assert named - once == asked


def test_numbers_are_the_scripts_own() -> None:
    assert constant(script("history.js"), "PAGE") == PAGE
    assert constant(script("finding.js"), "MOST") == MOST
    assert constant(script("counts.js"), "ROWS") == ROWS
