"""Erased means: no byte of it in any file of the data folder, and it does not come back."""

import json
import shutil
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.ingest.mentions import Mentions
from server.ingest.telling import Telling
from server.settings import Settings
from server.storage.duckdb import DuckDBStore
from server.storage.export_files import export_name
from server.storage.tombstones import Tombstone
from server.web.parts import Parts
from tests.conftest import StandingClock, wait_until, wait_until_stored
from tests.factories import NOW_MS, make_batch, make_event

Stored = Callable[..., list[dict[str, Any]]]
CANARY = "canary-of-the-visitor-7f3a9"
UUID = "0192f0c1-0000-7000-8000-000000000001"


def send(client: TestClient, visitor_id: str, **changes: Any) -> dict[str, Any]:
    event = make_event(id=f"id-{changes.get('name', 'x')}-{visitor_id}-{len(changes)}", **changes)
    assert client.post("/collect", json=make_batch(event, visitor_id=visitor_id)).status_code == 200
    return event


def plant(client: TestClient) -> None:
    for number in range(300):
        send(client, f"other-{number}", name="Kept")
        if number % 30 == 0:
            props = {"mail": f"{CANARY}@shop.example", "number": number}
            send(client, CANARY, name=f"Erased{number}", props=props, session_id=f"session-{CANARY}")
    send(client, CANARY, name="", props={"mail": CANARY})  # is rejected
    client.post("/collect", content=json.dumps({"site": "nowhere", "visitor_id": CANARY, "events": []}))
    wait_until_stored(client)


def files_with_canary(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]


def erase(parts: Parts) -> int:
    assert parts.writer is not None
    return parts.writer.erase("default", [("visitor", CANARY)])


def test_an_export_that_a_kill_left_goes_with_an_erasure_and_at_the_next_start(settings: Settings) -> None:
    left, mine = settings.data_dir / export_name(), settings.data_dir / "mine.parquet"
    app = create_app(settings)
    with TestClient(app) as client:
        send(client, CANARY)
        wait_until_stored(client)
        left.write_bytes(CANARY.encode())
        mine.write_bytes(b"PAR1")
        erase(app.state.parts)
        assert files_with_canary(settings.data_dir) == []
    left.write_bytes(CANARY.encode())
    with TestClient(create_app(settings)):
        assert (left.exists(), mine.exists()) == (False, True)


def test_no_byte_of_the_erased_is_left_while_the_server_runs(
    client: TestClient, parts: Parts, settings: Settings, stored: Stored
) -> None:
    plant(client)
    assert parts.store is not None
    before = len(stored())
    assert files_with_canary(settings.data_dir)
    assert erase(parts) == 10
    assert files_with_canary(settings.data_dir) == []
    assert len(stored()) == before - 10 == 300
    counts = parts.queue.counts()
    assert counts.accepted == counts.stored + counts.waiting


@pytest.mark.parametrize("is_started_anew", [False, True])
def test_what_came_while_the_clock_was_ahead_is_erased_too(
    settings: Settings, clock: StandingClock, *, is_started_anew: bool
) -> None:
    def look(client: TestClient) -> list[tuple[str]]:
        wait_until_stored(client)
        found: list[tuple[str]] = app.state.parts.store.query("select visitor_id from events", {})
        return found

    app = create_app(settings, clock=clock)
    with TestClient(app) as client:
        clock.now_ms += 365 * 24 * 3600 * 1000
        send(client, CANARY)
        wait_until_stored(client)
        clock.now_ms = NOW_MS
        if not is_started_anew:
            assert erase(app.state.parts) == 1
            send(client, "other")
            assert look(client) == [("other",)]
            return
    app = create_app(settings, clock=clock)
    with TestClient(app) as client:
        assert erase(app.state.parts) == 1
        assert look(client) == []


def test_late_events_of_the_erased_do_not_come_back_and_new_ones_are_welcome(
    client: TestClient, parts: Parts, stored: Stored, clock: StandingClock
) -> None:
    send(client, CANARY, name="Early", time="2026-11-23T14:00:00.000Z")
    wait_until_stored(client)
    assert erase(parts) == 1
    clock.now_ms += 60_000
    send(client, CANARY, name="Early", time="2026-11-23T14:00:00.000Z")
    send(client, CANARY, name="Also early", time="2026-11-23T14:01:00.000Z")
    send(client, CANARY, name="Later", time="2026-11-23T14:04:00.000Z")
    assert [each["name"] for each in stored()] == ["Later"]
    counts = parts.queue.counts()
    assert (counts.duplicate, counts.erased) == (1, 1)


def test_what_is_known_of_the_session_of_a_late_event_goes_with_it(client: TestClient, parts: Parts) -> None:
    assert erase(parts) == 0
    page = {"url": f"https://shop.example/?utm_source={CANARY}", "title": "", "referrer": ""}
    for visitor_id, session_id in ((CANARY, "session-gone"), ("somebody", "session-kept")):
        send(client, visitor_id, name="Late", time=NOW_MS - 1000, session_id=session_id, page=page)
    wait_until_stored(client)
    parts.queue.perform(lambda _: None)  # what was to be counted is counted now
    assert parts.queue.counts().erased == 1
    assert parts.queue.find_origin(("default", "session-gone")) is None
    assert parts.queue.find_origin(("default", "session-kept")) is not None


