"""A fixed rate of single events from a process of its own, while this one does something else."""

import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from typing import Self

from bench.load import Block, run_open
from bench.measure import CONNECTIONS
from bench.table import percentile
from bench.traffic import single_templates

STRETCH_S = 1.0


@dataclass(frozen=True, slots=True)
class Sent:
    """What arrived in a stretch. Units: events per second; seconds until the acknowledgement, from when it was due."""

    per_s: float
    p50_s: float
    p99_s: float


class BackgroundLoad:
    """Sends inside the `with` block. Errors: RuntimeError when a request was refused, or had no answer."""

    def __init__(self, port: int, rate: float) -> None:
        context = multiprocessing.get_context("spawn")  # the caller has threads, which a fork would cut off
        self._pipe, self._theirs = context.Pipe()
        self._process = context.Process(target=_send, args=(port, rate, self._theirs), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self._theirs.close()
        self._take()
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()  # which the process finds after its present stretch
        self._process.join()

    def watch(self, work: Callable[[], None]) -> Sent:
        """Return what was sent while something else was done."""
        self._take()
        work()
        return self._take()

    def _take(self) -> Sent:
        """Return what was sent since the last call; waits for the end of the present stretch."""
        try:
            self._pipe.send(None)
            sent: Sent = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise RuntimeError("the load has ended; its process says why") from error
        return sent


def _send(port: int, rate: float, pipe: Pipe) -> None:
    templates = single_templates()
    blocks: list[Block] = []
    while True:
        block = run_open(port, templates, CONNECTIONS, STRETCH_S, rate)
        if block.refusals:
            raise RuntimeError(f"refused: {block.refusals[:1]}")
        blocks.append(block)
        while pipe.poll():
            try:
                pipe.recv()
            except EOFError:
                return
            pipe.send(_sum(blocks))
            blocks.clear()


def _sum(blocks: Sequence[Block]) -> Sent:
    if not blocks:
        return Sent(0.0, 0.0, 0.0)
    latencies_s = [each for block in blocks for each in block.latencies_s]
    per_s = sum(block.events for block in blocks) / sum(block.seconds for block in blocks)
    return Sent(per_s, percentile(latencies_s, 0.5), percentile(latencies_s, 0.99))
