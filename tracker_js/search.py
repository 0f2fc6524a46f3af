"""Search for the order of declarations and the names of variables with which gzip packs a script best.

Simulated annealing, called by pack.mjs. In Python, because its zlib is the one that agrees with `gzip -9`: Node's is
another one, tuned for speed, and packs the same text up to one per cent better or worse.

Shape:  standard input is JSON {"head", "free", "fixed", "tail", "order", "names", "rivals"}: a part is a list of texts,
        and of numbers that stand for variables; rivals are for each variable those that may not have its name.
        Standard output is {"order", "names"}.
"""

import json
import math
import random
import sys
import zlib
from collections.abc import Callable

TRIES = 150_000
HEAT_BYTES = 0.5
"""By how much a change may lengthen the script at the start of a search and still be taken now and then."""
MOVE_EVERY = 3
"""Every how many-th change moves a declaration; the others rename a variable."""

Part = list[str | int]
Undo = Callable[[], None]


class Script:
    """The script as it stands, with changes that can be taken back."""

    def __init__(self, given: dict[str, list]) -> None:
        self.order: list[int] = given["order"]
        self.names: list[str] = given["names"]
        self._rivals: list[list[int]] = given["rivals"]
        self._ends: list[Part] = [given["head"], given["tail"]]
        self._free: list[Part] = given["free"]
        self._fixed: list[Part] = given["fixed"]

    def packed_length(self) -> int:
        """Return how many bytes the script takes, packed."""
        head, tail = map(self._write, self._ends)
        declarations = [*(self._free[place] for place in self.order), *self._fixed]
        text = head + ",".join(map(self._write, declarations)) + tail
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        return len(packer.compress(text.encode("latin-1")) + packer.flush())

    def move(self, start: int, end: int) -> Undo:
        """Move a declaration."""
        self.order.insert(end, self.order.pop(start))
        return lambda: self.order.insert(start, self.order.pop(end))

    def rename(self, place: int, name: str) -> Undo | None:
        """Give a variable a name, in exchange where its rivals have it; return None where that cannot be."""
        old = self.names[place]
        holders = [rival for rival in self._rivals[place] if self.names[rival] == name]
        clashes = (rival != place and self.names[rival] == old for holder in holders for rival in self._rivals[holder])
        if name == old or any(clashes):
            return None
        self._give(place, name, holders, old)
        return lambda: self._give(place, old, holders, name)

    def _give(self, place: int, name: str, holders: list[int], other: str) -> None:
        self.names[place] = name
        for holder in holders:
            self.names[holder] = other

    def _write(self, part: Part) -> str:
        return "".join(self.names[piece] if isinstance(piece, int) else piece for piece in part)


def search(script: Script, dice: random.Random) -> dict[str, list]:
    """Return the best that was found."""
    length = best = script.packed_length()
    found = {"order": [*script.order], "names": [*script.names]}
    for left in range(TRIES, 0, -1):
        if left % MOVE_EVERY:
            # what is used often is likely to be right elsewhere too
            undo = script.rename(dice.randrange(len(script.names)), dice.choice(script.names))
        else:
            undo = script.move(dice.randrange(len(script.order)), dice.randrange(len(script.order)))
        if undo is None:
            continue
        tried = script.packed_length()
        heat = HEAT_BYTES * (left / TRIES) ** 2
        if tried <= length or dice.random() < math.exp((length - tried) / heat):
            length = tried
        else:
            undo()
        if length < best:
            best = length
            found = {"order": [*script.order], "names": [*script.names]}
    return found


if __name__ == "__main__":
    json.dump(search(Script(json.load(sys.stdin)), random.Random(1)), sys.stdout)
