"""One run of the bench: rounds of short blocks, each contestant once in each round.

So what disturbs the machine disturbs all of them; ratios are made of values of the same round.
"""

import os
import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.contestants import FOOTFALL, Contestant, busy_s
from bench.load import Block, run_closed, run_open
from bench.traffic import AnyTemplate, PackedTemplate, Template, batch_templates, single_templates

CONNECTIONS = 64
BATCH_CONNECTIONS = 16
SWEEP = (1, 8, 64, 512)
LEAD_IN_S = 0.4
WARM_UP_S = 1.0
FDATASYNC_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure. Units: seconds."""

    rounds: int
    block_s: float
    latency_rounds: int
    latency_s: float
    rest_s: float
    fdatasyncs: int


FULL = Plan(rounds=9, block_s=2.0, latency_rounds=4, latency_s=3.0, rest_s=5.0, fdatasyncs=150)
QUICK = Plan(rounds=3, block_s=0.7, latency_rounds=1, latency_s=1.5, rest_s=1.5, fdatasyncs=100)


@dataclass(slots=True)
class Results:
    """What was measured.

    Shape:  per name of a contestant a list with one value for each round, in the same order for all, so that
            values of one round may be compared. disturbances are shares of the server's core that others took.
    Units:  cpu_s is processor time of the server for one request; latencies in seconds.
    """

    singles: dict[str, list[Block]] = field(default_factory=lambda: defaultdict(list))
    cpu_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    batches: list[Block] = field(default_factory=list)
    batches_cpu_s: list[float] = field(default_factory=list)
    packed: list[Block] = field(default_factory=list)
    packed_cpu_s: list[float] = field(default_factory=list)
    sweep: dict[int, list[Block]] = field(default_factory=lambda: defaultdict(list))
    half_load: dict[str, list[Block]] = field(default_factory=lambda: defaultdict(list))
    fdatasync_s: list[float] = field(default_factory=list)
    disturbances: list[float] = field(default_factory=list)
    idle_bytes: int = 0
    loaded_bytes: int = 0
    half_load_rate: float = 0.0


def measure(contestants: Mapping[str, Contestant], plan: Plan, folder: Path, tell: Callable[[str], None]) -> Results:
    """Return the results of all rounds; `idle_bytes` is the caller's."""
    results = Results()
    singles, batches = single_templates(), batch_templates()
    tell("warming up")
    for contestant in contestants.values():
        with contestant.turn():
            warm_up(contestant.port)
    _closed(contestants[FOOTFALL], batches, plan.block_s / 2, BATCH_CONNECTIONS)
    order = list(contestants.values())
    for number in range(plan.rounds):
        tell(f"round {number + 1} of {plan.rounds}")
        random.shuffle(order)
        for contestant in order:
            before = busy_s(), time.perf_counter()
            block, cpu_s = _closed(contestant, singles, plan.block_s)
            others_s = busy_s() - before[0] - cpu_s
            results.disturbances.append(max(others_s, 0) / (time.perf_counter() - before[1]))
            results.singles[contestant.name].append(block)
            results.cpu_s[contestant.name].append(cpu_s / block.requests)
        _measure_other_loads(contestants[FOOTFALL], plan, singles, batches, results)
        results.loaded_bytes = max(results.loaded_bytes, contestants[FOOTFALL].rss_bytes())
        results.fdatasync_s += time_fdatasync(folder, plan.fdatasyncs)
    _measure_half_load(contestants, plan, singles, results, tell)
    return results


def _measure_other_loads(
    footfall: Contestant, plan: Plan, singles: Sequence[Template], batches: Sequence[Template], results: Results
) -> None:
    """Send Footfall batches, packed requests, and single ones over few and many connections."""
    block, cpu_s = _closed(footfall, batches, plan.block_s, BATCH_CONNECTIONS)
    results.batches.append(block)
    results.batches_cpu_s.append(cpu_s / block.events)
    block, cpu_s = _closed(footfall, [PackedTemplate(each) for each in singles], plan.block_s)
    results.packed.append(block)
    results.packed_cpu_s.append(cpu_s / block.requests)
    for connections in SWEEP:
        results.sweep[connections].append(_closed(footfall, singles, plan.block_s / 2, connections)[0])


def warm_up(port: int) -> None:
    """Have a server build what its first visitors make it build, which takes a second on a busy machine."""
    while not run_closed(port, single_templates(), CONNECTIONS, WARM_UP_S).requests:
        pass


def time_fdatasync(folder: Path, count: int) -> list[float]:
    """Return how long it takes to append one page and have it on disk, so often. Units: seconds."""
    path = folder / "fdatasync"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    times = []
    try:
        for _ in range(count):
            start = time.perf_counter()
            os.write(descriptor, b"x" * FDATASYNC_BYTES)
            os.fdatasync(descriptor)
            times.append(time.perf_counter() - start)
    finally:
        os.close(descriptor)
        path.unlink()
    return times


def _measure_half_load(
    contestants: Mapping[str, Contestant],
    plan: Plan,
    singles: Sequence[Template],
    results: Results,
    tell: Callable[[str], None],
) -> None:
    """Send at half of what Footfall took at most; the bare stack gets the same rate, to compare answer times."""
    rates = sorted(block.requests_per_s for block in results.singles[FOOTFALL])
    results.half_load_rate = rates[len(rates) // 2] / 2
    for number in range(plan.latency_rounds):
        tell(f"half load, round {number + 1} of {plan.latency_rounds}")
        for name in (FOOTFALL, "bare"):
            with contestants[name].turn():
                port = contestants[name].port
                run_open(port, singles, CONNECTIONS, LEAD_IN_S, results.half_load_rate)
                block = run_open(port, singles, CONNECTIONS, plan.latency_s, results.half_load_rate)
            results.half_load[name].append(block)
            results.fdatasync_s += time_fdatasync(contestants[name].server.data_dir, plan.fdatasyncs)


def _closed(
    contestant: Contestant,
    templates: Sequence[AnyTemplate],
    seconds: float,
    connections: int = CONNECTIONS,
) -> tuple[Block, float]:
    """Return the block and the processor time that the server took for it."""
    with contestant.turn():
        before_s = contestant.cpu_s()
        block = run_closed(contestant.port, templates, connections, seconds)
        cpu_s = contestant.cpu_s() - before_s
    check_taken(contestant, block)
    return block, cpu_s


def check_taken(contestant: Contestant, block: Block) -> None:
    """Refuse to go on where not all of a block was taken. Errors: RuntimeError, with what the server's log says."""
    if block.refusals or not block.requests:
        told = f"{contestant.name} refused {len(block.refusals)} of {block.requests} requests"
        raise RuntimeError(f"{told}: {block.refusals[:1]}; its log says:\n{contestant.server.log()[-2000:]}")
