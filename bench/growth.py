"""`python -m bench.growth`: what an event costs as the store and the index of ids grow, by processor time.

One server, batches of 100 events one after another; at each step the processor time of all of its threads for the
events since the last one, until everything is in the store. `--write` puts the table and a chart into the docs.
"""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.chart import bar_chart
from bench.contestants import Contestant, footfall_alone
from bench.load import run_closed
from bench.measure import check_taken, warm_up
from bench.report import ROOT, write_page
from bench.traffic import batch_templates

CONNECTIONS = 16
BLOCK_S = 1.0
FIRST_EVENTS = 100_000
CHART = ROOT / "docs" / "growth.svg"
BEGIN, END = "<!-- growth:begin -->", "<!-- growth:end -->"


@dataclass(frozen=True, slots=True)
class Step:
    """One stretch. Shape: events are all so far; sizes are of the store and of the queue's file, in bytes."""

    events: int
    cpu_us: float
    store_bytes: int
    queue_bytes: int
    rss_bytes: int


def main() -> int:
    """Measure, print the table and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="how far; 10 million take a quarter of an hour")
    parser.add_argument("--write", action="store_true", help="write the table and the chart into docs")
    parser.add_argument("--folder", type=Path, default=ROOT / "data", help="on the disk to measure")
    chosen = parser.parse_args()
    with footfall_alone(chosen.folder) as footfall:
        steps = _grow(footfall, chosen.events)
    table = _table(steps)
    print(table)
    if chosen.write:
        write_page(f"{table}\n\n![What an event costs as the store grows](growth.svg)", BEGIN, END)
        rows = [(f"{step.events:,} events", step.cpu_us) for step in steps]
        CHART.write_text(bar_chart("Processor time for one event, by the size of the store", rows, "µs"), "utf-8")
    return 0


def _grow(footfall: Contestant, events: int) -> list[Step]:
    warm_up(footfall.port)
    templates = batch_templates()
    steps: list[Step] = []
    done, goal = 0, min(FIRST_EVENTS, events)
    while done < events:
        before_s, began = footfall.cpu_s(), done
        while done < goal:
            block = run_closed(footfall.port, templates, CONNECTIONS, BLOCK_S)
            check_taken(footfall, block)
            done = int(footfall.server.metric("footfall_events_accepted_total"))
        footfall.server.wait_until_stored(300)
        cpu_us = (footfall.cpu_s() - before_s) / (done - began) * 1e6
        folder = footfall.server.data_dir
        steps.append(
            Step(done, cpu_us, _size(folder, "events.duckdb"), _size(folder, "queue.sqlite"), footfall.rss_bytes())
        )
        print(f"{done:,} events: {cpu_us:.0f} µs each", file=sys.stderr, flush=True)
        goal = min(goal * 2, events)
    return steps


def _size(folder: Path, name: str) -> int:
    return sum(each.stat().st_size for each in folder.glob(f"{name}*"))


def _table(steps: list[Step]) -> str:
    lines = [
        f"Batches of 100 over {CONNECTIONS} connections, {os.cpu_count()} cores, server pinned to one.",
        "",
        "| Events | processor µs per event | store, bytes per event | ids and queue, bytes per event | memory |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {step.events:,} | {step.cpu_us:.0f} | {step.store_bytes / step.events:.0f}"
        f" | {step.queue_bytes / step.events:.0f} | {step.rss_bytes / 1e6:.0f} MB |"
        for step in steps
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
