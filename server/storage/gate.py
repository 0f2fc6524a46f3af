"""Who may use the store's file now: many who read, or one who replaces it. Called by the embedded store."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Lets readers pass together and closes for one who needs the file alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers = 0
        self._is_closed = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Pass as one of many; waits while the gate is closed."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_closed)
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self, patience_s: float) -> Iterator[bool]:
        """Yield True once nobody reads, with the gate closed; False when that takes too long.

        For the first nine tenths of the patience readers still pass, so that one long export does not hold up
        all questions; a moment without readers is all that is waited for. Then new ones wait.
        """
        end = time.monotonic() + patience_s
        with self._changed:
            is_alone = self._changed.wait_for(lambda: self._readers == 0 and not self._is_closed, patience_s * 0.9)
            if not self._is_closed:
                self._is_closed = True
                is_alone = is_alone or self._changed.wait_for(
                    lambda: self._readers == 0, max(0.0, end - time.monotonic())
                )
                is_mine = True
            else:
                is_alone = is_mine = False
        try:
            yield is_alone
        finally:
            if is_mine:
                with self._changed:
                    self._is_closed = False
                    self._changed.notify_all()
