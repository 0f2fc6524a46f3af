"""Browsers that Chromium can pass for: their strings, and their hints where they send any."""

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Shape: hints are Chromium's userAgentMetadata, None for browsers that have none."""

    user_agent: str
    hints: dict[str, Any] | None = None
    width: int = 1440
    height: int = 900


def _hints(brand: str, version: str, platform: str, platform_version: str, model: str = "") -> dict[str, Any]:
    brands = [("Chromium", version), (brand, version), ("Not?A_Brand", "24")]
    return {
        "brands": [{"brand": name, "version": number} for name, number in brands],
        "fullVersionList": [{"brand": name, "version": f"{number}.0.0.0"} for name, number in brands],
        "platform": platform,
        "platformVersion": platform_version,
        "architecture": "",
        "model": model,
        "mobile": bool(model),
        # left to itself, an emulated phone says that it is a desktop
        "formFactors": ["Mobile" if model else "Desktop"],
    }


_CHROMIUM = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/155.0.0.0{} Safari/537.36{}"
_SAFARI = "Mozilla/5.0 ({}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 {}Safari/605.1.15"
_WINDOWS = "Windows NT 10.0; Win64; x64"

CHROME_WINDOWS = Agent(
    user_agent=_CHROMIUM.format(_WINDOWS, "", ""), hints=_hints("Google Chrome", "155", "Windows", "15.0.0")
)
EDGE_WINDOWS = Agent(
    user_agent=_CHROMIUM.format(_WINDOWS, "", " Edg/155.0.0.0"),
    hints=_hints("Microsoft Edge", "155", "Windows", "10.0.0"),
)
CHROME_ANDROID = Agent(
    user_agent=_CHROMIUM.format("Linux; Android 10; K", " Mobile", ""),
    hints=_hints("Google Chrome", "155", "Android", "16.0.0", "Pixel 9"),
    width=390,
    height=844,
)
FIREFOX_LINUX = Agent(user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0")
SAFARI_MAC = Agent(user_agent=_SAFARI.format("Macintosh; Intel Mac OS X 10_15_7", ""))
SAFARI_IPHONE = Agent(
    user_agent=_SAFARI.format("iPhone; CPU iPhone OS 18_7 like Mac OS X", "Mobile/15E148 "), width=390, height=844
)


def pass_for(page: Page, agent: Agent) -> None:
    """Make a page's browser pass for another, in its string, its hints and its requests."""
    told: dict[str, Any] = {"userAgent": agent.user_agent}
    if agent.hints:
        told["userAgentMetadata"] = agent.hints
    page.context.new_cdp_session(page).send("Emulation.setUserAgentOverride", told)
