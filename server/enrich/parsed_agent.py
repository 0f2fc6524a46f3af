"""A user agent string as user-agents sees it: families made plain, and its rules for tablet, mobile and pc.

user-agents parses with a loop of Python patterns at 550 µs a string. ua-parser's compiled extractors give the
same answers from the same data in 15 µs, so their results are put into user-agents' object here. Both are
loaded on first use: an idle collector does not pay their 30 MB. The extractors are asked themselves: the objects
that ua-parser's resolver makes of their answers, and enumerations, cost 4 µs a question.
"""

import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from types import ModuleType

    import ua_parser_rs
    from user_agents.parsers import UserAgent

MAX_USER_AGENT_CHARS = 1000

# What ua-parser's device patterns answer for the most usual beginnings, or what they may as well have answered:
# half of the time goes into them, and an iPhone or a computer running Windows is told by its first words.
_USUAL_DEVICES = {
    "Mozilla/5.0 (Windows NT ": ("Other", None, None),
    "Mozilla/5.0 (Macintosh; ": ("Mac", "Apple", "Mac"),
    "Mozilla/5.0 (X11; Linux x86_64) ": ("Other", None, None),
    "Mozilla/5.0 (X11; Linux x86_64; rv:": ("Other", None, None),
    "Mozilla/5.0 (X11; Ubuntu; ": ("Other", None, None),
    "Mozilla/5.0 (X11; CrOS ": ("Other", None, None),
    "Mozilla/5.0 (iPhone; ": ("iPhone", "Apple", "iPhone"),
    "Mozilla/5.0 (iPad; ": ("iPad", "Apple", "iPad"),
    "Mozilla/5.0 (Linux; Android 10; K) ": ("K", "Generic_Android", "K"),
}
_OTHER = ("Other", None, None)
_UNNAMED = ("Other", (), "")
_HARMONY = re.compile(r"HarmonyOS[ /]?(\d+(?:\.\d+){0,2})?")
_FIRE = re.compile(r"\bSilk/|; (?:AFT|AEO|KF)[A-Z]{1,8}\d{0,3}(?: Build/|[;)])")
_FIRE_TOKENS = ("Silk/", "; AFT", "; KF", "; AEO")  # one of them is in all that the pattern finds
_IOS_BROWSERS = re.compile("(?:CriOS|FxiOS|EdgiOS|OPiOS|OPT|GSA)/")
_USUAL_STARTS = tuple(_USUAL_DEVICES)

_building = Lock()


class ParsedAgent(NamedTuple):
    """What a string alone says. Shape: unknown texts are None; versions have at most three parts."""

    browser: str | None
    browser_version: str | None
    os: str | None
    os_version: str | None
    brand: str | None
    model: str | None
    rules: "UserAgent"

    @property
    def is_tablet(self) -> bool:
        """Return whether user-agents takes it for a tablet; its rules cost 1 µs each, and not all are needed."""
        return bool(self.rules.is_tablet)

    @property
    def is_mobile(self) -> bool:
        """Return whether user-agents takes it for a phone."""
        return bool(self.rules.is_mobile)

    @property
    def is_pc(self) -> bool:
        """Return whether user-agents takes it for a computer."""
        return bool(self.rules.is_pc)


@dataclass(frozen=True, slots=True)
class Families:
    """Plain names. Shape: each maps a name in other people's words to ours; app, maker and system map tokens."""

    browser: dict[str, str]
    os: dict[str, str]
    brand: dict[str, str]
    app: dict[str, str]
    maker: dict[str, str]
    system: dict[str, str]


@lru_cache(maxsize=1)
def families() -> Families:
    """Return the plain names, read once."""
    return Families(**tomllib.loads((Path(__file__).parent / "families.toml").read_text("utf-8")))


class _Engine(NamedTuple):
    """What every string needs, looked up once: imports within functions cost 1 µs each time."""

    browser: "Callable[[str], ua_parser_rs.UserAgent | None]"
    system: "Callable[[str], ua_parser_rs.OS | None]"
    device: "Callable[[str], ua_parser_rs.Device | None]"
    app: "Callable[[str], ua_parser_rs.UserAgent | None]"
    unlisted_system: "Callable[[str], ua_parser_rs.UserAgent | None]"
    parsers: "ModuleType"


@lru_cache(maxsize=1)
def _create_engine() -> _Engine:
    from ua_parser import load_lazy_builtins
    from ua_parser.regex import Resolver
    from user_agents import parsers

    known = Resolver(load_lazy_builtins())
    return _Engine(
        known.ua.extract,
        known.os.extract,
        known.de.extract,
        compile_patterns((rf"\b{re.escape(token)}/", token) for token in families().app),
        compile_patterns((rf"(?i)\b{re.escape(token)}", token) for token in families().system),
        parsers,
    )


@lru_cache(maxsize=1)
def _engine() -> _Engine:
    """Return what was built by the first caller in 0.15 s; those who ask meanwhile wait for it."""
    with _building:
        return _create_engine()


def compile_patterns(names: Iterable[tuple[str, str]]) -> "Callable[[str], ua_parser_rs.UserAgent | None]":
    """Return what finds in a text the first of many patterns, its name as the `family`, by ua-parser's engine.

    Shape:  names are (pattern, name) pairs; patterns are Rust's regular expressions, which take linear time.
    """
    from ua_parser_rs import UserAgentExtractor

    return UserAgentExtractor((pattern, name, None, None, None, None) for pattern, name in names).extract


