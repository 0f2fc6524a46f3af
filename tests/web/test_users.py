"""`/api/users`: who people are, from their first anonymous visit on."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import orjson
import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.identity.signature import sign
from server.reports.users import SORTS
from server.settings import Settings
from server.sites import Site
from server.web.parts import Parts
from tests.conftest import StandingClock, wait_until_stored
from tests.factories import AUTH_KEY, make_batch, make_event

Secret = dict[str, str]
Ask = Callable[..., Any]


@pytest.fixture
def collect(client: TestClient, clock: StandingClock) -> Callable[..., Any]:
    """Return a function that sends a page's events, one second after the one before."""

    def send(*events: dict[str, Any], **envelope: Any) -> Any:
        clock.now_ms += 1000
        answer = client.post("/collect", content=orjson.dumps(make_batch(*events, **envelope)))
        return answer.json()

    return send


@pytest.fixture
def ask(client: TestClient, secret: Secret) -> Ask:
    """Return a function that asks once everything is stored."""

    def get(path: str, **query: str) -> Any:
        parts: Parts = client.app.state.parts  # type: ignore[attr-defined]
        assert parts.writer is not None
        for _ in range(2):  # what follows from an event is one more
            assert parts.writer.wait_until_idle(10)
        return client.get(path, params=query, headers=secret).json()

    return get


def auth(user_id: str, signature: str | None = None) -> dict[str, Any]:
    given = sign(user_id, AUTH_KEY) if signature is None else signature
    return make_event(name="$auth", props={"user_id": user_id, "hash": given})


def identify(**properties: Any) -> dict[str, Any]:
    operations = [{"op": "update_or_create", "key": key, "value": value} for key, value in properties.items()]
    return make_event(name="$identify", props={"operations": operations})


def test_a_visitor_who_signs_in_keeps_the_history(collect: Ask, ask: Ask) -> None:
    collect(make_event(name="$session_start", props={}), make_event(name="Looked"))
    collect(identify(plan="pro"))
    collect(auth("7"))
    collect(make_event(name="Bought"))
    user = ask("/api/users/7")
    assert user["user_id"] == "7"
    assert user["visitor_ids"] == ["visitor-1"]
    assert user["properties"]["plan"] == "pro"
    assert user["properties"]["$sessions"] == 1
    assert {each["name"]: each["count"] for each in user["events"]} == {"$session_start": 1, "Looked": 1, "Bought": 1}
    assert user == ask("/api/users/visitor-1")
    events = ask("/api/events", user_id="7")["events"]
    assert [each["name"] for each in events] == ["Bought", "Looked", "$session_start"]
    assert ask("/api/users/7/events")["events"] == events


def test_a_wrong_hash_changes_nothing(collect: Ask, ask: Ask) -> None:
    collect(make_event(name="Looked"))
    for event in (auth("7", "0" * 64), auth("7", sign("8", AUTH_KEY)), auth("undefined"), auth("0")):
        assert collect(event)["accepted"] == 0
    assert ask("/api/users/7")["error"]["code"] == "unknown_user"
    assert ask("/api/users/visitor-1")["user_id"] is None


def test_two_people_in_one_browser_have_their_own_events(collect: Ask, ask: Ask) -> None:
    collect(make_event(name="Before"))
    collect(auth("ann"))
    collect(make_event(name="Ann's"))
    collect(auth("bob"))
    collect(make_event(name="Bob's"))
    assert [each["name"] for each in ask("/api/events", user_id="ann")["events"]] == ["Ann's", "Before"]
    assert [each["name"] for each in ask("/api/users/bob/events")["events"]] == ["Bob's"]


