"""All columns that the user agent, the client hints and the page's own word decide, found at once. Pure."""

from collections.abc import Mapping
from functools import lru_cache

from server.enrich import bots, user_agent
from server.enrich.hints import Hints
from server.enrich.parsed_agent import MAX_USER_AGENT_CHARS


def browser_columns(text: str | None, hints: Hints, *, is_webdriver: bool) -> Mapping[str, str | None]:
    """Return browser, browser_version, os, os_version, device, device_type and bot.

    Shape:  shared between calls and not to be changed.
    """
    return _columns((text or "")[:MAX_USER_AGENT_CHARS], hints, is_webdriver)


@lru_cache(maxsize=2048)  # as many as the caches of those who are asked, which hold 98 % of real traffic
def _columns(text: str, hints: Hints, is_webdriver: bool) -> Mapping[str, str | None]:  # noqa: FBT001 - part of the key
    found = user_agent.describe(text, hints)
    return {
        "browser": found.browser,
        "browser_version": found.browser_version,
        "os": found.os,
        "os_version": found.os_version,
        "device": found.device,
        "device_type": found.device_type,
        "bot": bots.bot_reason(text, is_webdriver, hints),
    }
