"""One flipped bit in the queue's file is found and costs no more than what lies on it."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from server.events.model import COLUMNS
from server.ingest.queue import Queue
from server.ingest.queue_file import Record, Submission
from server.ingest.rejected import RejectedFilter
from server.ingest.writer import Writer
from server.storage.duckdb import DuckDBStore
from tests.factories import NOW_MS, make_id

EVENTS = 40


def make_record(number: int) -> Record:
    event_id = make_id()
    event: dict[str, Any] = {**dict.fromkeys(COLUMNS), "id": event_id, "site": "default", "name": "x", "time": NOW_MS}
    event |= {"received_at": NOW_MS, "title": f"{number:03d}" * 150, "props": {}}
    return Record("default", event_id, orjson.dumps(event))


async def fill(path: Path) -> list[Record]:
    records = [make_record(number) for number in range(EVENTS)]
    queue = Queue(path)
    await queue.submit(Submission(records))
    queue.close()
    return records


def flip(path: Path, place: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(bytes(content))


def move_all(path: Path, folder: Path) -> tuple[set[str], list[dict[str, object]]]:
    queue = Queue(path)
    store = DuckDBStore(folder / "events.duckdb")
    writer = Writer(queue, path, store)
    writer.start()
    assert writer.wait_until_idle(20)
    writer.close()
    stored = {row[0] for row in store.query("select id from events", {})}
    rejected = queue.list_rejected(RejectedFilter(), 1000)
    queue.close()
    store.close()
    return stored, rejected


async def test_a_flipped_bit_in_an_event_costs_that_event_and_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "queue.sqlite"
    records = await fill(path)
    flip(path, path.read_bytes().index(b"017017017") + 2, 1)
    stored, rejected = move_all(path, tmp_path)
    assert stored == {record.event_id for record in records} - {records[17].event_id}
    assert [(each["code"], each["event_id"]) for each in rejected] == [("damaged", records[17].event_id)]


@pytest.mark.parametrize("seed", range(12))
async def test_a_flipped_bit_anywhere_among_the_events_costs_at_most_their_page(tmp_path: Path, seed: int) -> None:
    """Every event is stored as it was accepted or reported; those lost lie on one page."""
    path = tmp_path / "queue.sqlite"
    records = await fill(path)
    source = random.Random(seed)  # noqa: S311 - places, no secrets
    with closing(sqlite3.connect(path)) as database:
        size = database.execute("pragma page_size").fetchone()[0]
    pages = [start for start in range(0, path.stat().st_size, size) if b"title" in path.read_bytes()[start:][:size]]
    flip(path, source.choice(pages) + source.randrange(size), source.randrange(8))
    stored, rejected = move_all(path, tmp_path)
    missing = {record.event_id for record in records} - stored
    assert len(missing) <= size // 500
    assert len(rejected) >= len(missing)
    assert stored <= {record.event_id for record in records}