@pytest.mark.parametrize("event_id", [UUID, f"{CANARY}-order"])
def test_a_late_repetition_without_a_time_is_a_duplicate(
    client: TestClient, parts: Parts, settings: Settings, stored: Stored, event_id: str
) -> None:
    batch = make_batch({"id": event_id, "name": "Seen", "props": {}}, visitor_id=CANARY)
    assert client.post("/collect", json=batch).json()["accepted"] == 1
    wait_until_stored(client)
    assert erase(parts) == 1
    assert client.post("/collect", json=batch).json()["duplicate"] == 1
    assert stored() == []
    assert files_with_canary(settings.data_dir) == []


def test_an_erasure_that_was_cut_short_leaves_no_origin_but_those_of_others(
    client: TestClient, parts: Parts, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a kill leaves it: the queue has forgotten, the store has not erased; or both have, the others have not."""
    page = {"url": f"https://shop.example/?utm_source={CANARY}", "title": "", "referrer": ""}
    for visitor_id, session_id in ((CANARY, "session-gone"), ("somebody", "session-kept")):
        event = make_event(name="$session_start", session_id=session_id, page=page)
        assert client.post("/collect", json=make_batch(event, visitor_id=visitor_id)).status_code == 200
    wait_until_stored(client)
    for owner, step in ((parts.store, "position"), (parts.queue, "perform"), (parts.queue, "scrub")):
        with monkeypatch.context() as killed:
            killed.setattr(owner, step, _die)
            with pytest.raises(RuntimeError, match="killed"):
                erase(parts)
        assert (settings.data_dir / "erasing").exists()
    erase(parts)
    assert not (settings.data_dir / "erasing").exists()
    with sqlite3.connect(settings.data_dir / "queue.sqlite") as database:
        assert database.execute("select session_id from session_origins").fetchall() == [("session-kept",)]


def _die(*_: object) -> None:
    raise RuntimeError("killed")


def test_the_tombstone_is_applied_to_an_older_state(
    client: TestClient, parts: Parts, settings: Settings, tmp_path: Path, clock: StandingClock
) -> None:
    """As a restore of an older backup leaves it: the files of before the erasure, and the tombstones of after it."""
    from server.ingest.backup import Sources, make_backup
    from server.restoring import restore

    plant(client)
    assert parts.store is not None
    assert parts.writer is not None
    sources = Sources(data_dir=settings.data_dir, store=parts.store, writer=parts.writer, outbox=parts.outbox)
    make_backup(sources, tmp_path / "copy", clock())
    erase(parts)
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(settings.data_dir / "erased.jsonl", other)
    restore(tmp_path / "copy", other, force=False)
    assert files_with_canary(other)
    with TestClient(create_app(Settings(**{**_values(settings), "data_dir": other}), clock=clock)) as restored:
        wait_until_stored(restored)
        send(restored, "somebody", name="New")
        wait_until_stored(restored)  # from here on the erasure has begun, and its last step overwrites the bytes
        wait_until(lambda: not (other / "erasing").exists())
        assert files_with_canary(other) == []


@pytest.mark.parametrize("side", ["$from", "$to"])
def test_a_merge_that_names_the_erased_in_its_properties_alone_goes_too(
    client: TestClient, parts: Parts, settings: Settings, secret: dict[str, str], side: str
) -> None:
    other = {"$from": "other", "$to": "other", "$from_kind": "user", "$to_kind": "user"}
    for props in ({**other, side: CANARY, f"{side}_kind": "visitor"}, {**other, "$from": "a", "$to": "b"}):
        event = {"name": "$user_merged", "props": props}
        assert client.post("/api/events", json=event, headers=secret).json()["accepted"] == 1
    wait_until_stored(client)
    assert files_with_canary(settings.data_dir)
    assert erase(parts) == 1
    assert files_with_canary(settings.data_dir) == []
    late = {"name": "$user_merged", "time": NOW_MS - 1000, "props": {**other, side: CANARY, f"{side}_kind": "visitor"}}
    client.post("/api/events", json=late, headers=secret)
    wait_until_stored(client)
    parts.queue.perform(lambda _: None)  # what was to be counted is counted now
    assert parts.queue.counts().erased == 1


def reject(client: TestClient, *events: dict[str, Any]) -> None:
    answer = client.post("/collect", json=make_batch(*events, visitor_id="stranger"))
    assert len(answer.json()["rejected"]) == len(events)


def rejected_names(settings: Settings) -> int:
    with sqlite3.connect(settings.data_dir / "queue.sqlite") as database:
        return int(database.execute("select count(*) from rejected").fetchone()[0])


def test_what_strangers_had_rejected_is_looked_through_beside_the_commits(
    client: TestClient, parts: Parts, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(20):
        reject(client, {"name": "", "props": {"a": [str(each) for each in range(1000)]}}, {"name": "", "x": CANARY})
    looked, texts = Counter[str](), Counter[str]()
    find, look_up = Mentions.find_more, Mentions._look_up

    def find_more(self: Mentions, database: sqlite3.Connection) -> list[int]:
        before = self.last_seq
        found = find(self, database)
        looked[threading.current_thread().name] += self.last_seq - before
        return found

    def note_text(self: Mentions, text: bytes) -> list[Tombstone]:
        texts[text.decode()] += 1
        return look_up(self, text)

    monkeypatch.setattr(Mentions, "find_more", find_more)
    monkeypatch.setattr(Mentions, "_look_up", note_text)
    erase(parts)
    assert looked == Counter(writer=40)
    assert set(texts.values()) == {1}
    assert CANARY in texts
    assert rejected_names(settings) == 20
    erase(parts)
    assert looked["committer"] == 0


def test_a_rejected_event_that_was_on_its_way_goes_too(
    client: TestClient, parts: Parts, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a request that came before the erasure and was committed between two of its steps."""
    for owner, step in ((Mentions, "find"), (DuckDBStore, "erase"), (Telling, "forget")):
        with monkeypatch.context() as between:
            do = getattr(owner, step)

            def late(*arguments: Any, do: Any = do, owner: Any = owner, step: str = step) -> Any:
                monkeypatch.setattr(owner, step, do)  # once
                result = do(*arguments)
                reject(client, {"name": "", "note": CANARY}, {"name": "", "note": "another"})
                return result

            between.setattr(owner, step, late)
            erase(parts)
        assert files_with_canary(settings.data_dir) == [], step
    assert rejected_names(settings) > 0


def test_deep_and_broken_payloads_are_looked_through(client: TestClient, parts: Parts, settings: Settings) -> None:
    deep = b'{"site":"nowhere","a":' + b"[" * 1000 + f'"{CANARY}"'.encode() + b"]" * 1000 + b"}"
    for body in (deep, f'{{"site":"nowhere","a":"{CANARY}","b'.encode()):
        assert client.post("/collect", content=body).status_code >= 400
    assert files_with_canary(settings.data_dir)
    erase(parts)
    assert files_with_canary(settings.data_dir) == []


def test_an_erasure_reads_what_the_store_has_applied_once(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parts.writer is not None
    parts.writer.erase("default", [("user", f"user-{number}") for number in range(50)])
    read = DuckDBStore.tombstones
    asked: list[int] = []

    def note(self: DuckDBStore) -> set[Tombstone]:
        found = read(self)
        asked.append(len(found))
        return found

    monkeypatch.setattr(DuckDBStore, "tombstones", note)
    erase(parts)
    assert asked == [50]


@pytest.fixture
def shared(client: TestClient, secret: dict[str, str], clock: StandingClock) -> Callable[[], list[str]]:
    """Have a browser be anna's and then ben's; return a function that tells what is stored, oldest first."""
    for user in ("anna", "ben"):
        send(client, "shared", name=f"before {user}", props={"note": CANARY if user == "anna" else ""})
        clock.now_ms += 60_000
        join = {"name": f"join {user}", "user_id": user, "visitor_id": "shared"}
        assert client.post("/api/events", json=join, headers=secret).json()["accepted"] == 1
        clock.now_ms += 60_000
        send(client, "shared", name=f"as {user}", props={"note": CANARY if user == "anna" else ""})
        wait_until_stored(client)

    def names() -> list[str]:
        wait_until_stored(client)
        answer = client.get("/api/events", headers=secret).json()["events"]
        return [each["name"] for each in reversed(answer)]

    return names


BY_ANNA = ["before anna", "join anna", "as anna", "before ben"]
BY_BEN = ["join ben", "as ben"]


def test_what_a_shared_browser_did_as_the_erased_goes_and_is_nobody_else_s(
    client: TestClient, settings: Settings, secret: dict[str, str], shared: Callable[[], list[str]]
) -> None:
    assert shared() == BY_ANNA + BY_BEN
    assert client.delete("/api/users/anna", headers=secret).json() == {"erased": len(BY_ANNA)}
    assert shared() == BY_BEN
    assert files_with_canary(settings.data_dir) == []
    send(client, "shared", name="late as anna", time=NOW_MS + 150_000)
    send(client, "shared", name="late as ben", time=NOW_MS + 200_000)
    assert shared() == ["join ben", "late as ben", "as ben"]
    ben = client.get("/api/users/ben/events", headers=secret).json()["events"]
    assert {each["name"] for each in ben} == {"join ben", "late as ben", "as ben"}


def test_what_a_shared_browser_did_as_others_stays(
    client: TestClient, secret: dict[str, str], shared: Callable[[], list[str]], clock: StandingClock
) -> None:
    assert client.delete("/api/users/ben", headers=secret).json() == {"erased": len(BY_BEN)}
    send(client, "shared", name="late as ben", time=NOW_MS + 200_000)
    assert shared() == BY_ANNA
    clock.now_ms += 60_000
    send(client, "shared", name="after all")
    assert shared() == [*BY_ANNA, "after all"]
    assert client.delete("/api/users/shared", headers=secret).status_code == 200
    assert shared() == []


def _values(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in ("secret_key", "auth_key", "admin_password")}