def test_every_question_takes_a_user_id_for_the_person(collect: Ask, ask: Ask, client: TestClient) -> None:
    collect(make_event(name="Before"))
    collect(auth("7"))
    collect(make_event(name="After"))
    collect(make_event(name="Somebody else's"), visitor_id="visitor-2")

    def check(get: Ask) -> None:
        assert [each["name"] for each in get("/api/events", user_id="7")["events"]] == ["After", "Before"]
        assert {each["name"] for each in get("/api/events/names", user_id="7")["names"]} == {"After", "Before"}
        assert get("/api/stats", user_id="7")["rows"] == [{"events": 2}]
        assert get("/api/stats", user_id="7", metrics="visitors")["rows"] == [{"visitors": 1}]
        assert get("/api/stats", user_id="nobody")["rows"] == [{"events": 0}]
        assert get("/api/overview", user_id="7")["totals"] == {"events": 2, "visitors": 1}

    check(ask)
    client.post("/login", data={"password": "test-password"})
    check(lambda path, **query: client.get(path, params=query).json())  # the dashboard, which has one site to ask about


def test_without_a_site_a_person_has_the_events_of_the_site_that_knows_them(settings: Settings) -> None:
    keys = {"default": "default-secret-0123456789", "blog": "blog-secret-key-0123456789"}
    sites = {key: Site(key=key, secret_key=secret_key) for key, secret_key in keys.items()}
    with TestClient(create_app(replace(settings, sites=sites))) as client:
        for site, key in keys.items():
            headers = {"authorization": f"Bearer {key}"}
            assert client.post("/api/events", json={"name": f"in {site}", "user_id": "42"}, headers=headers).is_success
        wait_until_stored(client)
        client.post("/login", data={"password": "test-password"})
        for path, site in (("?", "default"), ("?site=default", "default"), ("?site=blog", "blog")):
            events = client.get(f"/api/users/42/events{path}").json()["events"]
            assert [(event["site"], event["name"]) for event in events] == [(site, f"in {site}")]


def test_without_a_site_a_user_id_stands_for_the_person_of_each_site(settings: Settings) -> None:
    """The same id may be somebody on one site, somebody else on another, and nobody known on a third."""
    sites = {key: Site(key=key, secret_key=f"{key}-secret-key-0123456789") for key in ("default", "blog", "shop")}

    def tell(client: TestClient, site: str, *events: dict[str, str]) -> None:
        headers = {"authorization": f"Bearer {sites[site].secret_key}"}
        assert client.post("/api/events", json=list(events), headers=headers).is_success

    with TestClient(create_app(replace(settings, sites=sites))) as client:
        joined = {"name": "$identify", "visitor_id": "v", "user_id": "42"}
        tell(client, "default", {"name": "before", "visitor_id": "v"}, joined)
        tell(client, "blog", {"name": "of another", "visitor_id": "v"})
        tell(
            client,
            "blog",
            {"name": "$identify", "visitor_id": "w", "user_id": "42"},
            {"name": "blog", "visitor_id": "w"},
        )
        tell(client, "shop", {"name": "shop", "visitor_id": "v"})
        wait_until_stored(client)
        client.post("/login", data={"password": "test-password"})

        def found(path: str) -> set[tuple[str, str]]:
            return {(each["site"], each["name"]) for each in client.get(path).json()["events"]}

        assert found("/api/events?user_id=42") == {("default", "before"), ("blog", "blog")}
        assert found("/api/events?user_id=42&site=blog") == {("blog", "blog")}
        assert client.get("/api/stats?user_id=42").json()["rows"] == [{"events": 2}]


def test_an_id_leads_to_one_person_or_to_none(collect: Ask, ask: Ask) -> None:
    collect(make_event(name="Looked"))
    collect(auth("7"))
    collect(make_event(name="Looked"), visitor_id="77")

    def found(**question: str) -> list[str]:
        return [each["id"] for each in ask("/api/users", kind="all", **question)["users"]]

    assert (found(id="7"), found(id="visitor-1"), found(id="77"), found(id="nobody")) == (["7"], ["7"], ["77"], [])
    assert sorted(found(q="7")) == ["7", "77"]


