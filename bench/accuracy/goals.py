"""What is asked of the answers, and the client hints that the strings are tried with."""

import re

from bench.accuracy.corpus import Labelled
from server.enrich.hints import Hints, create_hints

GOALS = {
    "device type": 0.92,
    "tablets": 0.90,
    "mainstream browsers": 0.95,
    "systems": 0.95,
    "programs found": 0.93,
    "people taken for programs": 0.003,
}
"""Per question the least share of right answers, but for people taken for programs: there it is the greatest."""

COLD_US, CACHED_US = 40, 2
ALONE_US = 550
"""What user-agents alone took of the machine that the goals of time were set on: how they carry over to another."""

_CHROMIUM = re.compile(r"Chrome/(\d+)\.[\d.]+ (Mobile )?Safari/[\d.]+$")
_PLATFORMS = (
    ("Android", "Android"),
    ("CrOS", "Chrome OS"),
    ("Macintosh", "macOS"),
    ("Windows", "Windows"),
    ("X11", "Linux"),
)


def is_met(question: str, share: float) -> bool:
    """Return whether a question's share is good enough."""
    return share <= GOALS[question] if question == "people taken for programs" else share >= GOALS[question]


def default_hints(row: Labelled) -> Hints | None:
    """Return the three headers that Chrome sends today with such a string, or None for another browser's."""
    found = _CHROMIUM.search(row.user_agent)
    platform = next((name for token, name in _PLATFORMS if token in row.user_agent), None)
    if found is None or platform is None or "; wv" in row.user_agent or int(found[1]) < 60:
        return None
    brands = f'"Chromium";v="{found[1]}", "Google Chrome";v="{found[1]}", "Not/A)Brand";v="8"'
    return create_hints(brands, "?1" if found[2] else "?0", f'"{platform}"', None, 0)