def parse_agent(text: str) -> ParsedAgent:
    """Return what a user agent string says. Shape: text is valid Unicode of at most MAX_USER_AGENT_CHARS."""
    app = _find_app(text)
    # An app's token is taken out: device patterns take some of them for a device. A television's too, which would be
    # the browser, and the maker behind it the system; and HarmonyOS, which stands where the model is looked for.
    heard = text[: app.start()] + text[app.end() :] if app else text
    rules = library_object(heard.replace("HbbTV/", "").replace("; HarmonyOS; ", "; "))
    browser, browser_version = _browser(rules, app)
    os, os_version = _system(rules, text)
    _, brand, model = rules.device
    return ParsedAgent(browser, browser_version or None, os, os_version or None, brand, model, rules)


@lru_cache(maxsize=1024)
def device_of_model(model: str) -> tuple[str | None, str | None]:
    """Return (brand or None, model) of a bare Android model name, by asking for the string it would stand in."""
    text = f"Mozilla/5.0 (Linux; Android 14; {model}) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile Safari/537.36"
    device = _engine().device(text)
    if device and not is_generic(device.brand):
        return device.brand, device.model
    makers = families().maker
    return next((makers[start] for start in makers if model.startswith(start)), None), model


def has_any(text: str, tokens: tuple[str, ...]) -> bool:
    """Return whether a text has one of some tokens, at half of what `any()` costs."""
    for token in tokens:  # noqa: SIM110 - asked several times for each string
        if token in text:
            return True
    return False


def is_generic(brand: str | None) -> bool:
    """Return whether a brand of ua-parser's says no more than that there is a device."""
    return brand is None or brand.startswith("Generic")


def library_object(text: str) -> "UserAgent":
    """Return user-agents' object for a string, filled from the compiled extractors instead of its own parser."""
    engine = _engine()
    parsers = engine.parsers
    agent: UserAgent = object.__new__(parsers.UserAgent)
    agent.ua_string = text
    browser, system = engine.browser(text), engine.system(text)
    agent.browser = parsers.Browser(*(browser.family, (), _version(browser)) if browser else _UNNAMED)
    agent.os = parsers.OperatingSystem(*(system.family, (), _version(system)) if system else _UNNAMED)
    device = _usual_device(text)
    if device is None:
        made = engine.device(text)
        device = (made.family, made.brand, made.model) if made else _OTHER
    agent.device = parsers.Device(*device)
    return agent


def _usual_device(text: str) -> tuple[str, str | None, str | None] | None:
    if text.startswith(_USUAL_STARTS) and "Lumia" not in text:
        return next(device for start, device in _USUAL_DEVICES.items() if text.startswith(start))
    return None


def _version(found: "ua_parser_rs.UserAgent | ua_parser_rs.OS") -> str:
    major, minor, patch = found.major, found.minor, found.patch
    if major and minor:
        return f"{major}.{minor}.{patch}" if patch else f"{major}.{minor}"
    return ".".join(filter(None, (major, minor, patch)))


def _find_app(text: str) -> re.Match[str] | None:
    # Most strings hold none, which the compiled patterns tell in a third of the time.
    return _app_pattern().search(text) if _engine().app(text) else None


@lru_cache(maxsize=1)
def _app_pattern() -> re.Pattern[str]:
    tokens = "|".join(map(re.escape, families().app))
    return re.compile(rf"\b({tokens})/(\d+(?:\.\d+){{0,2}})?")


@lru_cache(maxsize=1)
def _system_pattern() -> re.Pattern[str]:
    tokens = "|".join(map(re.escape, families().system))
    return re.compile(rf"\b({tokens})(?:[ /](\d+(?:[._]\d+){{0,2}}))?", re.IGNORECASE)


def _browser(agent: Any, app: re.Match[str] | None) -> tuple[str | None, str]:
    if app:
        return families().app[app[1]], app[2] or ""
    family = agent.browser.family
    # ua-parser takes every WebKit without a browser's name for Apple's mail program, consoles too.
    if family == "Other" or (family == "Apple Mail" and agent.os.family == "Other"):
        return None, ""
    return families().browser.get(family, family), agent.browser.version_string


def _system(agent: Any, text: str) -> tuple[str | None, str]:
    family = agent.os.family
    if "Macintosh" in text and _IOS_BROWSERS.search(text):
        return "iPadOS", ""  # asks for desktop pages, under a name that no browser has on a Mac
    if family == "Windows" and "Windows Phone" in text:
        return "Windows Phone", ""
    if family == "Android" and (named := _kin_of_android(text)):
        return named
    if family != "Other":
        return families().os.get(family, family), agent.os.version_string
    found = _system_pattern().search(text) if _engine().unlisted_system(text) else None
    if found is None:
        return None, ""
    os = families().system[found[1].lower()]
    # What ua-parser does not recognise is no version of Windows ("NT 10.0"); others say theirs behind the name.
    return os, "" if os == "Windows" else (found[2] or "").replace("_", ".")


def _kin_of_android(text: str) -> tuple[str, str] | None:
    """Return the system that says Android for the sake of compatibility; its versions are not Android's."""
    if found := "HarmonyOS" in text and _HARMONY.search(text):
        return "HarmonyOS", found[1] or ""
    return ("Fire OS", "") if has_any(text, _FIRE_TOKENS) and _FIRE.search(text) else None
