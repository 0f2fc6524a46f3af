"""Who is erased is found when everything that was accepted before has been moved."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from server.errors import Unavailable
from server.events.head import Numbered
from server.ingest.accounts import received_ms
from server.ingest.queue import Queue
from server.ingest.queue_file import Submission
from server.ingest.rejected import RejectedFilter
from server.ingest.writer import Writer
from server.settings import Settings
from server.storage.base import StoreRefused
from server.storage.duckdb import DuckDBStore
from server.storage.tombstones import FILE_NAME, ErasedId, read_tombstones
from server.web.parts import Parts
from tests.conftest import StandingClock, wait_until_stored
from tests.factories import NOW_MS, make_batch, make_event, make_record

Stored = Callable[..., list[dict[str, Any]]]
CANARY = "canary-of-the-visitor-51c0e"


@pytest.fixture
def held(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function that has nothing moved until so many erasures are asked for, one unless it is told."""
    wait_until_stored(client)
    move, erase = Writer._move_batch, Writer.erase
    asked: list[str] = []

    def hold(erasures: int = 1) -> None:
        def move_later(self: Writer) -> bool:
            return len(asked) >= erasures and move(self)

        def note(self: Writer, site: str, ids: Any) -> int:
            asked.append(site)
            return erase(self, site, ids)

        monkeypatch.setattr(Writer, "_move_batch", move_later)
        monkeypatch.setattr(Writer, "erase", note)

    return hold


def files_with_canary(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]


def browse(client: TestClient, visitor_id: str) -> None:
    event = make_event(name="Read", props={"note": CANARY})
    assert client.post("/collect", json=make_batch(event, visitor_id=visitor_id)).json()["accepted"] == 1


def join(client: TestClient, secret: dict[str, str], visitor_id: str, user_id: str) -> None:
    event = {"name": "Joined", "visitor_id": visitor_id, "user_id": user_id}
    assert client.post("/api/events", json=event, headers=secret).json()["accepted"] == 1


def test_somebody_who_has_joined_just_now_is_erased_with_what_the_browser_did_before(
    client: TestClient, secret: dict[str, str], settings: Settings, stored: Stored, held: Callable[[], None]
) -> None:
    browse(client, "v1")
    browse(client, "v2")
    wait_until_stored(client)
    held()
    join(client, secret, "v1", "42")
    assert client.delete("/api/users/42", headers=secret).json() == {"erased": 2}
    assert [each["visitor_id"] for each in stored()] == ["v2"]
    assert client.delete("/api/users/v2", headers=secret).json() == {"erased": 1}
    assert files_with_canary(settings.data_dir) == []


def test_several_who_have_joined_just_now_are_erased_at_once(
    client: TestClient, secret: dict[str, str], settings: Settings, stored: Stored, held: Callable[[int], None]
) -> None:
    users = ["40", "41", "42"]
    for user in users:
        browse(client, f"v{user}")
    wait_until_stored(client)
    held(len(users))
    for user in users:
        join(client, secret, f"v{user}", user)
    with ThreadPoolExecutor(len(users)) as pool:
        answers = list(pool.map(lambda user: client.delete(f"/api/users/{user}", headers=secret), users))
    assert {answer.status_code for answer in answers} == {200}
    assert stored() == []
    assert files_with_canary(settings.data_dir) == []


def test_ids_that_cannot_be_found_are_an_error_for_who_asked_alone(client: TestClient, parts: Parts) -> None:
    writer = parts.writer
    assert writer is not None
    browse(client, "v1")
    both = threading.Barrier(2)

    def fail() -> list[ErasedId]:
        raise LookupError("nobody knows")

    def erase(ids: Callable[[], list[ErasedId]]) -> int:
        both.wait()
        return writer.erase("default", ids)

    with ThreadPoolExecutor(2) as pool:
        failing, other = pool.submit(erase, fail), pool.submit(erase, lambda: [ErasedId("visitor", "v1")])
        with pytest.raises(LookupError, match="nobody knows"):
            failing.result(10)
        assert other.result(10) == 1
    assert writer.state.last_error is None
    assert writer.erase("default", [("visitor", "v1")]) == 0


