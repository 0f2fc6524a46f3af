"""`python -m bench.sustained`: batches without a pause, longer than the queue may grow.

One server on one core, batches of 100 events over connections that are always busy. In each stretch: what was accepted,
what of it reached the store, how much waits, how long answers took. `--write` puts the table into the docs.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.contestants import Contestant, footfall_alone
from bench.load import Block, run_closed
from bench.measure import BATCH_CONNECTIONS, check_taken, warm_up
from bench.report import ROOT, write_page
from bench.traffic import BATCH_EVENTS, batch_templates

STRETCH_S = 5.0
WAIT_S = 300.0
BEGIN, END = "<!-- sustained:begin -->", "<!-- sustained:end -->"


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one stretch brought. Units: events per second; seconds until an answer. Shape: waiting is at its end."""

    accepted_per_s: float
    stored_per_s: float
    waiting: int
    p50_s: float
    p99_s: float


@dataclass(frozen=True, slots=True)
class _Count:
    """The accounts at a moment."""

    at_s: float
    accepted: int
    waiting: int


def main() -> int:
    """Measure, print the table and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.sustained", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for how long; the queue's bound is reached in 20")
    parser.add_argument("--write", action="store_true", help="write the table into docs")
    parser.add_argument("--folder", type=Path, default=ROOT / "data", help="on the disk to measure")
    chosen = parser.parse_args()
    with footfall_alone(chosen.folder) as footfall:
        warm_up(footfall.port)
        footfall.server.wait_until_stored(WAIT_S)
        stretches = _send(footfall, chosen.seconds)
        ended_s = time.perf_counter()
        footfall.server.wait_until_stored(WAIT_S)
        drained_s = time.perf_counter() - ended_s
    report = create_report(stretches, drained_s)
    print(report)
    if chosen.write:
        write_page(report, BEGIN, END)
    return 0


def create_report(stretches: list[Stretch], drained_s: float) -> str:
    """Return the table as Markdown."""
    head = ("Seconds", "accepted", "moved into the store", "waiting at the end", "answer p50", "p99")
    lines = [
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.",
        f"Batches of {BATCH_EVENTS} over {BATCH_CONNECTIONS} connections, a core for the server; events a second.",
        "",
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
    ]
    lines += [
        f"| {number * STRETCH_S:.0f} to {(number + 1) * STRETCH_S:.0f} | {each.accepted_per_s:,.0f}"
        f" | {each.stored_per_s:,.0f} | {each.waiting:,} | {each.p50_s * 1000:.0f} ms | {each.p99_s * 1000:.0f} ms |"
        for number, each in enumerate(stretches)
    ]
    return "\n".join([*lines, "", f"All was in the store {drained_s:.0f} s after the last request."])


def _send(footfall: Contestant, seconds: float) -> list[Stretch]:
    templates = batch_templates()
    stretches: list[Stretch] = []
    before = _count(footfall)
    for _ in range(round(seconds / STRETCH_S)):
        block = run_closed(footfall.port, templates, BATCH_CONNECTIONS, STRETCH_S)
        check_taken(footfall, block)
        after = _count(footfall)
        stretches.append(_stretch(before, after, block))
        before = after
        print(f"{after.accepted:,} events, {after.waiting:,} waiting", file=sys.stderr, flush=True)
    return stretches


def _stretch(before: _Count, after: _Count, block: Block) -> Stretch:
    seconds = after.at_s - before.at_s
    accepted = after.accepted - before.accepted
    stored = accepted - (after.waiting - before.waiting)
    return Stretch(accepted / seconds, stored / seconds, after.waiting, block.latency_s(0.5), block.latency_s(0.99))


def _count(footfall: Contestant) -> _Count:
    server = footfall.server
    accepted, waiting = server.metric("footfall_events_accepted_total"), server.metric("footfall_queue_waiting")
    return _Count(time.perf_counter(), int(accepted), int(waiting))


if __name__ == "__main__":
    sys.exit(main())
