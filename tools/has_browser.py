"""Exit with 0 when the browser named in the arguments can be started: Playwright's own or the system's."""

import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserType, Error, sync_playwright

SYSTEM = {"chromium": ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")}


def launch(browser_type: BrowserType, **options: Any) -> Browser:
    """Return the first browser that starts. Errors: RuntimeError, which says of each that is there why it did not."""
    problems = []
    for path in (browser_type.executable_path, *SYSTEM[browser_type.name]):
        if not Path(path).exists():
            continue
        try:
            return browser_type.launch(executable_path=path, **options)
        except Error as error:
            problems.append(f"{path}: {error.message.splitlines()[0]}")
    raise RuntimeError("\n".join([f"no {browser_type.name} can be started", *problems]))


def main(name: str) -> int:
    """Return the exit status."""
    with sync_playwright() as playwright:
        try:
            launch(getattr(playwright, name)).close()
        except RuntimeError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
