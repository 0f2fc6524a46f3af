"""Work that repeats beside the requests, in a thread of its own. Called by app."""

import threading
from collections.abc import Callable


class Repeated:
    """Calls something every so often until closed. Units: period_s is seconds."""

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
            self._work()
