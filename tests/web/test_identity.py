"""What people and programs get wrong about who somebody is: nothing changes that should not."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from server.identity.signature import sign
from tests.conftest import StandingClock, wait_until_stored
from tests.factories import AUTH_KEY, make_batch, make_event

Secret = dict[str, str]
Ask = Callable[..., Any]
NOBODY = ["", "0", " 0 ", "undefined", "Undefined", "null", "NaN", "[object Object]", "x" * 256, "x" * 10_000]


@pytest.fixture
def collect(client: TestClient, clock: StandingClock) -> Ask:
    """Return a function that sends a page's events, one second after the one before."""

    def send(*events: dict[str, Any], visitor_id: str = "visitor-1") -> Any:
        clock.now_ms += 1000
        return client.post("/collect", content=orjson.dumps(make_batch(*events, visitor_id=visitor_id))).json()

    return send


@pytest.fixture
def ask(client: TestClient, secret: Secret) -> Ask:
    """Return a function that asks once everything is stored."""

    def get(path: str, **query: str) -> Any:
        for _ in range(2):  # what follows from an event is one more
            wait_until_stored(client)
        return client.get(path, params=query, headers=secret).json()

    return get


def auth(user_id: Any, signature: Any = None, **changes: Any) -> dict[str, Any]:
    given = sign(str(user_id), AUTH_KEY) if signature is None else signature
    return make_event(name="$auth", props={"user_id": user_id, "hash": given}, **changes)


def everybody(ask: Ask) -> list[tuple[str, Any]]:
    users = ask("/api/users", kind="all", sort="id")["users"]
    return [(each["id"], each["properties"]) for each in users]


@pytest.mark.parametrize("user_id", NOBODY)
def test_what_programs_say_for_nobody_becomes_nobody_also_when_it_is_signed(
    collect: Ask, ask: Ask, user_id: str
) -> None:
    collect(make_event(name="Looked"))
    before = everybody(ask)
    answer = collect(auth(user_id))
    assert [each["code"] for each in answer["rejected"]] == ["bad_user_id"]
    assert everybody(ask) == before == [("visitor-1", {})]


@pytest.mark.parametrize("user_id", NOBODY)
def test_and_so_it_is_with_the_secret_key(client: TestClient, secret: Secret, ask: Ask, user_id: str) -> None:
    event = {"name": "Paid", "user_id": user_id, "visitor_id": "visitor-1"}
    answer = client.post("/api/events", json=event, headers=secret).json()
    assert [each["code"] for each in answer["rejected"]] == ["bad_user_id"]
    assert everybody(ask) == []


@pytest.mark.parametrize(
    "signature",
    ["", "0" * 64, sign("8", AUTH_KEY), sign("7", "another key"), sign("7", AUTH_KEY)[:-1], 7, None, ["x"], {"a": 1}],
)
def test_a_wrong_signature_changes_nothing_and_its_neighbours_stand(collect: Ask, ask: Ask, signature: Any) -> None:
    forged = make_event(name="$auth", props={"user_id": "7", "hash": signature})
    answer = collect(make_event(name="Before"), forged, make_event(name="After"))
    assert (answer["accepted"], [each["code"] for each in answer["rejected"]]) == (2, ["wrong_hash"])
    assert everybody(ask) == [("visitor-1", {})]
    assert {each["user_id"] for each in ask("/api/events")["events"]} == {None}
    assert ask("/api/users/7")["error"]["code"] == "unknown_user"


def test_two_tabs_that_sign_the_same_user_in_at_once_make_one_user(
    client: TestClient, secret: Secret, ask: Ask, clock: StandingClock
) -> None:
    client.post("/api/users/7/properties", json={"properties": {"plan": "pro"}}, headers=secret)
    clock.now_ms += 1000
    client.post("/collect", content=orjson.dumps(make_batch(make_event(name="$session_start", props={}))))
    clock.now_ms += 1000
    bodies = [orjson.dumps(make_batch(auth("7"), make_event(name=f"Tab {tab}"))) for tab in range(12)]
    with ThreadPoolExecutor(6) as tabs:
        answers = list(tabs.map(lambda body: client.post("/collect", content=body).json(), bodies))
    assert [each["accepted"] for each in answers] == [2] * 12
    user = ask("/api/users/7")
    assert (user["visitor_ids"], user["properties"]) == (["visitor-1"], {"plan": "pro", "$sessions": 1})
    assert len(ask("/api/events", name="$user_merged")["events"]) == 1
    assert len(ask("/api/users/7/events", limit="100")["events"]) == 14


def test_two_tabs_that_sign_two_users_in_at_once_leave_two(client: TestClient, ask: Ask, clock: StandingClock) -> None:
    client.post("/collect", content=orjson.dumps(make_batch(make_event(name="Before"))))
    clock.now_ms += 1000
    bodies = [orjson.dumps(make_batch(auth(user_id, id=f"tab-{user_id}"))) for user_id in ("ann", "bob")]
    with ThreadPoolExecutor(2) as tabs:
        answers = list(tabs.map(lambda body: client.post("/collect", content=body).json(), bodies))
    assert [each["accepted"] for each in answers] == [1, 1]
    clock.now_ms += 1000
    client.post("/collect", content=orjson.dumps(make_batch(make_event(name="After"))))
    # at the same instant the ids decide, whichever arrived first: the history is one's, what follows the other's
    assert [each["name"] for each in ask("/api/users/ann/events")["events"]] == ["Before"]
    assert [each["name"] for each in ask("/api/users/bob/events")["events"]] == ["After"]


