"""What a Segment message tells of the browser behind it: its context, as far as the sender is trusted."""

from collections.abc import Mapping, Sequence
from typing import Any

from server.enrich.campaign import UTM_NAMES

_PAGE_FIELDS = ("url", "title", "referrer")
_CAMPAIGN_NAMES = {"utm_campaign": "name"}  # all others are named like ours, without the beginning
_BEGINNING = "utm_"
MAX_SCREEN = 100_000
CONTEXT_FIELDS = frozenset({"ip", "userAgent", "userAgentData", "locale", "timezone", "screen", "campaign", "page"})
"""What is read here of a context."""


def facts_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return what only a trusted sender may say of its visitor: address, agent, language, screen, campaign."""
    context = _object(message, "context")
    facts = {
        "ip": context.get("ip"),
        "user_agent": context.get("userAgent"),
        "language": context.get("locale"),
        "timezone": context.get("timezone"),
        "resolution": _resolution(context),
        **_campaign(context),
    }
    return {name: value for name, value in facts.items() if isinstance(value, str) and value}


def page_of(message: Mapping[str, Any]) -> dict[str, str]:
    """Return the page that a message is about: a page call's own properties before the context's."""
    own = _object(message, "properties") if message.get("type") == "page" else {}
    context = _object(_object(message, "context"), "page")
    found = {}
    for field in _PAGE_FIELDS:
        value = own.get(field) or context.get(field)
        if isinstance(value, str) and value:
            found[field] = value
    return found


def browser_of(messages: Sequence[Any]) -> dict[str, Any]:
    """Return what a page's messages tell of their one browser, as a beacon's context: the first that says it counts."""
    found: dict[str, Any] = {}
    for message in messages:
        context = _object(message, "context") if isinstance(message, Mapping) else {}
        told = {
            "language": context.get("locale"),
            "timezone": context.get("timezone"),
            "resolution": _resolution(context),
            "hints": context.get("userAgentData"),
        }
        for name, value in told.items():
            if value:
                found.setdefault(name, value)
        if len(found) == len(told):
            break
    return found


def _resolution(context: Mapping[str, Any]) -> str | None:
    screen = _object(context, "screen")
    width, height = screen.get("width"), screen.get("height")
    if isinstance(width, bool) or isinstance(height, bool):
        return None
    if not isinstance(width, int | float) or not isinstance(height, int | float):
        return None
    if not (0 < width < MAX_SCREEN and 0 < height < MAX_SCREEN):  # nor NaN
        return None
    return f"{int(width)}x{int(height)}"


def _campaign(context: Mapping[str, Any]) -> dict[str, Any]:
    campaign = _object(context, "campaign")
    return {column: campaign.get(_CAMPAIGN_NAMES.get(column, column.removeprefix(_BEGINNING))) for column in UTM_NAMES}


def _object(value: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    found = value.get(field)
    return found if isinstance(found, Mapping) else {}
