"""Erasures that somebody waits for: asked for in any thread, begun and answered in the writer's.

Order
    Which ids a person has may depend on events that still wait: somebody who has just signed in on a browser has its
    history only when that event is moved. So whoever erases a person gives no ids but a function that finds them. The
    writer first moves what was accepted before, then has the ids found, and only then come the tombstones: with them
    begins what erasure.py describes. Before, nothing is removed or kept, and an error or a kill leaves all as it was.
    Ids that are known need no finding: their tombstones are on disk as soon as they are asked for.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from server.clock import Clock
from server.errors import Unavailable
from server.storage.tombstones import ErasedId, Kind, add_tombstones

Ids = Sequence[tuple[Kind, str] | ErasedId]
FindIds = Callable[[], Ids]


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """One erasure that is waited for. Shape: find is None where the tombstones are on disk already."""

    site: str
    find: FindIds | None
    done: Future[int] = field(default_factory=Future)


class Asked:
    """Holds the wishes until they are answered. All but `add` is for the writer's thread."""

    def __init__(self, tombstones: Path, clock: Clock) -> None:
        self._file = tombstones
        self._clock = clock
        self._changing = threading.Lock()
        self._wishes: list[Wish] = []
        self._is_closed = False

    def add(self, site: str, ids: Ids | FindIds) -> Future[int]:
        """Return where the answer will be.

        Errors: OSError when the tombstones of known ids cannot be kept; Unavailable once the writer has stopped.
        """
        with self._changing:  # one at a time: the first tombstone decides the file's salt
            if self._is_closed:
                raise _stopping()
            if callable(ids):
                wish = Wish(site, ids)
            else:
                add_tombstones(self._file, site, ids, self._clock())
                wish = Wish(site, None)
            self._wishes.append(wish)
        return wish.done

    def waiting(self) -> list[Wish]:
        """Return those that are not answered."""
        with self._changing:
            return list(self._wishes)

    def begin(self, wishes: Sequence[Wish], erased_ms: int) -> list[Wish]:
        """Have ids found and their tombstones kept; return the wishes that go on.

        Shape:  one whose ids cannot be found or kept is answered with that error, which concerns no other.
        """
        begun = []
        for wish in wishes:
            if wish.find is not None:
                try:
                    ids = wish.find()
                    with self._changing:
                        add_tombstones(self._file, wish.site, ids, erased_ms)
                except Exception as error:  # noqa: BLE001 - it is for who asked
                    self.fail([wish], error)
                    continue
            begun.append(wish)
        return begun

    def answer(self, wishes: Sequence[Wish], removed: int) -> None:
        """Tell who waits how many stored events that were."""
        for wish in self._leave(wishes):
            wish.done.set_result(removed)

    def fail(self, wishes: Sequence[Wish], error: Exception) -> None:
        """Tell who waits what went wrong."""
        for wish in self._leave(wishes):
            wish.done.set_exception(error)

    def close(self) -> None:
        """Tell who still waits that nobody erases any more; the next start heeds tombstones that are on disk."""
        with self._changing:
            self._is_closed = True
        self.fail(self.waiting(), _stopping())

    def _leave(self, wishes: Sequence[Wish]) -> Sequence[Wish]:
        with self._changing:
            for wish in wishes:
                self._wishes.remove(wish)
        return wishes


def _stopping() -> Unavailable:
    return Unavailable("stopping", "The server is stopping.", "Ask again when it is back.", retry_after_s=1)
