"""Servers that erase somebody and die on the way: in front of a given line of what erasing runs through, by SIGKILL.

Started by test_erased_killed.py as a process of its own, which forks a server for each line of JSON that it reads,
[data folder, place or null], and answers how that ended: [exit status, places]. A place is a line of a function and how
often it was passed. With null the server lives, and tells those places at which a kill leaves other files than at the
one before. The events that it takes in first wait until the tombstones are on disk.
"""

import contextlib
import json
import os
import signal
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any
from zlib import crc32

from argon2 import PasswordHasher, profiles
from starlette.testclient import TestClient

from server.app import create_app
from server.enrich.public_suffix import load_suffixes
from server.ingest import asked, erasure, mentions, people, queue, queue_file, scrubbing, telling, writer
from server.ingest.checkpoints import Checkpoints
from server.outgoing.outbox import Outbox
from server.storage import duckdb, duckdb_erasure, tombstones
from server.web import keys
from tests.factories import make_settings
from tests.promises.test_erased import CANARY, USER, VISITOR

KEPT = "kept-late"
THREADS = ("writer", "committer", "AnyIO worker")
STEPS: tuple[Callable[..., Any], ...] = (
    tombstones.add_tombstones,
    tombstones._append,
    writer.Writer.erase,
    asked.Asked.begin,
    writer.Writer._erase,
    writer.Writer._move_batch,
    writer.Writer._append,
    erasure.Erasure.apply,
    erasure.Erasure.finish,
    erasure.Erasure.forget_left_out,
    erasure.Erasure.forget_moved,
    erasure.Erasure._forget,
    erasure._forget,
    erasure._drop_rejected,
    mentions.Mentions.find_more,
    duckdb.DuckDBStore.erase,
    duckdb.DuckDBStore.append,
    duckdb.DuckDBStore.scrub,
    duckdb_erasure.erase_events,
    duckdb_erasure.rewrite,
    telling.Telling.forget,
    telling.Telling.tell,
    people.People.rebuild,
    people.People.take,
    Outbox.erase,
    Outbox.take,
    queue.Queue.scrub,
    queue.Queue._commit,
    scrubbing.count_chunks,
    scrubbing.fill_some,
    scrubbing.fill_rest,
    scrubbing.give_back,
    queue_file.forget_stored,
    Checkpoints.empty_log,
)


class Death:
    """Ends the process at a place in the steps once it is armed; without one it notes those that differ."""

    def __init__(self, folder: Path, place: str | None, steps: Iterable[Callable[..., Any]]) -> None:
        self._folder = folder
        self._place = place
        self._passed: Counter[str] = Counter()
        self._codes: set[CodeType] = {each.__code__ for each in steps}
        self._looking = threading.Lock()
        self._files: dict[str, int] = {}
        self.is_armed = False
        self.places: list[str] = []

    def trace(self, frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        """Watch the steps alone, in the threads where they run: traced, the event loop takes five times as long."""
        if not threading.current_thread().name.startswith(THREADS):
            sys.settrace(None)
            return None
        if frame.f_code not in self._codes:
            return None
        if event == "line" and self.is_armed:
            line = f"{frame.f_code.co_qualname}:{frame.f_lineno}"
            self._passed[line] += 1
            place = f"{line} {self._passed[line]}"
            if place == self._place:
                os.kill(os.getpid(), signal.SIGKILL)
            if self._place is None:
                self._note(place)
        return self.trace

    def _note(self, place: str) -> None:
        """Note a place at which the files are not what they were. Instants are too coarse to tell: all is read."""
        with self._looking:
            files = {}
            for path in self._folder.rglob("*"):
                if path.is_file() and not path.name.endswith("-shm"):  # a kill leaves it to be made anew
                    with contextlib.suppress(FileNotFoundError):
                        files[str(path)] = crc32(path.read_bytes())
            if files != self._files:
                self._files = files
                self.places.append(place)


def session_batch(visitor_id: str, event_id: str) -> dict[str, Any]:
    """Return a batch that brings a session and its origin, and an address, from which another event follows."""
    page = {"url": f"https://shop.example/?utm_source={event_id}", "title": event_id, "referrer": ""}
    event = {"id": event_id, "name": "$session_start", "session_id": f"{event_id}-session", "page": page, "props": {}}
    operations = [{"op": "update_or_create", "key": "$email", "value": f"{event_id}@shop.example"}]
    identify = {"id": f"{event_id}-identify", "name": "$identify", "props": {"operations": operations}}
    return {"site": "default", "visitor_id": visitor_id, "events": [event, identify]}


def erase(data_dir: Path, place: str | None) -> list[str]:
    """Take in events that wait, then erase; return the places that differ."""
    death = Death(data_dir, place, STEPS)
    threading.settrace(death.trace)
    move, apply = writer.Writer._move_batch, erasure.Erasure.apply
    is_held = threading.Event()

    def move_later(self: writer.Writer) -> bool:
        return False if is_held.is_set() else move(self)

    def apply_and_release(self: erasure.Erasure) -> int:
        try:
            return apply(self)
        finally:
            is_held.clear()

    writer.Writer._move_batch = move_later  # type: ignore[method-assign]
    with TestClient(create_app(make_settings(data_dir))) as client:
        is_held.set()
        erasure.Erasure.apply = apply_and_release  # type: ignore[method-assign]
        for batch in (session_batch(VISITOR, f"{CANARY}-late"), session_batch("somebody", KEPT)):
            assert client.post("/collect", json=batch).json()["accepted"] == len(batch["events"])
        death.is_armed = True
        headers = {"authorization": f"Bearer {make_settings(data_dir).secret_key}"}
        answer = client.delete(f"/api/users/{USER}", headers=headers)
        death.is_armed = False
        assert answer.status_code == 200, answer.text
    return death.places


def erase_apart(data_dir: Path, place: str | None) -> tuple[int, list[str]]:
    """Erase in a process that is forked for it: to start the interpreter anew takes five times as long."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with os.fdopen(writing, "w") as told:
                json.dump(erase(data_dir, place), told)
            status = 0
        except BaseException:  # noqa: BLE001 - the child must not go on as its parent
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as told:
        seen = told.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, json.loads(seen) if status == 0 else []


def main() -> None:
    """Fork servers until nothing more is asked."""
    keys.HASHER = PasswordHasher.from_parameters(profiles.CHEAPEST)
    load_suffixes()  # what all of them need, and the first would read for itself alone
    for line in sys.stdin:
        folder, place = json.loads(line)
        sys.stdout.write(json.dumps(erase_apart(Path(folder), place)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