def test_tombstones_come_after_what_was_found_and_are_as_old_as_the_asking(
    client: TestClient, parts: Parts, settings: Settings, clock: StandingClock, stored: Stored
) -> None:
    """What the same browser does while the ids are looked for is new."""
    store = parts.store
    assert parts.writer is not None
    assert store is not None
    seen = []

    def find() -> list[ErasedId]:
        seen.append((store.query("select count(*) from events", {}), read_tombstones(settings.data_dir / FILE_NAME)))
        clock.now_ms += 1000
        browse(client, "v1")
        return [ErasedId("visitor", "v1")]

    browse(client, "v1")
    parts.writer.erase("default", find)
    assert seen == [([(1,)], [])]
    assert [each.erased_at for each in read_tombstones(settings.data_dir / FILE_NAME)] == [NOW_MS]
    assert len(stored()) == 1


def test_while_the_store_is_away_nobody_is_looked_for_and_nothing_is_erased_by_half(
    client: TestClient, parts: Parts, settings: Settings, secret: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    browse(client, "v1")
    wait_until_stored(client)
    assert parts.writer is not None
    with monkeypatch.context() as away:

        def append(*_: object) -> int:
            raise OSError("away")

        away.setattr(DuckDBStore, "append", append)
        join(client, secret, "v1", "42")
        with pytest.raises(OSError, match="away"):
            parts.writer.erase("default", lambda: [ErasedId("user", "42")])
        assert read_tombstones(settings.data_dir / FILE_NAME) == []
    assert client.delete("/api/users/42", headers=secret).json() == {"erased": 2}


def test_what_is_set_aside_while_an_erasure_is_under_way_goes_too(
    client: TestClient,
    parts: Parts,
    settings: Settings,
    secret: dict[str, str],
    clock: StandingClock,
    held: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    append = DuckDBStore.append

    def refuse(self: DuckDBStore, events: list[Numbered], *place: Any) -> int:
        if any(CANARY.encode() in line for _, _, line in events):
            clock.now_ms += 50
            raise StoreRefused("not this one")
        return append(self, events, *place)

    monkeypatch.setattr(DuckDBStore, "append", refuse)
    held()
    for visitor_id in ("v1", "v2"):
        browse(client, visitor_id)
    client.delete("/api/users/v1", headers=secret)
    (left,) = client.get("/api/rejected", headers=secret).json()["rejected"]
    assert "v2" in str(left)
    client.delete("/api/users/v2", headers=secret)
    assert files_with_canary(settings.data_dir) == []
    assert parts.queue.counts().set_aside == 0


@pytest.mark.parametrize(("told", "expected"), [(NOW_MS - 5000, NOW_MS - 5000), (2**63, NOW_MS), (None, NOW_MS)])
async def test_what_is_set_aside_has_the_receipt_that_it_tells_unless_that_cannot_be(
    tmp_path: Path, clock: StandingClock, monkeypatch: pytest.MonkeyPatch, told: int | None, expected: int
) -> None:
    def refuse(*_: object) -> int:
        raise StoreRefused("never")

    monkeypatch.setattr(DuckDBStore, "append", refuse)
    queue, store = Queue(tmp_path / "queue.sqlite", clock=clock), DuckDBStore(tmp_path / "events.duckdb")
    record = make_record(received_at=told)
    assert received_ms(record.event) == told
    await queue.submit(Submission([record]))
    writer = Writer(queue, tmp_path / "queue.sqlite", store, clock=clock)
    writer.start()
    assert writer.wait_until_idle(10)
    writer.close()
    await queue.submit(Submission(()))
    (rejected,) = queue.list_rejected(RejectedFilter(), 10)
    assert rejected["received_at"] == expected
    queue.close()
    store.close()


def test_nobody_waits_for_a_writer_that_has_stopped(tmp_path: Path, clock: StandingClock) -> None:
    queue, store = Queue(tmp_path / "queue.sqlite", clock=clock), DuckDBStore(tmp_path / "events.duckdb")
    writer = Writer(queue, tmp_path / "queue.sqlite", store, clock=clock)
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(writer.erase, "default", [("visitor", "v1")])  # it has not started to answer
        while not read_tombstones(tmp_path / FILE_NAME):
            time.sleep(0.01)
        writer._stop.set()
        writer._asked.close()
        with pytest.raises(Unavailable, match="stopping"):
            asked.result(10)
    writer.start()
    writer.close()
    with pytest.raises(Unavailable, match="stopping"):
        writer.erase("default", [("visitor", "v2")])
    assert len(read_tombstones(tmp_path / FILE_NAME)) == 1, "what is refused leaves nothing behind"
    queue.close()
    store.close()
