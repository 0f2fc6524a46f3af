"""`python -m bench.memory`: the server's resident memory over an hour's worth of events, sent faster than in an hour.

A site with RATE events a second, whole sessions of visitors that nobody has seen before, is what an hour brings; here
it comes as fast as half of what this server was just found to take. What memory keeps by the event (caches, ids,
sessions) grows as in an hour; what it would give back in an hour's quiet moments is not seen. Takes some minutes.
"""

import argparse
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression, median

from bench.chart import line_chart
from bench.contestants import Contestant, footfall_alone
from bench.load import run_closed, run_open
from bench.measure import CONNECTIONS, warm_up
from bench.report import ROOT, write_page
from bench.table import Row, markdown
from bench.traffic import session_templates

RATE = 300
HOUR_S = 3600
SESSIONS = 5_000
REST_S = 5.0
PEAK_S = 3.0
STRETCH_S = 5.0
SAMPLE_S = 0.25
SETTLED = 0.5
WAIT_S = 300.0
IDLE_MB, LOADED_MB = 120, 400
MB = 1e6
BEGIN, END = "<!-- memory:begin -->", "<!-- memory:end -->"
CHART = ROOT / "docs" / "memory.svg"


@dataclass(slots=True)
class Memory:
    """What was found. Shape: samples are (events accepted so far, bytes). Units: rate is events per second."""

    rest_bytes: int
    events: int = 0
    rate: float = 0.0
    samples: list[tuple[int, int]] = field(default_factory=list)
    after_bytes: int = 0

    def slope(self) -> float:
        """Return by how much memory grew in the second half. Units: bytes per event."""
        settled = self.samples[int(len(self.samples) * SETTLED) :]
        return linear_regression([events for events, _ in settled], [size for _, size in settled]).slope


def main() -> int:
    """Measure, print the table and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("--events", type=int, default=RATE * HOUR_S, help=f"an hour of {RATE} a second unless given")
    parser.add_argument("--write", action="store_true", help="write the table and the chart into docs")
    parser.add_argument("--folder", type=Path, default=ROOT / "data", help="on the disk to measure")
    chosen = parser.parse_args()
    with footfall_alone(chosen.folder) as footfall:
        memory = _measure(footfall, chosen.events)
    report = create_report(memory)
    print(report)
    if chosen.write:
        write_page(f"{report}\n\n![Memory as events arrive](memory.svg)", BEGIN, END)
        points = [(events, size / MB) for events, size in memory.samples]
        CHART.write_text(line_chart("Resident memory, by the events so far", points, "MB"), "utf-8")
    return 0


def create_report(memory: Memory) -> str:
    """Return the table as Markdown."""
    rest_mb = memory.rest_bytes / MB
    sizes_mb = [size / MB for _, size in memory.samples]
    grown_mb = memory.slope() * RATE * HOUR_S / MB
    rows = [
        Row("at rest, just started", f"{rest_mb:.0f} MB", "", f"≤ {IDLE_MB} MB", rest_mb <= IDLE_MB),
        Row("while events arrive, median", f"{median(sizes_mb):.0f} MB"),
        Row(
            "while events arrive, peak", f"{max(sizes_mb):.0f} MB", "", f"≤ {LOADED_MB} MB", max(sizes_mb) <= LOADED_MB
        ),
        Row(f"growth in the second half, for an hour of {RATE} events a second", f"{grown_mb:+.0f} MB"),
        Row(f"{REST_S:g} s after the last event", f"{memory.after_bytes / MB:.0f} MB"),
    ]
    hours = memory.events / (RATE * HOUR_S)
    lines = [
        f"{memory.events:,} events of new visitors at {memory.rate:,.0f} a second, sampled every {SAMPLE_S:g} s:",
        f"what {hours:.2g} h of {RATE} a second bring.",
        "",
        *markdown(("Resident memory of the one process", "", "", "budget", ""), rows),
    ]
    return "\n".join(lines)


def _measure(footfall: Contestant, events: int) -> Memory:
    time.sleep(REST_S)
    memory = Memory(footfall.rss_bytes())
    warm_up(footfall.port)
    templates = session_templates(SESSIONS)
    rate = run_closed(footfall.port, templates, CONNECTIONS, PEAK_S).requests_per_s / 2
    already = _accepted(footfall)
    started = time.perf_counter()
    with _sampled(footfall, memory):
        while memory.events < events:
            block = run_open(footfall.port, templates, CONNECTIONS, STRETCH_S, rate)
            if block.refusals:
                raise RuntimeError(f"refused: {block.refusals[:1]}")
            memory.events = _accepted(footfall) - already
            print(f"{memory.events:,} events: {footfall.rss_bytes() / MB:.0f} MB", file=sys.stderr, flush=True)
    memory.rate = memory.events / (time.perf_counter() - started)
    footfall.server.wait_until_stored(WAIT_S)
    time.sleep(REST_S)
    memory.after_bytes = footfall.rss_bytes()
    return memory


@contextmanager
def _sampled(footfall: Contestant, memory: Memory) -> Iterator[None]:
    """Sample meanwhile; between two counts of events the number of the last one stands."""
    stop = threading.Event()

    def sample() -> None:
        while not stop.wait(SAMPLE_S):
            memory.samples.append((memory.events, footfall.rss_bytes()))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _accepted(footfall: Contestant) -> int:
    return int(footfall.server.metric("footfall_events_accepted_total"))


if __name__ == "__main__":
    sys.exit(main())