def joined(visitor_id: str) -> dict[str, Any]:
    return {"name": "$identify", "visitor_id": visitor_id, "user_id": "7"}


def merged(visitor_id: str) -> dict[str, Any]:
    props = {"$from": visitor_id, "$from_kind": "visitor", "$to": "7", "$to_kind": "user"}
    return {"name": "$user_merged", "props": props}


@pytest.mark.parametrize("become", [joined, merged])
def test_a_thousand_visitors_become_one_user(
    client: TestClient, secret: Secret, ask: Ask, become: Callable[[str], dict[str, Any]]
) -> None:
    visitors = [f"v{number}" for number in range(1000)]
    for events in ([{"name": "Looked", "visitor_id": each} for each in visitors], [become(each) for each in visitors]):
        assert client.post("/api/events", json=events, headers=secret).json()["accepted"] == 1000
    parts = client.app.state.parts  # type: ignore[attr-defined]  # the client's type knows only ASGI
    assert parts.writer.wait_until_idle(100)
    user = ask("/api/users/7")
    assert len(user["visitor_ids"]) == 1000
    assert [(each["name"], each["count"]) for each in user["events"]] == [("Looked", 1000)]


@pytest.mark.parametrize("operations", [None, 7, "add", {}, {"op": "add"}, [None], [7], [[]], [{"op": 1, "key": 2}]])
def test_operations_of_wrong_types_from_a_page_harm_nobody(collect: Ask, ask: Ask, operations: Any) -> None:
    good = [{"op": "add", "key": "n", "value": 1}]
    collect(
        make_event(name="$identify", props={"operations": good}),
        make_event(name="$identify", props={"operations": operations}),
        make_event(name="$identify", props={"operations": good}),
    )
    assert everybody(ask) == [("visitor-1", {"n": 2})]


def test_operations_of_wrong_types_are_ignored_with_a_reason_each(client: TestClient, secret: Secret, ask: Ask) -> None:
    wrong: list[tuple[Any, str]] = [
        (None, "unknown_operation"),
        (7, "unknown_operation"),
        ([], "unknown_operation"),
        ({"op": 1, "key": "n", "value": 1}, "unknown_operation"),
        ({"op": "add", "key": 2, "value": 1}, "bad_key"),
        ({"op": "add", "key": "n", "value": "1"}, "not_a_number"),
        ({"op": "add", "key": "text", "value": 1}, "wrong_type"),
        ({"op": "append", "key": "text", "value": 1}, "wrong_type"),
        ({"op": "union", "key": "text", "value": [1]}, "wrong_type"),
        ({"op": "exclude", "key": "text", "value": [1]}, "wrong_type"),
        ({"op": "update_or_create", "key": "text", "value": {"a": 1}}, "bad_value"),
    ]
    text = {"op": "update_or_create", "key": "text", "value": "x"}
    operations = [text, *(operation for operation, _ in wrong), {"op": "add", "key": "n", "value": 1}]
    answer = client.post("/api/users/7/properties", json={"operations": operations}, headers=secret).json()
    assert [(each["index"], each["reason"]) for each in answer["ignored"]] == [
        (index, reason) for index, (_, reason) in enumerate(wrong, 1)
    ]
    assert ask("/api/users/7")["properties"] == {"text": "x", "n": 1}


@pytest.mark.parametrize("user_id", NOBODY)
def test_nobody_is_merged_into_what_programs_say_for_nobody(
    client: TestClient, secret: Secret, ask: Ask, user_id: str
) -> None:
    client.post("/api/users/7/properties", json={"properties": {"plan": "pro"}}, headers=secret)
    before = everybody(ask)
    assert before == [("7", {"plan": "pro"})]
    assert client.post("/api/users/7/merge", json={"into": user_id}, headers=secret).status_code == 400
    into = {"$from": "7", "$from_kind": "user", "$to": user_id, "$to_kind": "user"}
    out_of = {"$from": user_id, "$from_kind": "user", "$to": "7", "$to_kind": "user"}
    for props in (into, out_of):
        told = client.post("/api/events", json={"name": "$user_merged", "props": props}, headers=secret).json()
        assert told["accepted"] == 0, told
    assert everybody(ask) == before


def test_push_subscriptions_are_kept_on_the_user(collect: Ask, ask: Ask) -> None:
    for name, kept in (("$push_subscribed", True), ("$push_unsubscribed", False), ("$push_subscribed", True)):
        collect(make_event(name=name, props={}))
        assert everybody(ask) == [("visitor-1", {"$push_subscribed": kept})]
    collect(auth("7"))
    assert ask("/api/users/7")["properties"] == {"$push_subscribed": True}
    late = make_event(name="$push_unsubscribed", props={}, time="2026-11-23T14:00:00.000Z")
    collect(late)
    assert ask("/api/users/7")["properties"] == {"$push_subscribed": True}, "what was said earlier does not win"
    for value, ids in {"true": ["7"], "false": [], "1": []}.items():
        assert [each["id"] for each in ask("/api/users", **{"props.$push_subscribed": value})["users"]] == ids


def test_a_property_with_a_quotation_mark_cannot_be_asked_for(ask: Ask) -> None:
    assert ask("/api/users", **{'props.a"b': "1"})["error"]["code"] == "bad_property"
