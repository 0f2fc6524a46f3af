"""Retention: old events go, and who was not seen for so long; everybody else stays whole, whoever is erased."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.identity.people_file import PEOPLE_FILE
from tests.conftest import StandingClock, wait_until_stored
from tests.factories import SECRET_KEY, make_batch, make_event, make_settings

DAYS = 30
DAY_MS = 24 * 3600 * 1000
PATIENCE_S = 10.0
HEADERS = {"authorization": f"Bearer {SECRET_KEY}"}

Start = Callable[[], TestClient]


@pytest.fixture
def start(tmp_path: Path, clock: StandingClock) -> Iterator[Start]:
    """Return a function that starts a server on the same folder, in place of the one before."""
    running: list[TestClient] = []

    def anew() -> TestClient:
        if running:
            running.pop().__exit__(None, None, None)
        app = create_app(make_settings(tmp_path / "data", retention_days=DAYS), clock=clock)
        running.append(TestClient(app, headers=HEADERS))
        return running[-1].__enter__()

    yield anew
    if running:
        running.pop().__exit__(None, None, None)


def say(client: TestClient, *events: dict[str, Any]) -> None:
    assert client.post("/api/events", json=events).json()["accepted"] == len(events)
    wait_until_stored(client)


def plant(client: TestClient) -> None:
    """Have two users with all that makes them."""
    for user in ("anna", "carl"):
        properties = {"$email": f"{user}@shop.example", "plan": "pro"}
        client.post(f"/api/users/{user}/properties", json={"properties": properties})
        operations = [{"op": "append", "key": "sizes", "value": 40}]
        identify = make_event(name="$identify", props={"operations": operations})
        assert client.post("/collect", json=make_batch(identify, visitor_id=f"{user}-phone")).status_code == 200
        say(client, {"name": "Paid", "visitor_id": f"{user}-phone", "user_id": user, "props": {"card": f"{user}-card"}})
        say(client, {"name": "Seen", "user_id": f"{user}-old"})
        assert client.post(f"/api/users/{user}-old/merge", json={"into": user}).json()["merged"] is True
        wait_until_stored(client)
    wait_until_stored(client)  # of what follows


def person(client: TestClient, user: str) -> dict[str, Any]:
    found = client.get(f"/api/users/{user}").json()
    return {name: found[name] for name in ("user_ids", "visitor_ids", "properties")}


def rows(client: TestClient) -> list[tuple[Any, ...]]:
    store = client.app.state.parts.store  # type: ignore[attr-defined]  # the client's type knows only ASGI
    return list(store.query("select rowid, name, visitor_id, user_id, props from events", {}))


def pass_days(client: TestClient, clock: StandingClock, days: int) -> None:
    """Have the hourly work be done at a later time."""
    writer = client.app.state.parts.writer  # type: ignore[attr-defined]  # as above
    end = time.monotonic() + PATIENCE_S
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "_keep_house", lambda: None)  # not before she was seen
        clock.now_ms += days * DAY_MS
        say(client, {"name": "Tick", "user_id": "anna"})
        writer._housekeeping_due_ms = 0
    while not writer._housekeeping_due_ms:
        assert time.monotonic() < end
        time.sleep(0.01)
    say(client, {"name": "Tick", "user_id": "anna"})  # moved after it


def test_who_is_seen_stays_whole_and_only_old_events_go(start: Start, clock: StandingClock) -> None:
    client = start()
    plant(client)
    anna = person(client, "anna")
    assert anna["properties"] == {"$email": "anna@shop.example", "plan": "pro", "sizes": [40]}
    assert (anna["user_ids"], anna["visitor_ids"]) == (["anna", "anna-old"], ["anna-phone"])
    pass_days(client, clock, DAYS + 10)
    assert person(client, "anna") == anna
    shown = {each["name"] for each in client.get("/api/users/anna/events").json()["events"]}
    assert shown == {"Tick"}
    assert not [row for row in rows(client) if "card" in (row[4] or "")], "what an old event told beside who it is"

    assert client.delete("/api/users/nobody").status_code == 200
    assert person(client, "anna") == anna, "made anew at an erasure"
    (client.app.state.parts.settings.data_dir / PEOPLE_FILE).unlink()  # type: ignore[attr-defined]  # as above
    client = start()
    wait_until_stored(client)
    assert person(client, "anna") == anna, "made anew where the file is missing"


def test_who_is_not_seen_any_more_goes_with_everything(start: Start, clock: StandingClock) -> None:
    client = start()
    plant(client)
    folder = client.app.state.parts.settings.data_dir  # type: ignore[attr-defined]  # as above
    assert b"carl@shop.example" in (folder / PEOPLE_FILE).read_bytes() + (folder / f"{PEOPLE_FILE}-wal").read_bytes()
    pass_days(client, clock, DAYS + 10)
    for each in ("carl", "carl-old", "carl-phone"):
        assert client.get(f"/api/users/{each}").status_code == 404
    assert not [row for row in rows(client) if "carl" in f"{row}"]
    for name in (PEOPLE_FILE, f"{PEOPLE_FILE}-wal"):
        assert b"carl" not in (folder / name).read_bytes()


def test_who_shared_a_browser_is_kept_as_long_as_one_of_them_is_seen(start: Start, clock: StandingClock) -> None:
    client = start()
    plant(client)
    clock.now_ms += 1000
    say(client, {"name": "Shared", "visitor_id": "anna-phone", "user_id": "carl"})
    carl = person(client, "carl")
    pass_days(client, clock, DAYS + 10)
    assert person(client, "carl") == carl


def test_what_is_kept_is_written_once(start: Start, clock: StandingClock) -> None:
    client = start()
    plant(client)
    pass_days(client, clock, DAYS + 10)
    kept = [row for row in rows(client) if row[1] != "Tick"]
    assert {row[1] for row in kept} == {"$identify", "$user_merged"}
    pass_days(client, clock, 1)
    assert [row for row in rows(client) if row[1] != "Tick"] == kept


def test_when_somebody_was_first_seen_is_told_by_what_is_left(start: Start, clock: StandingClock) -> None:
    client = start()
    say(client, {"name": "Looked", "visitor_id": "guest"})
    clock.now_ms += 20 * DAY_MS
    say(client, {"name": "Looked", "visitor_id": "guest"})
    since = client.get("/api/users/guest").json()["last_seen"]
    pass_days(client, clock, DAYS - 10)
    guest = client.get("/api/users/guest").json()
    assert guest["first_seen"] == since
    assert client.delete("/api/users/nobody").status_code == 200
    assert client.get("/api/users/guest").json() == guest