def test_joining_a_known_user_records_the_merge_once_and_its_values_win(
    collect: Ask, ask: Ask, client: TestClient, secret: Secret
) -> None:
    client.post("/api/users/7/properties", json={"properties": {"$name": "Ann", "plan": "pro"}}, headers=secret)
    collect(identify(plan="free", city="Oslo"))
    event = auth("7")
    collect(event)
    assert collect(event)["duplicate"] == 1
    user = ask("/api/users/7")
    assert user["properties"] == {"$name": "Ann", "plan": "pro", "city": "Oslo"}
    [merged] = ask("/api/events", name="$user_merged")["events"]
    assert (merged["props"]["$from"], merged["props"]["$to"], merged["source"]) == ("visitor-1", "7", "server")
    [named] = ask("/api/events", name="$name_changed")["events"]
    assert (named["user_id"], named["props"]["$name"]) == ("7", "Ann")


def test_properties_answer_what_was_done_and_what_not(ask: Ask, client: TestClient, secret: Secret) -> None:
    operations = [
        {"op": "add", "key": "visits", "value": 2},
        {"op": "rename", "key": "visits", "value": 2},
        {"op": "append", "key": "visits", "value": 2},
        {"op": "delete", "key": "gone"},
    ]
    answer = client.post("/api/users/new/properties", json={"operations": operations}, headers=secret)
    assert answer.json() == {
        "affected": ["visits"],
        "not_changed": ["gone"],
        "ignored": [
            {"index": 1, "op": "rename", "key": "visits", "reason": "unknown_operation"},
            {"index": 2, "op": "append", "key": "visits", "reason": "wrong_type"},
        ],
    }
    assert ask("/api/users/new")["properties"] == {"visits": 2}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("x" * 8193, "text_too_long"),
        (2**60, "bad_value"),
        ([1] * 1001, "list_too_long"),
        ({"n" * 71: 1}, "bad_value"),
        ([[[[[[[[[1]]]]]]]]], "bad_value"),
    ],
    ids=["long text", "large number", "long list", "long name", "depth"],
)
def test_what_the_answer_says_is_ignored_is(
    ask: Ask, client: TestClient, secret: Secret, value: Any, reason: str
) -> None:
    """On its way as an event it would be cut or turned into text, and set; or cost the operations beside it."""
    body = {"properties": {"wrong": value, "plan": "pro"}}
    answer = client.post("/api/users/new/properties", json=body, headers=secret)
    assert answer.status_code == 200
    assert answer.json()["ignored"] == [{"index": 0, "op": "update_or_create", "key": "wrong", "reason": reason}]
    assert ask("/api/users/new")["properties"] == {"plan": "pro"}


def test_a_deletion_needs_no_value_and_takes_any(
    ask: Ask, client: TestClient, secret: Secret, clock: StandingClock
) -> None:
    operations = [{"op": "delete", "key": "plan", "value": [0] * 1001, "why": {"n" * 71: 1}}]
    client.post("/api/users/new/properties", json={"properties": {"plan": "pro"}}, headers=secret)
    ask("/api/users/new")
    clock.now_ms += 1000
    answer = client.post("/api/users/new/properties", json={"operations": operations}, headers=secret)
    assert answer.json() == {"affected": ["plan"], "not_changed": [], "ignored": []}
    assert ask("/api/users/new")["properties"] == {}


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/api/users/7/properties", {}, 400, "missing_operations"),
        ("/api/users/7/properties", {"operations": [{}] * 251}, 400, "too_many_operations"),
        ("/api/users/7/properties", [], 400, "invalid_body"),
        ("/api/users/undefined/properties", {"properties": {"a": 1}}, 400, "bad_user_id"),
        (f"/api/users/{'x' * 10_000}/properties", {"properties": {"a": 1}}, 400, "bad_user_id"),
        ("/api/users/nobody/merge", {"into": "7"}, 404, "unknown_user"),
        ("/api/users/7/merge", {}, 400, "missing_into"),
    ],
)
def test_bad_input(client: TestClient, secret: Secret, path: str, body: Any, status: int, code: str) -> None:
    answer = client.post(path, json=body, headers=secret)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize("path", ["/api/users", "/api/users/7", "/api/users/7/events", "/api/users/7/export"])
