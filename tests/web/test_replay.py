"""Rejected events after a fix: as they came, once, and what is still wrong stays with its reason."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from server.web.parts import Parts
from tests.conftest import StandingClock, wait_until_stored
from tests.factories import NOW_MS, make_batch, make_event

Stored = Callable[..., list[dict[str, Any]]]


def reject(client: TestClient, parts: Parts, **changes: Any) -> dict[str, Any]:
    """Have a page's event refused: its name is the server's; return it as it was sent."""
    forbid(parts, "Paid")
    event = make_event(name="Paid", time="2026-11-23T14:00:00.000Z", **changes)
    assert client.post("/collect", json=make_batch(event)).json()["rejected"][0]["code"] == "reserved_for_server"
    return event


def forbid(parts: Parts, *names: str) -> None:
    parts.sites["default"] = replace(parts.sites["default"], server_only=frozenset(names))  # type: ignore[index]  # a fix


def replay(client: TestClient, secret: dict[str, str], **chosen: Any) -> dict[str, Any]:
    answer = client.post("/api/rejected/replay", json=chosen, headers=secret)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_a_replayed_event_is_stored_as_it_came(
    client: TestClient, parts: Parts, secret: dict[str, str], stored: Stored, clock: StandingClock
) -> None:
    event = reject(client, parts)
    forbid(parts)
    clock.now_ms += 3_600_000
    assert replay(client, secret, ids=[event["id"]])["accepted"] == 1
    (kept,) = stored()
    assert (kept["id"], kept["source"], kept["visitor_id"]) == (event["id"], "page", "visitor-1")
    assert (kept["time"], kept["received_at"]) == ("2026-11-23T14:00:00.000Z", "2026-11-23T14:03:22.000Z")
    assert (kept["browser"], kept["os"]) == ("Firefox", "Linux")
    assert client.get("/api/rejected", headers=secret).json()["rejected"] == []


def test_a_second_replay_stores_nothing_twice_even_without_an_id(
    client: TestClient, parts: Parts, secret: dict[str, str], stored: Stored
) -> None:
    reject(client, parts, id=None)
    (row,) = parts.queue.list_rejected(_any(), 10)
    forbid(parts)
    assert replay(client, secret, all=True)["accepted"] == 1
    assert replay(client, secret, all=True) == {
        "accepted": 0, "duplicate": 0, "rejected": [], "dry_run": False, "next": None
    }  # fmt: skip
    # two at once: the second still holds the row that the first has replayed
    assert client.portal is not None
    done = client.portal.call(lambda: _replayer(parts).replay([row], is_dry=False))
    assert (done.accepted, done.duplicate) == (0, 1)
    assert len(stored()) == 1


def test_what_is_still_wrong_stays_with_its_new_reason(
    client: TestClient, parts: Parts, secret: dict[str, str], stored: Stored
) -> None:
    event = reject(client, parts, props=[])
    forbid(parts)
    told = replay(client, secret, code="reserved_for_server")
    assert [(each["id"], each["code"]) for each in told["rejected"]] == [(event["id"], "bad_props")]
    (kept,) = client.get("/api/rejected", params={"code": "bad_props"}, headers=secret).json()["rejected"]
    assert (kept["id"], stored()) == (event["id"], [])


def test_a_dry_run_changes_nothing(client: TestClient, parts: Parts, secret: dict[str, str], stored: Stored) -> None:
    reject(client, parts)
    forbid(parts)
    assert replay(client, secret, all=True, dry_run=True)["accepted"] == 1
    assert stored() == []
    assert len(client.get("/api/rejected", headers=secret).json()["rejected"]) == 1


@pytest.mark.parametrize(("name", "is_dry"), [("Paid", True), ("$message_read", False)])
def test_what_is_not_replayed_leaves_no_campaign_to_the_next_request(
    client: TestClient, parts: Parts, secret: dict[str, str], name: str, *, is_dry: bool
) -> None:
    """A dry run, and an event that lacks what the catalogue wants: which is looked for last."""
    forbid(parts, name)
    page = {"url": "https://shop.example/?utm_source=ads&utm_medium=cpc", "title": "", "referrer": ""}
    client.post("/collect", json=make_batch(make_event(name=name, page=page)))
    forbid(parts)
    assert replay(client, secret, all=True, dry_run=is_dry)["accepted"] == is_dry

    assert client.post("/collect", json=make_batch(make_event(session_id="session-2"))).status_code == 200

    assert parts.queue.find_origin(("default", "session-1")) is None
    assert parts.receiver.pipeline.origins.known("default", "session-1") is None


def test_what_the_store_refused_goes_back_to_it_and_the_accounts_balance(
    client: TestClient, parts: Parts, secret: dict[str, str]
) -> None:
    def accept(database: sqlite3.Connection) -> None:
        database.execute("insert into waiting (event) values (?)", (b'{"id":"x","time":"never"}',))

    parts.queue.perform(accept)
    parts.queue.change(lambda _: None)
    wait_until_stored(client)
    assert replay(client, secret, code="store_refused")["accepted"] == 1
    wait_until_stored(client)
    counts = parts.queue.counts()
    assert (counts.accepted, counts.stored, counts.queued, counts.set_aside) == (1, 0, 0, 1)


def test_filters_and_cursor_of_the_list(client: TestClient, parts: Parts, secret: dict[str, str]) -> None:
    for _ in range(3):
        reject(client, parts)
    first = client.get("/api/rejected", params={"limit": 2}, headers=secret).json()
    rest = client.get("/api/rejected", params={"limit": 2, "cursor": first["next"]}, headers=secret).json()
    assert (len(first["rejected"]), len(rest["rejected"]), rest["next"]) == (2, 1, None)
    for name, value, count in (("code", "other", 0), ("since", NOW_MS + 1, 0), ("until", NOW_MS + 1, 3)):
        found = client.get("/api/rejected", params={name: value}, headers=secret).json()["rejected"]
        assert len(found) == count, name


def test_a_choice_is_needed_and_checked(client: TestClient, secret: dict[str, str]) -> None:
    for body in ({}, {"dry_run": True}, {"ids": [None]}, {"since": "x"}, {"cursor": "-1", "all": True}, {"odd": 1}):
        assert client.post("/api/rejected/replay", json=body, headers=secret).status_code == 400, body
    assert client.post("/api/rejected/replay", json={"all": True}).status_code == 401


@pytest.mark.parametrize(
    ("chosen", "code"),
    [
        ({"all": False}, "nothing_chosen"),
        ({"all": "yes"}, "bad_all"),
        ({"all": None}, "bad_all"),
        ({"all": True, "dry_run": "true"}, "bad_dry_run"),
        ({"all": True, "dry_run": 1}, "bad_dry_run"),
    ],
)
def test_what_does_not_clearly_ask_for_a_replay_makes_none(
    client: TestClient, parts: Parts, secret: dict[str, str], chosen: dict[str, Any], code: str
) -> None:
    reject(client, parts)
    forbid(parts)
    answer = client.post("/api/rejected/replay", json=chosen, headers=secret)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert len(client.get("/api/rejected", headers=secret).json()["rejected"]) == 1


def _any() -> Any:
    from server.ingest.rejected import RejectedFilter

    return RejectedFilter()


def _replayer(parts: Parts) -> Any:
    from server.ingest.replay import Replayer

    return Replayer(pipeline=parts.receiver.pipeline, queue=parts.queue, sites=parts.sites)
