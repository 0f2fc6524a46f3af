"""Exit with 0 when the browser named in the arguments can be started: Playwright's own or the system's."""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

SYSTEM = {"chromium": ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")}


def main(name: str) -> int:
    """Return the exit status."""
    with sync_playwright() as playwright:
        browser = getattr(playwright, name)
        own = browser.executable_path
        for path in (own, *SYSTEM[name]):
            if not Path(path).exists():
                continue
            try:
                browser.launch(executable_path=path).close()
            except Exception as error:  # noqa: BLE001 - whatever it is: this one cannot be used, the next may
                sys.stderr.write(f"{path}: {str(error).splitlines()[0]}\n")
                continue
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
