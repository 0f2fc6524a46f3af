"""What is handed over in memory is what is in the queue's file: in order, without gaps, nothing twice."""

import random
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.ingest import handing
from server.ingest.handing import Handing
from server.ingest.pipeline import record_of
from server.ingest.queue import Queue
from server.ingest.queue_file import Record, Submission
from server.ingest.writer import Writer
from server.storage.duckdb import DuckDBStore
from tests.factories import make_beacon, make_event, make_pipeline, make_record

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=9), inner, max_size=3),
    max_leaves=8,
)

PIPELINE = make_pipeline()


def events(count: int) -> list[Record]:
    return [Record("default", str(number), b"%d" % number) for number in range(count)]


def numbers(rows: list[Any]) -> list[int]:
    return [row.seq for row in rows]


def test_what_follows_the_position_is_taken_once() -> None:
    handed = Handing()
    handed.put(1, events(3))
    handed.put(4, events(2))
    rows, is_more = handed.take(0)
    assert (numbers(rows), is_more) == ([1, 2, 3, 4, 5], False)
    assert [row.event for row in rows] == [b"0", b"1", b"2", b"0", b"1"]
    assert handed.take(5) == ([], False)
    assert handed.take(0) == ([], True), "the file has them"


def test_of_a_group_that_was_moved_in_part_the_rest_is_taken() -> None:
    handed = Handing()
    handed.put(1, events(5))
    assert numbers(handed.take(3)[0]) == [4, 5]


def test_nothing_behind_a_gap_is_taken_until_the_position_is_there() -> None:
    handed = Handing()
    handed.put(1, events(2))
    handed.put(4, events(2))
    rows, is_more = handed.take(0)
    assert (numbers(rows), is_more) == ([1, 2], True)
    assert handed.take(2) == ([], True)
    assert numbers(handed.take(3)[0]) == [4, 5]


@pytest.mark.parametrize(("name", "bound"), [("MAX_EVENTS", 4), ("MAX_BYTES", 4)])
def test_beyond_the_bound_nothing_is_kept_and_that_there_is_more_is_told(
    monkeypatch: pytest.MonkeyPatch, name: str, bound: int
) -> None:
    monkeypatch.setattr(handing, name, bound)
    handed = Handing()
    handed.put(1, events(3))
    handed.put(4, events(3))
    handed.put(7, events(1))
    rows, is_more = handed.take(0)
    assert (numbers(rows), is_more) == ([1, 2, 3], True)
    assert handed.take(3) == ([], True)
    handed.put(8, events(1))
    rows, is_more = handed.take(6)
    assert (numbers(rows), is_more) == ([7, 8], False), "there is room again"


@pytest.mark.parametrize("seed", range(3))
async def test_every_event_is_stored_once_and_in_order_whichever_way_it_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Requests, what the server makes itself (not handed over), and more than is kept, before and after the start."""
    monkeypatch.setattr(handing, "MAX_EVENTS", 25)
    source = random.Random(seed)  # noqa: S311 - which way is all it decides
    queue, store = Queue(tmp_path / "queue.sqlite"), DuckDBStore(tmp_path / "events.duckdb")
    writer = Writer(queue, tmp_path / "queue.sqlite", store)
    sent = []
    for number in range(40):
        records = [make_record(title=f"{number}") for _ in range(source.randint(1, 12))]
        sent += records
        if source.random() < 0.2:
            queue.put([orjson.loads(record.event) for record in records])
        else:
            await queue.submit(Submission([each._replace(fields=orjson.loads(each.event)) for each in records]))
        if number == 3:
            writer.start()
        if source.random() < 0.2:
            writer.wait_until_idle(10)
    assert writer.wait_until_idle(20)
    writer.close()
    stored = store.query("select id, title from events order by rowid", {})
    assert stored == [(each["id"], each["title"]) for each in (orjson.loads(record.event) for record in sent)]
    queue.perform(lambda _: None)  # what was to be forgotten is forgotten now
    assert queue.counts().queued == 0
    queue.close()
    store.close()


@given(
    props=st.dictionaries(st.text(min_size=1, max_size=9), VALUES, max_size=5), name=st.text(min_size=1, max_size=20)
)
def test_the_fields_are_what_decoding_the_line_gives(props: dict[str, Any], name: str) -> None:
    draft = PIPELINE.run(make_beacon(is_odd=True), make_event(name=name, props=props))
    record = record_of(draft)
    assert orjson.loads(record.event) == record.fields
