"""All rows in one engine: slow ones beside others, lone ones after them."""

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench.delivery.lab import Extent, Lab, open_lab
from bench.delivery.result import Result
from bench.delivery.rows import Row

SEED = 20261125
FULL = Extent(size=20, outage_s=20.0, steady_s=60.0)
QUICK = Extent(size=4, outage_s=8.0, steady_s=10.0)


@dataclass(frozen=True, slots=True)
class Run:
    """One engine's results. Shape: version names the browser, measured_at is UTC, to the minute."""

    engine: str
    version: str
    seed: int
    size: int
    results: list[Result]
    measured_at: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")


def run_engine(engine: str, rows: Sequence[Row], extent: Extent, seed: int = SEED) -> Run:
    """Return the rows' results in one engine, in their order."""
    possible = [row for row in rows if engine not in row.cannot]
    results = {row.name: Result(row.name, engine, impossible=row.cannot.get(engine, "")) for row in rows}
    with tempfile.TemporaryDirectory() as folder, open_lab(engine, Path(folder), extent, seed) as lab:
        about = lab.driver.capabilities
        slow = {row.name: row.begin(lab, row.name) for row in possible if row.is_slow}
        for row in possible:
            if not (row.is_slow or row.is_lone):
                results[row.name] = _run_row(lab, row)
        results |= {name: finish() for name, finish in slow.items()}
        for row in possible:
            if row.is_lone:
                results[row.name] = _run_row(lab, row)
    version = f"{about['browserName']} {about['browserVersion']}"
    return Run(engine=engine, version=version, seed=seed, size=extent.size, results=list(results.values()))


def _run_row(lab: Lab, row: Row) -> Result:
    began_s = time.monotonic()
    result = row.begin(lab, row.name)()
    print(f"{lab.engine} {row.name}: {time.monotonic() - began_s:.0f} s", file=sys.stderr, flush=True)
    return result