def test_strangers_see_nobody(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 401
    assert client.post("/api/users/7/properties", json={"properties": {"a": 1}}).status_code == 401


def test_merging_leads_both_ids_to_one_person_and_a_circle_ends(ask: Ask, client: TestClient, secret: Secret) -> None:
    for each in ("a", "b"):
        client.post(f"/api/users/{each}/properties", json={"properties": {each: 1}}, headers=secret)
        client.post("/api/events", json={"name": f"Of {each}", "user_id": each}, headers=secret)
    ask("/api/users")
    assert client.post("/api/users/a/merge", json={"into": "a"}, headers=secret).json()["merged"] is False
    assert client.post("/api/users/a/merge", json={"into": "b"}, headers=secret).json()["merged"] is True
    assert ask("/api/users/a")["properties"] == {"a": 1, "b": 1}
    assert client.post("/api/users/b/merge", json={"into": "a"}, headers=secret).json()["merged"] is False
    assert len(ask("/api/events", name="$user_merged")["events"]) == 1
    assert {each["name"] for each in ask("/api/events", user_id="a")["events"]} == {"Of a", "Of b"}
    assert ask("/api/users/a") == ask("/api/users/b")


def test_a_browser_of_a_guessed_id_has_nothing_of_what_the_site_says_about_a_user(
    collect: Ask, ask: Ask, client: TestClient, secret: Secret, clock: StandingClock
) -> None:
    """Whoever chooses `1001` or `2002` before the site names these users is neither; nor is that browser merged."""
    for each in ("1001", "2002", "3003"):
        collect(make_event(name="Planted"), visitor_id=each)
    ask("/api/users")
    clock.now_ms += 1000
    for each in ("1001", "old"):
        body = {"properties": {"plan": each}}
        assert client.post(f"/api/users/{each}/properties", json=body, headers=secret).status_code == 200
    ask("/api/users")
    clock.now_ms += 1000
    assert client.post("/api/users/old/merge", json={"into": "2002"}, headers=secret).json()["merged"] is True
    refused = client.post("/api/users/3003/merge", json={"into": "2002"}, headers=secret)
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "unknown_user")
    for each in ("1001", "2002", "3003"):
        collect(identify(plan="evil"), visitor_id=each)
    found = {each: ask(f"/api/users/{each}") for each in ("1001", "old")}
    assert {each: (user["user_id"], user["properties"], user["visitor_ids"]) for each, user in found.items()} == {
        "1001": ("1001", {"plan": "1001"}, []),
        "old": ("2002", {"plan": "old"}, []),
    }


def test_a_browser_is_named_by_an_id_that_nobody_guesses(
    collect: Ask, ask: Ask, client: TestClient, secret: Secret, clock: StandingClock
) -> None:
    browser, other = str(uuid4()), str(uuid4())
    for each in (browser, other):
        collect(make_event(), visitor_id=each)
        ask("/api/users")
        client.post(f"/api/users/{each}/properties", json={"properties": {"plan": "pro"}}, headers=secret)
    clock.now_ms += 1000
    assert client.post(f"/api/users/{browser}/merge", json={"into": other}, headers=secret).json()["merged"] is True
    found = ask(f"/api/users/{browser}")
    assert (found["id"], found["user_id"], found["properties"]) == (other, None, {"plan": "pro"})


