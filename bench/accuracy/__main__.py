"""`python -m bench.accuracy`: how many labelled strings are taken for what they are, and what one costs."""

import argparse
import sys

from bench.accuracy.report import create_report, write_page


def main() -> int:
    """Measure, print the report and return the exit status: 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the report into docs/accuracy.md")
    chosen = parser.parse_args()
    report, are_goals_met = create_report()
    print(report)
    if chosen.write:
        write_page(report)
    return 0 if are_goals_met else 1


if __name__ == "__main__":
    sys.exit(main())
