"""Kills servers at random moments under load and tells what became of the events."""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.promises.clients import Journal, Target, finish_clients, start_clients
from tests.real_server import RealServer

CLIENTS = 6
LONGEST_LIFE_S = 0.4
AIMED_SHARE = 0.5
AIM_TIMEOUT_S = 1.0
LONGEST_WRITE_S = 0.03
_POLL_S = 0.001


@dataclass(frozen=True)
class Findings:
    """What the clients know against what is stored.

    Shape:  stored counts how often each id is stored; aimed_kills hit a server while it wrote its store.
    """

    journal: Journal
    stored: Counter[str]
    aimed_kills: int

    @property
    def lost(self) -> set[str]:
        """Return the acknowledged ids that are not stored."""
        return self.journal.acknowledged - self.stored.keys()

    @property
    def twice(self) -> set[str]:
        """Return the ids that are stored more than once."""
        return {each for each, count in self.stored.items() if count > 1}

    @property
    def strange(self) -> set[str]:
        """Return the stored ids that nobody sent."""
        return self.stored.keys() - self.journal.sent

    @property
    def is_wrong(self) -> bool:
        """Return whether any of it is as it may not be."""
        return bool(self.lost or self.twice or self.strange or self.journal.oddities)

    def __str__(self) -> str:
        journal = self.journal
        return (
            f"sent {len(journal.sent)}, acknowledged {len(journal.acknowledged)}, stored {self.stored.total()}; "
            f"lost {len(self.lost)}, twice {len(self.twice)}, strange {len(self.strange)}; "
            f"broken requests {journal.broken}, replays {journal.replays}, refusals {journal.refusals}, "
            f"kills while the store was written {self.aimed_kills}; oddities {journal.oddities[:5]}"
        )


def kill_again_and_again(start: Callable[[], RealServer], source: random.Random, kills: int) -> Findings:
    """Return what is stored after so many kills and restarts on one data folder, under load all the time."""
    target = Target()
    clients = start_clients(target, source, CLIENTS)
    aimed = 0
    for _ in range(kills):
        server = start()
        target.move(server.port, server.secret_key)
        time.sleep(source.uniform(0, LONGEST_LIFE_S))
        if source.random() < AIMED_SHARE and _wait_for_write(server.data_dir):
            aimed += 1
            time.sleep(source.uniform(0, LONGEST_WRITE_S))
        server.kill()
    server = start()
    target.move(server.port, server.secret_key)
    return Findings(finish_clients(clients), count_stored(server), aimed)


def count_stored(server: RealServer) -> Counter[str]:
    """Return how often each id is stored, once everything accepted is."""
    server.wait_until_stored()
    return Counter(server.stored_ids())


def _wait_for_write(data_dir: Path) -> bool:
    """Return True as soon as the store's files change, False when they do not for AIM_TIMEOUT_S seconds."""
    before = _marks(data_dir)
    end = time.monotonic() + AIM_TIMEOUT_S
    while time.monotonic() < end:
        if _marks(data_dir) != before:
            return True
        time.sleep(_POLL_S)
    return False


def _marks(data_dir: Path) -> set[tuple[str, int, int]]:
    marks = set()
    for file in data_dir.glob("events*"):
        try:
            status = file.stat()
        except FileNotFoundError:  # gone between the listing and the look
            continue
        marks.add((file.name, status.st_mtime_ns, status.st_size))
    return marks