def test_the_list_knows_kinds_orders_search_and_properties(
    collect: Ask, ask: Ask, client: TestClient, secret: Secret
) -> None:
    for number, name in enumerate(("Ann", "Bob", "Cid")):
        body = {"properties": {"$name": name, "plan": "pro" if number else "free"}}
        client.post(f"/api/users/u{number}/properties", json=body, headers=secret)
    collect(make_event(name="Looked"), visitor_id="nobody")
    collect(identify(**{"$email": "v@example.com"}), visitor_id="contact")
    collect(auth("u1"), visitor_id="seen last")

    def listed(**query: str) -> list[str]:
        return [each["id"] for each in ask("/api/users", **query)["users"]]

    assert listed() == ["u1", "contact", "u0", "u2"]
    assert listed(kind="user", sort="id") == ["u0", "u1", "u2"]
    assert set(listed(kind="visitor")) == {"nobody", "contact"}
    assert listed(q="CID") == ["u2"]
    assert listed(**{"props.plan": "pro", "sort": "-id"}) == ["u2", "u1"]
    first = ask("/api/users", limit="3")
    assert [each["id"] for each in ask("/api/users", limit="3", cursor=first["next"])["users"]] == ["u2"]
    assert ask("/api/users", sort="shoe size")["error"]["code"] == "unknown_order"


def test_who_is_active_between_two_pages_moves_nobody_else(collect: Ask, ask: Ask) -> None:
    for visitor in ("a", "b", "c", "d"):
        collect(make_event(name="Looked"), visitor_id=visitor)
    first = ask("/api/users", kind="all", limit="2")
    collect(make_event(name="Looked"), visitor_id="a")  # moves from the second page before the first
    second = ask("/api/users", kind="all", limit="2", cursor=first["next"])
    assert [each["id"] for each in first["users"]] == ["d", "c"]
    assert ([each["id"] for each in second["users"]], second["next"]) == (["b"], None)


@pytest.mark.parametrize("sort", [direction + name for name in SORTS for direction in ("", "-")])
def test_pages_of_one_hold_everybody_once_in_every_order(
    collect: Ask, ask: Ask, client: TestClient, secret: Secret, sort: str
) -> None:
    for user, sessions in (("both", 2), ("two", 2), ("half", 1.5), ("text", "x" * 5000), ("yes", True)):
        body = {"properties": {"$sessions": sessions}}
        client.post(f"/api/users/{user}/properties", json=body, headers=secret)
    collect(make_event(name="Looked"), make_event(name="Looked"), visitor_id="both")
    whole = ask("/api/users", kind="all", sort=sort)["users"]
    assert len(whole) == 6
    page = ask("/api/users", kind="all", sort=sort, limit="1")
    paged = page["users"]
    while page["next"]:
        page = ask("/api/users", kind="all", sort=sort, limit="1", cursor=page["next"])
        paged += page["users"]
    assert paged == whole


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Иван", True),
        ("иВАН", True),
        ("STRASSE", True),
        ("ULICA", True),
        ("4711", True),
        ('say "hi', True),
        ("two\nlines", True),
        ("ANNA", True),
        ("$name", False),
        ("street", False),
        ("true", False),
        ("null", False),
        ('","', False),
    ],
)
def test_the_search_folds_every_alphabet_and_looks_at_values_only(
    ask: Ask, client: TestClient, secret: Secret, text: str, found: bool
) -> None:
    properties = {"$name": "Иван Петров", "street": "Große Straße", "list": ["ulica"], "number": 4711, "is_new": True}
    properties |= {"note": 'say "hi"', "more": "two\nlines", "none": None}
    client.post("/api/users/anna/properties", json={"properties": properties}, headers=secret)
    client.post("/api/users/ben/properties", json={"properties": {"plan": "pro"}}, headers=secret)
    assert [each["id"] for each in ask("/api/users", q=text)["users"]] == (["anna"] if found else [])


def test_the_export_of_one_person_holds_everything(collect: Ask, ask: Ask) -> None:
    collect(make_event(name="Looked"), make_event(name="Looked again"))
    collect(auth("7"))
    export = ask("/api/users/7/export")
    assert {each["name"] for each in export["all_events"]} == {"Looked", "Looked again"}
    assert export["visitor_ids"] == ["visitor-1"]


