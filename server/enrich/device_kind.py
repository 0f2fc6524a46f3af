"""What kind of device a string and its hints describe: the corrections of user-agents' three rules.

Measured on 20,000 labelled strings, the plain rules take half of all TVs for tablets and nearly every Android
tablet that sends `Mobile` for a phone. The rules' data is `device_kinds.toml`.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from server.enrich.hints import Hints
from server.enrich.parsed_agent import ParsedAgent

PC_SYSTEMS = frozenset({"Windows", "macOS", "Linux", "ChromeOS", "FreeBSD", "OpenBSD", "NetBSD", "Solaris"})

# Source: the form factors of User-Agent Client Hints; a device may name several, the most special one counts.
_FORM_KINDS = {"XR": "Headset", "Watch": "Watch", "Automotive": "Car", "TV": "TV"}
_FORM_TYPES = {"Tablet": "tablet", "EInk": "tablet", "Mobile": "mobile", "Desktop": "pc"}

_MODEL = re.compile(r"Android[^;)]{0,20}; (?:[A-Za-z]{2,3}(?:[-_][A-Za-z]{0,4})?; )?([^;)/]{1,60}?)(?: Build/|[;)])")
_NO_MODELS = frozenset({"K", "U", "wv", "Mobile", "Tablet"})
_MOBILE = re.compile(r"\bmobile\b")


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    tokens: tuple[str, ...]
    words: tuple[tuple[str, re.Pattern[str]], ...]


@dataclass(frozen=True, slots=True)
class _Rules:
    kinds: tuple[_Kind, ...]
    tv_models: re.Pattern[str]
    tablet_tokens: tuple[str, ...]
    tablet_words: tuple[tuple[str, re.Pattern[str]], ...]
    tablet_models: re.Pattern[str]
    phone_models: re.Pattern[str]
    phone_tokens: tuple[str, ...]
    pc_tokens: tuple[str, ...]


@lru_cache(maxsize=1)
def _rules() -> _Rules:
    data = tomllib.loads((Path(__file__).parent / "device_kinds.toml").read_text("utf-8"))
    kinds = (_Kind(name, tuple(kind["tokens"]), _words(kind)) for name, kind in data["kinds"].items())
    return _Rules(
        tuple(kinds),
        re.compile("|".join(data["tv"]["models"]["patterns"])),
        tuple(data["tablet"]["tokens"]),
        _words(data["tablet"]),
        re.compile("|".join(data["tablet"]["models"]["patterns"])),
        re.compile("|".join(data["phone"]["models"]["patterns"])),
        tuple(data["phone"]["tokens"]),
        tuple(data["pc"]["tokens"]),
    )


def _words(rules: dict[str, Any]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((piece, re.compile(word)) for piece, word in rules.get("words", {}).items())


def _has(lowered: str, tokens: tuple[str, ...], words: tuple[tuple[str, re.Pattern[str]], ...]) -> bool:
    for token in tokens:  # a loop: any() over a generator takes three times as long
        if token in lowered:
            return True
    for piece, word in words:  # noqa: SIM110 - likewise
        if piece in lowered and word.search(lowered):
            return True
    return False


def model_in(text: str) -> str:
    """Return the model an Android string names, or an empty text; `K` is Chrome's placeholder for none."""
    found = _MODEL.search(text)
    return found[1] if found and found[1] not in _NO_MODELS else ""


def special_kind(text: str, hints: Hints) -> str | None:
    """Return `TV`, `Console`, `Watch`, `Headset` or `Car`, or None for what is used like a computer or phone."""
    lowered = text.lower()
    for form in hints.form_factors:
        if form in _FORM_KINDS:
            return _FORM_KINDS[form]
    if hints.model:
        lowered = f"{lowered} ; {hints.model.lower()};"
    rules = _rules()
    for kind in rules.kinds:
        if _has(lowered, kind.tokens, kind.words):
            return kind.name
    if "android" in lowered and rules.tv_models.match((hints.model or model_in(text)).lower()):
        return "TV"
    return None


def device_type(text: str, parsed: ParsedAgent, os: str | None, hints: Hints) -> str | None:
    """Return `pc`, `mobile`, `tablet` or None for a device of no special kind.

    Shape:  text is the user agent string; os is the system after the hints were heard.
    """
    lowered = text.lower()
    # browsers that emulate a phone for testing keep saying "Desktop" beside it
    is_mobile = hints.mobile == "?1" or parsed.is_mobile or parsed.is_tablet
    for form, kind in _FORM_TYPES.items():
        if form in hints.form_factors and not (kind == "pc" and is_mobile):
            return kind
    if os == "Android" or parsed.os == "Android":
        return _android_type(lowered, (hints.model or model_in(text)).lower(), parsed, hints)
    if os == "iPadOS" or _is_tablet(lowered, parsed):
        return "tablet"
    return _rest_type(lowered, parsed, os, hints)


def _rest_type(lowered: str, parsed: ParsedAgent, os: str | None, hints: Hints) -> str | None:
    if parsed.is_mobile or hints.mobile == "?1" or any(token in lowered for token in _rules().phone_tokens):
        return "mobile"
    if parsed.is_pc or os in PC_SYSTEMS:
        return "pc"
    if _MOBILE.search(lowered):
        return "mobile"
    return "pc" if any(token in lowered for token in _rules().pc_tokens) else None


def _is_tablet(lowered: str, parsed: ParsedAgent) -> bool:
    if parsed.is_tablet:
        return True
    # Old Windows says "Tablet PC 2.0" on every computer.
    return parsed.os != "Windows" and _has(lowered, _rules().tablet_tokens, _rules().tablet_words)


def _android_type(lowered: str, model: str, parsed: ParsedAgent, hints: Hints) -> str:
    rules = _rules()
    if rules.tablet_models.match(model) or _has(lowered, rules.tablet_tokens, rules.tablet_words):
        return "tablet"
    if parsed.os != "Android":
        # A page asked for as "desktop site": the string is a computer's, only the hints know better.
        return "mobile" if hints.mobile == "?1" or rules.phone_models.match(model) else "tablet"
    if _MOBILE.search(lowered) or rules.phone_models.match(model):
        return "mobile"
    if any(token in lowered for token in rules.phone_tokens):
        return "mobile"
    return "tablet" if parsed.is_tablet else "mobile"
