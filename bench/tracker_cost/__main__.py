"""`python -m bench.tracker_cost`: what the tracker costs a page's main thread, in Chromium."""

import argparse
import sys
from collections.abc import Sequence

from playwright.sync_api import sync_playwright

from bench.tracker_cost.measure import FULL, QUICK, measure
from bench.tracker_cost.table import create_report, write_page
from tools.browsers import launch


def main(arguments: Sequence[str]) -> int:
    """Print the report and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.tracker_cost", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute, and rough; the whole run takes ten")
    parser.add_argument("--write", action="store_true", help="write the table into docs/performance.md")
    chosen = parser.parse_args(arguments)
    plan = QUICK if chosen.quick else FULL
    with sync_playwright() as playwright, launch(playwright.chromium) as browser:
        report = create_report(measure(browser, plan), plan, browser.version)
    print(report)
    if chosen.write:
        write_page(report)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
