"""One visitor: a browser context that looks like an ordinary person's, its page, and what its console said."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

TIMEOUT_MS = 8000
# headless Chromium names itself; the server would rightly take it for a robot
CALL_ITSELF = "--user-agent="
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/155.0.0.0 Safari/537.36"
# without it navigator.webdriver is true, which marks every event as a robot's
HIDE_AUTOMATION = "--disable-blink-features=AutomationControlled"
# what a failed request looks like in Chromium's console and in Firefox's
FAILED_REQUEST = ("net::ERR_", "CORS request did not succeed")
# The tracker looks for the widest domain that takes its cookie, and Firefox tells of each that does not. A named host
# has none of them (see inclusion/), the shop's address of numbers has two.
_REFUSED_DOMAIN = "has been rejected for invalid domain"
_TELL_VIOLATIONS = """
addEventListener("securitypolicyviolation", ({violatedDirective, blockedURI, sourceFile}) => {
  console.error("policy violated:", violatedDirective, blockedURI, sourceFile);
});
"""


@dataclass(frozen=True)
class Visitor:
    """Shape: noise holds every console error and every uncaught exception, of all pages of the context."""

    context: BrowserContext
    page: Page
    noise: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=lambda: [_REFUSED_DOMAIN])

    def expect_noise(self, *parts: str) -> None:
        """Say that the story itself provokes console errors which hold one of these texts."""
        self.expected.extend(parts)

    def complaints(self) -> list[str]:
        """Return the noise that no story asked for."""
        return [line for line in self.noise if not any(part in line for part in self.expected)]


Arrive = Callable[..., Visitor]


def look_ordinary(agent: str = AGENT) -> list[str]:
    """Return the arguments that make a browser look like a person's.

    The string is the whole browser's: one that is set for a page alone is not sent with requests that outlive it.
    """
    return [CALL_ITSELF + agent, HIDE_AUTOMATION]


def arrive(browser: Browser, **options: Any) -> Visitor:
    """Return a new visitor. Shape: options are those of a Playwright context."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
    context.set_default_timeout(TIMEOUT_MS)
    context.add_init_script(_TELL_VIOLATIONS)
    noise: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            noise.append(f"{message.text} ({message.location.get('url', '')})")

    context.on("console", note)
    context.on("weberror", lambda error: noise.append(f"uncaught: {error.error}"))
    return Visitor(context, context.new_page(), noise)


def flush(page: Page) -> None:
    """Return when the server has answered for everything that the page's tracker recorded."""
    page.evaluate("tracker.flush()")


def track(page: Page, name: str, props: dict[str, Any] | None = None) -> None:
    """Call `tracker.track` in the page."""
    page.evaluate("([name, props]) => void tracker.track(name, props)", [name, props or {}])
