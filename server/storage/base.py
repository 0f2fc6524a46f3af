"""The contract that every engine fulfils. Nothing above this package asks which engine runs."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from server.events.head import Numbered
from server.storage.tombstones import Tombstone

Row = tuple[Any, ...]
Ask = Callable[[str, Mapping[str, Any]], list[Row]]


class ErasedEvent(NamedTuple):
    """What is removed: enough to remove what else is known of it."""

    site: str
    session_id: str | None


BeforeErased = Callable[[Sequence[ErasedEvent]], None]


class StoreRefused(Exception):
    """The engine refuses these very events; the same again will be refused again."""


class Store(Protocol):
    """Where accepted events end up and questions are answered.

    Shape:  SQL is in DuckDB's dialect with named parameters ($name); an engine of another dialect translates it.
    Errors: StoreRefused from `append` for events that no retry will help; anything else is worth a retry.
    """

    def position(self, queue_id: str) -> int:
        """Return the number of the last event taken from this queue, 0 before the first."""
        ...

    def append(self, events: Sequence[Numbered], queue_id: str, position: int) -> int:
        """Add events and record the queue's position, both or neither.

        Shape:  returns how many events were left out because they belong to somebody who was erased.
        """
        ...

    def query(self, sql: str, parameters: Mapping[str, Any]) -> list[Row]:
        """Return all rows of a question."""
        ...

    def instant(self) -> AbstractContextManager[Ask]:
        """Return, for a `with`, what asks questions that are all of the same instant."""
        ...

    def fold(self, now_ms: int) -> bool:
        """Do the next little thing that the tables of hours (hours.py) are behind the events; return False for none."""
        ...

    def stream(self, sql: str, parameters: Mapping[str, Any]) -> Iterator[list[Row]]:
        """Yield the rows of a question in batches."""
        ...

    def write_parquet(self, sql: str, parameters: Mapping[str, Any], path: Path) -> None:
        """Write the rows of a question into a Parquet file."""
        ...

    def delete_before(self, time_ms: int, kept: Iterable[bytes] = ()) -> int:
        """Remove events older than an instant but for what is kept, return how many are fewer.

        Shape:  kept are events older than that (lines of JSON), which take the places of those with their ids.
        """
        ...

    def tombstones(self) -> set[Tombstone]:
        """Return the tombstones that were applied."""
        ...

    def erase(self, tombstones: Sequence[Tombstone], before: BeforeErased) -> int:
        """Remove what these tombstones stand for, and keep it from coming back; return how many events that were.

        Shape:  `before` is told what is being removed while it is still there after a kill: what else is known of it
                goes first. Errors: those of `before`, and then nothing is removed.
        """
        ...

    def scrub(self) -> bool:
        """Have no byte of what was removed stay in any file; return False when it has to be tried again later."""
        ...

    def copy(self, folder: Path) -> None:
        """Copy the files as of one instant into a folder."""
        ...

    def size_bytes(self) -> int:
        """Return how much disk the store takes."""
        ...

    def close(self) -> None:
        """Release the files."""
        ...
