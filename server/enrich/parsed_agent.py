"""A user agent string as user-agents sees it: families made plain, and its rules for tablet, mobile and pc.

user-agents parses with a loop of Python patterns at 550 µs a string. ua-parser's compiled resolver gives the
same answers from the same data in 15 µs, so its results are put into user-agents' object here. Both are
loaded on first use: an idle collector does not pay their 30 MB.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ua_parser import Resolver

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
_IOS_BROWSERS = re.compile("(?:CriOS|FxiOS|EdgiOS|OPiOS|OPT|GSA)/")
_USUAL_STARTS = tuple(_USUAL_DEVICES)

_building = Lock()


class ParsedAgent(NamedTuple):
    """What a string alone says. Shape: unknown texts are None; versions have at most three parts."""

    browser: str | None
    browser_version: str | None
    os: str | None
    os_version: str | None
    device_family: str
    brand: str | None
    model: str | None
    is_tablet: bool
    is_mobile: bool
    is_pc: bool


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


@lru_cache(maxsize=1)
def _resolver() -> "Resolver":
    from ua_parser import BestAvailableResolver, load_lazy_builtins

    return BestAvailableResolver(load_lazy_builtins())


def resolver() -> "Resolver":
    """Return ua-parser's compiled resolver, built by the first caller in 0.15 s; the others wait for it."""
    with _building:
        return _resolver()


def parse_agent(text: str) -> ParsedAgent:
    """Return what a user agent string says. Shape: text is valid Unicode of at most MAX_USER_AGENT_CHARS."""
    app = _find_app(text)
    # An app's token is taken out: device patterns take some of them for a device.
    agent = _library_object(text[: app.start()] + text[app.end() :] if app else text)
    browser, browser_version = _browser(agent, app)
    os, os_version = _system(agent, text)
    return ParsedAgent(
        browser=browser,
        browser_version=browser_version or None,
        os=os,
        os_version=os_version or None,
        device_family=agent.device.family,
        brand=agent.device.brand,
        model=agent.device.model,
        is_tablet=agent.is_tablet,
        is_mobile=agent.is_mobile,
        is_pc=agent.is_pc,
    )


@lru_cache(maxsize=1024)
def device_of_model(model: str) -> tuple[str | None, str | None]:
    """Return (brand or None, model) of a bare Android model name, by asking for the string it would stand in."""
    from ua_parser import Domain

    text = f"Mozilla/5.0 (Linux; Android 14; {model}) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile Safari/537.36"
    device = resolver()(text, Domain.DEVICE).device
    if device and not is_generic(device.brand):
        return device.brand, device.model
    makers = families().maker
    return next((makers[start] for start in makers if model.startswith(start)), None), model


def is_generic(brand: str | None) -> bool:
    """Return whether a brand of ua-parser's says no more than that there is a device."""
    return brand is None or brand.startswith("Generic")


def _library_object(text: str) -> Any:
    """Return user-agents' object for a string, filled from the compiled resolver instead of its own parser."""
    from ua_parser import Domain
    from user_agents import parsers

    usual = None
    if text.startswith(_USUAL_STARTS):
        usual = next(device for start, device in _USUAL_DEVICES.items() if text.startswith(start))
    found = resolver()(text, Domain.ALL if usual is None else Domain.USER_AGENT | Domain.OS)
    agent = object.__new__(parsers.UserAgent)
    agent.ua_string = text
    agent.browser = parsers.Browser("Other", (), "")
    if browser := found.user_agent:
        parts = (browser.major, browser.minor, browser.patch)
        agent.browser = parsers.Browser(browser.family, (), _version(parts))
    agent.os = parsers.OperatingSystem("Other", (), "")
    if system := found.os:
        agent.os = parsers.OperatingSystem(system.family, (), _version((system.major, system.minor, system.patch)))
    if device := found.device:
        usual = device.family, device.brand, device.model
    agent.device = parsers.Device(*(usual or ("Other", None, None)))
    return agent


def _version(parts: tuple[str | None, ...]) -> str:
    return ".".join([part for part in parts if part])


def _find_app(text: str) -> re.Match[str] | None:
    for token in families().app:  # five times as fast as the pattern, and most strings hold none
        if token in text:
            return _app_pattern().search(text)
    return None


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
    if family != "Other":
        return families().os.get(family, family), agent.os.version_string
    found = _system_pattern().search(text)
    if found is None:
        return None, ""
    os = families().system[found[1].lower()]
    # What ua-parser does not recognise is no version of Windows ("NT 10.0"); others say theirs behind the name.
    return os, "" if os == "Windows" else (found[2] or "").replace("_", ".")
