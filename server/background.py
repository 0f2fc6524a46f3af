"""Work beside the requests: what repeats, in a thread of its own, and what takes the processor after them."""

import logging
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

NICENESS = 5

T = TypeVar("T")

log = logging.getLogger("footfall")


def step_back() -> None:
    """Have the calling thread, and all that it starts, take the processor after others: a third of a full share.

    So an answer that is due goes first on a machine with few cores, and the writer still keeps up. Linux knows this
    for threads; elsewhere nothing happens.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def usable_cores() -> int:
    """Return how many cores this process may use, where the system tells; else how many there are."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def in_the_background(work: Callable[[], T]) -> T:
    """Return what work returns; threads that it starts are such as have stepped back. Errors: those of work."""
    with ThreadPoolExecutor(1, "background", step_back) as pool:
        return pool.submit(work).result()


class Repeated:
    """Calls something every so often until closed. A fault is logged, and the next time comes.

    Units:  period_s is seconds.
    """

    def __init__(self, work: Callable[[], object], period_s: float, name: str) -> None:
        self._work = work
        self._period_s = period_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; waits for a call under way."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._period_s):
            try:
                self._work()
            except Exception:
                log.exception("a fault in what the thread %r repeats", self._thread.name)
