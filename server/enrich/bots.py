"""Whether an event comes from a program rather than a person: a reason, never a verdict to drop it.

Known programs are the package crawler-user-agents' list; what programs in general write into their strings is
`bots.toml`. Python's engine takes 190 to 370 µs for the 1,500 patterns of the list; the compiled one that ua-parser
brings takes 5 µs for all of them and gives the same answers.
"""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from server.enrich.device_kind import model_in
from server.enrich.hints import Hints
from server.enrich.parsed_agent import MAX_USER_AGENT_CHARS, compile_patterns, has_any

if TYPE_CHECKING:
    import ua_parser_rs

WEBDRIVER = "navigator.webdriver"
HEADLESS = "headless"
KNOWN = "crawler-user-agents"
DESCRIBED = "user-agent"

_HEADLESS_TOKENS = ("headless", "phantomjs", "electron-prerender", "puppeteer", "playwright")
_ADDRESS = "address"
_NO_HINTS = Hints()

_building = Lock()


def bot_reason(user_agent: str | None, is_webdriver: bool, hints: Hints = _NO_HINTS) -> str | None:  # noqa: FBT001 - the one question asked
    """Return why an event is taken for a program's, or None.

    Shape:  `navigator.webdriver` where the browser says so itself, `headless` for a browser without a window (its
            brand tells where its string does not), `crawler-user-agents` for a string on the list, `user-agent` for
            one that describes a program. A missing string is none: a site's own server sends none.
    """
    if is_webdriver:
        return WEBDRIVER
    if (hints.brands and "Headless" in hints.brands) or any(
        "Headless" in brand for brand, _ in hints.full_version_list
    ):
        return HEADLESS
    return _reason(user_agent[:MAX_USER_AGENT_CHARS]) if user_agent else None


def warm_up() -> None:
    """Build what is otherwise built by the first visitor (0.06 s, 9 MB)."""
    _programs()


def forget() -> None:
    """Empty the cache, for measuring."""
    _reason.cache_clear()


# As many as answers about browsers: 98 % of real traffic.
@lru_cache(maxsize=2048)
def _reason(text: str) -> str | None:
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()  # the compiled patterns take no lone surrogates
    lowered = text.lower()
    reason = _match(text, lowered)
    if reason not in {None, HEADLESS} and (model := model_in(text)):
        # Phones are called Sonic, Chirp and Spider.
        without = text.replace(model, "")
        return _match(without, without.lower())
    return reason


def _match(text: str, lowered: str) -> str | None:
    programs = _programs()
    if found := programs.find(text):
        if found.family != _ADDRESS:
            return found.family
        if not has_any(lowered, programs.harmless_addresses):
            return DESCRIBED
    if text and not has_any(lowered, programs.people):
        return DESCRIBED
    return None


@dataclass(frozen=True, slots=True)
class _Programs:
    """What tells programs. Shape: the families found are reasons, `_ADDRESS` one that has exceptions."""

    find: "Callable[[str], ua_parser_rs.UserAgent | None]"
    harmless_addresses: tuple[str, ...]
    people: tuple[str, ...]


@lru_cache(maxsize=1)
def _programs() -> _Programs:
    with _building:
        return _compile()


@lru_cache(maxsize=1)
def _compile() -> _Programs:
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA

    rules = tomllib.loads((Path(__file__).parent / "bots.toml").read_text("utf-8"))
    reasons = {
        "words": DESCRIBED,
        "products": DESCRIBED,
        "libraries": DESCRIBED,
        "forms": DESCRIBED,
        "addresses": _ADDRESS,
    }
    skip = frozenset(rules["list"]["skip"])
    patterns = [(f"(?i){re.escape(token)}", HEADLESS) for token in _HEADLESS_TOKENS]
    patterns += [(entry["pattern"], KNOWN) for entry in CRAWLER_USER_AGENTS_DATA if entry["pattern"] not in skip]
    patterns += [
        (f"(?i){pattern}", reason) for group, reason in reasons.items() for pattern in rules[group]["patterns"]
    ]
    return _Programs(compile_patterns(patterns), tuple(rules["addresses"]["except"]), tuple(rules["people"]["tokens"]))