@pytest.mark.parametrize(
    ("user_id", "escaped"), [("bob/", "bob%2F"), ("bob/events", "bob%2fevents"), ("a/b c", "a%2Fb%20c")]
)
def test_a_slash_in_an_id_is_no_part_of_the_path(
    ask: Ask, client: TestClient, secret: Secret, user_id: str, escaped: str
) -> None:
    for each in ("bob", user_id):
        client.post("/api/events", json={"name": "Paid", "user_id": each}, headers=secret)
    ask("/api/users")
    assert client.get(f"/api/users/{escaped}", headers=secret).json()["id"] == user_id
    assert [
        each["user_id"] for each in client.get(f"/api/users/{escaped}/events", headers=secret).json()["events"]
    ] == [user_id]
    assert client.get(f"/v1/users/{escaped}/events?by_user_id=true", headers=secret).status_code == 200
    assert client.delete(f"/api/users/{escaped}", headers=secret).json()["erased"] == 1
    assert [each["user_id"] for each in ask("/api/events")["events"]] == ["bob"]
    assert client.delete("/api/users/bob%2F%2F", headers=secret).json()["erased"] == 0


def test_erasing_a_person_leaves_no_byte_of_them_and_nobody_else_is_touched(
    collect: Ask, ask: Ask, client: TestClient, secret: Secret, settings: Settings
) -> None:
    collect(make_event(name="Other"), visitor_id="other visitor")
    collect(auth("other user"), visitor_id="other visitor")
    collect(make_event(name="Looked", props={"note": "canary-note"}), visitor_id="canary-visitor")
    collect(identify(**{"$email": "canary@example.com"}), visitor_id="canary-visitor")
    collect(auth("canary-user"), visitor_id="canary-visitor")
    ask("/api/users/canary-user")
    answer = client.delete("/api/users/canary-user", headers=secret)
    assert answer.json()["erased"] >= 3
    assert ask("/api/users/canary-user")["error"]["code"] == "unknown_user"
    assert ask("/api/users/canary-visitor")["error"]["code"] == "unknown_user"
    assert [each["name"] for each in ask("/api/users/other user/events")["events"]] == ["Other"]
    kept = {path.name for path in settings.data_dir.rglob("*") if path.is_file() and b"canary" in path.read_bytes()}
    assert kept == set()


def test_erasing_a_user_leaves_anothers_browser_of_the_same_id(
    collect: Ask, ask: Ask, client: TestClient, secret: Secret
) -> None:
    collect(make_event(name="Before"), visitor_id="42")
    collect(auth("bob"), visitor_id="42")
    collect(make_event(name="After"), visitor_id="42")
    collect(auth("42"), visitor_id="other")
    collect(make_event(name="Else"), visitor_id="other")
    collect(make_event(name="Nobody's"), visitor_id="43")
    client.post("/api/events", json={"name": "Else", "user_id": "43"}, headers=secret)
    ask("/api/users")
    for each in ("42", "43"):
        assert client.delete(f"/api/users/{each}", headers=secret).status_code == 200
    assert {each["name"] for each in ask("/api/users/bob/events")["events"]} == {"Before", "After"}
    assert {each["name"] for each in ask("/api/events")["events"]} == {"Before", "After", "Nobody's"}


