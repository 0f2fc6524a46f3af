"""The worlds that one transaction reads and changes, each decoded and encoded once. Called by people.py.

A world grows with the number of its ids: a thousand visitors who become one user would else have a world of a thousand
ids read and written a thousand times (measured: 13 s in one batch, with this 1.5 s). The ids themselves are kept in the
file at once, because they tell which worlds a fact is about.
"""

import sqlite3
from collections.abc import Sequence

from server.identity.merges import World
from server.identity.people_file import load_world, save_world, unite_worlds

MAX_OPEN = 500


class OpenWorlds:
    """For one transaction: `save` before it is committed; thrown away with a rollback."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._open: dict[int, World] = {}

    def load(self, number: int) -> World:
        """Return a world, which may be changed."""
        if number not in self._open:
            self._make_room()
            self._open[number] = load_world(self._database, number)
        return self._open[number]

    def put(self, number: int, world: World) -> None:
        """Have a world be saved under this number."""
        if number not in self._open:
            self._make_room()
        self._open[number] = world

    def unite(self, keep: int, others: Sequence[int]) -> None:
        """Have everything of the others be of the one that is kept."""
        unite_worlds(self._database, keep, others)
        for other in others:
            self._open.pop(other, None)

    def save(self) -> None:
        """Keep all of them in the file."""
        for number, world in self._open.items():
            save_world(self._database, number, world)
        self._open.clear()

    def _make_room(self) -> None:
        if len(self._open) >= MAX_OPEN:
            self.save()
