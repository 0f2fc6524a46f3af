"""`python -m bench`: what Footfall costs, as ratios to other ways to do it, measured in one run on this machine."""

import argparse
import select
import sys
import tempfile
import time
from pathlib import Path

from bench import dashboard
from bench.contestants import FOOTFALL, LOAD_CORE, all_contestants, pin, start_contestant
from bench.measure import FULL, QUICK, Plan, Results, measure
from bench.report import ROOT, create_report, write_chart, write_page


def main() -> int:
    """Measure, print the report and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a minute and a half, and rough; the whole run takes 10 minutes"
    )
    parser.add_argument("--write", action="store_true", help="write the report into docs/performance.md")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "data", help="on the disk to measure; what is made there is removed"
    )
    chosen = parser.parse_args()
    if not hasattr(select, "epoll"):
        print("The bench needs Linux: epoll, /proc and processor affinity.", file=sys.stderr)
        return 1
    notes = ["Server pinned to one core, load to another."]
    if not pin(LOAD_CORE):
        notes = ["**One core only: server and load share it, the figures are low and rough.**"]
    plan = QUICK if chosen.quick else FULL
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=chosen.folder) as folder:
        results = _run(plan, Path(folder))
        scale = dashboard.QUICK if chosen.quick else dashboard.FULL
        size, asked = dashboard.measure_store(Path(folder) / "large", scale, _tell)
    report, large = create_report(results, plan, notes), dashboard.create_report(size, asked)
    print(f"{report}\n\n{large}")
    if chosen.write:
        write_page(large, dashboard.BEGIN, dashboard.END)
        write_page(f"{report}\n\n![What a request costs each variant](performance.svg)")
        write_chart(results)
    return 0


def _run(plan: Plan, folder: Path) -> Results:
    footfall = start_contestant(FOOTFALL, folder)
    _tell("resting")
    time.sleep(plan.rest_s)
    idle_bytes = footfall.rss_bytes()
    with all_contestants(folder, footfall) as contestants:
        results = measure(contestants, plan, folder, _tell)
    results.idle_bytes = idle_bytes
    return results


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