def test_erasing_a_user_reaches_their_own_browser_of_the_same_id(
    collect: Ask, ask: Ask, client: TestClient, secret: Secret, clock: StandingClock
) -> None:
    """While it was theirs, what comes late included; so does erasing a user of whose browser nobody has heard yet."""
    for each in ("browser-42", "browser-43"):
        collect(make_event(name="Looked"), visitor_id=each)
        collect(auth(each), visitor_id=each)
        collect(make_event(name="Looked"), visitor_id=each)
    collect(auth("bob"), visitor_id="browser-43")
    collect(make_event(name="Of bob"), visitor_id="browser-43")
    born_ms = clock.now_ms
    client.post("/api/events", json={"name": "Looked", "user_id": "browser-44"}, headers=secret)
    ask("/api/users")
    for each in ("browser-42", "browser-43", "browser-44"):
        assert client.delete(f"/api/users/{each}", headers=secret).json()["erased"] >= 1
    for each in ("browser-42", "browser-44"):
        collect(make_event(name="Late", time=born_ms), visitor_id=each)
    assert {each["name"] for each in ask("/api/events")["events"]} == {"Of bob"}
    assert ask("/api/users/bob")["visitor_ids"] == ["browser-43"]
    for each in ("browser-42", "browser-44"):
        assert ask(f"/api/users/{each}")["error"]["code"] == "unknown_user"


def test_what_the_same_browser_does_after_an_erasure_is_new(
    collect: Ask, ask: Ask, client: TestClient, secret: Secret, clock: StandingClock
) -> None:
    collect(identify(plan="pro"))
    late = make_event(
        name="$identify", props={"operations": [{"op": "add", "key": "late", "value": 1}]}, time=clock.now_ms
    )
    ask("/api/users/visitor-1")
    client.delete("/api/users/visitor-1", headers=secret)
    collect(late)
    collect(identify(color="blue"))
    assert ask("/api/users/visitor-1")["properties"] == {"color": "blue"}


CAMPAIGN = {"url": "https://shop.example/?utm_source=mail&utm_content=canary", "title": "", "referrer": ""}


def test_the_campaign_of_an_erased_session_does_not_come_back_with_its_next_event(
    collect: Ask, ask: Ask, client: TestClient, secret: Secret, settings: Settings
) -> None:
    collect(make_event(page=CAMPAIGN, session_id="s1"))
    ask("/api/users/visitor-1")
    client.delete("/api/users/visitor-1", headers=secret)
    collect(make_event(name="New", session_id="s1"))
    assert [each["utm_content"] for each in ask("/api/events")["events"]] == [None]
    assert not [path for path in settings.data_dir.rglob("*") if path.is_file() and b"canary" in path.read_bytes()]


def test_the_campaign_of_an_erased_session_does_not_come_back_with_a_late_repetition(
    collect: Ask, ask: Ask, client: TestClient, secret: Secret, settings: Settings
) -> None:
    event = make_event(page=CAMPAIGN, session_id="s1")
    collect(event)
    ask("/api/users/visitor-1")
    client.delete("/api/users/visitor-1", headers=secret)
    assert collect(event)["duplicate"] == 1
    assert not [path for path in settings.data_dir.rglob("*") if path.is_file() and b"canary" in path.read_bytes()]


def test_the_file_of_people_is_made_anew_from_the_store(
    collect: Ask, ask: Ask, client: TestClient, secret: Secret, settings: Settings, clock: StandingClock
) -> None:
    client.post("/api/users/7/properties", json={"properties": {"$name": "Ann"}}, headers=secret)
    collect(make_event(name="$session_start", props={}), identify(plan="pro"))
    collect(auth("7"))
    client.post("/api/events", json={"name": "Order", "user_id": "only mentioned"}, headers=secret)
    before = ask("/api/users", kind="all"), ask("/api/users/7")
    merges = ask("/api/events", name="$user_merged")
    client.__exit__()
    for path in settings.data_dir.glob("users.sqlite*"):
        path.unlink()
    with TestClient(create_app(settings, clock=clock)) as again:
        parts: Parts = again.app.state.parts  # type: ignore[attr-defined]
        assert parts.writer is not None
        assert parts.writer.wait_until_idle(10)
        after = [
            again.get(path, headers=secret).json()
            for path in ("/api/users?kind=all", "/api/users/7", "/api/events?name=$user_merged")
        ]
    assert after == [*before, merges]
