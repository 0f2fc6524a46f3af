"""`POST /api/events`: back-dating, verdicts, requests that come again, and checks that store nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.errors import Conflict
from server.ingest.expiry import forget_old
from server.ingest.queue_file import Submission
from server.ingest.repeats import read_key
from server.settings import Settings
from server.web.parts import Parts
from tests.conftest import StandingClock, wait_until_stored
from tests.factories import NOW_MS, make_batch, make_event

Stored = Callable[..., list[dict[str, Any]]]
Secret = dict[str, str]
DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def send(client: TestClient, secret: Secret) -> Callable[..., Any]:
    """Return a function that sends a body, with an Idempotency-Key where one is given."""

    def post(body: Any, key: str | None = None, path: str = "/api/events") -> Any:
        headers = {**secret, "idempotency-key": key} if key is not None else secret
        return client.post(path, content=orjson.dumps(body), headers=headers)

    return post


@pytest.mark.parametrize("wrap", [lambda event: event, lambda event: {"site": event["site"], "events": [event]}])
def test_a_key_writes_to_its_own_site_only(
    send: Callable[..., Any], stored: Stored, wrap: Callable[[dict[str, Any]], Any]
) -> None:
    answer = send(wrap({"name": "x", "site": "other"}))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "other_site")
    assert send(wrap({"name": "x", "site": "default"})).json()["accepted"] == 1
    assert [event["site"] for event in stored()] == ["default"]


def test_each_event_has_its_verdict_and_a_thousand_go_in_at_once(send: Callable[..., Any], stored: Stored) -> None:
    events: list[Any] = [{"id": f"e{number}", "name": "x"} for number in range(997)]
    answer = send([*events, {"name": ""}, 7, {"id": "e0", "name": "x"}]).json()
    assert (answer["accepted"], answer["duplicate"]) == (997, 1)
    assert [(each["index"], each["code"]) for each in answer["rejected"]] == [(997, "bad_name"), (998, "bad_event")]
    assert len(stored()) == 997
    too_many = send([{"name": "x"}] * 1001)
    assert (too_many.status_code, too_many.json()["error"]["code"]) == (413, "too_many_events")


def test_a_server_back_dates_freely_but_not_into_the_future(send: Callable[..., Any], stored: Stored) -> None:
    times = ["0001-01-01T00:00:00Z", "1999-12-31T23:59:59.999Z", 915_148_800, "2031-01-01T00:00:00Z"]
    answer = send([{"id": f"e{number}", "name": "x", "time": time} for number, time in enumerate(times)]).json()
    assert [(each["index"], each["code"]) for each in answer["warnings"]] == [(3, "time_in_future")]
    assert {each["id"]: each["time"] for each in stored()} == {
        "e0": "0001-01-01T00:00:00.000Z",
        "e1": "1999-12-31T23:59:59.999Z",
        "e2": "1999-01-01T00:00:00.000Z",
        "e3": "2026-11-23T14:03:22.000Z",
    }
    assert send({"name": "x", "time": "yesterday"}).json()["rejected"][0]["code"] == "bad_time"


def test_naming_visitor_and_user_joins_the_two(send: Callable[..., Any], client: TestClient, secret: Secret) -> None:
    send([{"name": "Looked", "visitor_id": "v"}, {"name": "Paid", "visitor_id": "v", "user_id": 7}])
    for _ in range(2):
        wait_until_stored(client)
    user = client.get("/api/users/7", headers=secret).json()
    assert (user["user_id"], user["visitor_ids"]) == ("7", ["v"])
    assert {each["name"] for each in user["events"]} == {"Looked", "Paid"}


def test_an_id_that_comes_again_is_a_duplicate(send: Callable[..., Any], stored: Stored) -> None:
    event = {"id": "order-1", "name": "Paid"}
    assert send(event).json()["accepted"] == 1
    assert send(event).json() == {"accepted": 0, "duplicate": 1, "rejected": [], "warnings": []}
    assert len(stored()) == 1


class TestIdempotencyKey:
    """The same key and the same body: the same answer, and nothing twice."""

    BODY: tuple[Any, ...] = ({"name": "Paid"}, {"name": ""}, {"name": "Paid", "ip": "nonsense"})

    def test_the_same_request_is_answered_the_same(
        self, send: Callable[..., Any], stored: Stored, parts: Parts, clock: StandingClock
    ) -> None:
        first = send(self.BODY, "key-1")
        clock.now_ms += 6 * DAY_MS
        again = send(self.BODY, "key-1")
        assert (first.status_code, again.status_code, first.content) == (200, 200, again.content)
        assert (first.json()["accepted"], "idempotent-replayed" in first.headers) == (2, False)
        assert again.headers["idempotent-replayed"] == "true"
        assert len(stored()) == 2
        counts = parts.queue.counts()
        assert (counts.received, counts.duplicate, counts.rejected) == (3, 0, {"bad_name": 1})

    def test_also_after_a_restart(self, settings: Settings, clock: StandingClock, secret: Secret) -> None:
        answers = []
        for _ in range(2):
            with TestClient(create_app(settings, clock=clock)) as client:
                headers = {**secret, "idempotency-key": "key-1"}
                answers.append(client.post("/api/events", content=orjson.dumps(self.BODY), headers=headers).content)
                wait_until_stored(client)
                assert len(client.get("/api/events", headers=secret).json()["events"]) == 2
        assert answers[0] == answers[1]

    def test_another_body_under_the_same_key_is_refused(self, send: Callable[..., Any], stored: Stored) -> None:
        send({"name": "Paid"}, "key-1")
        answer = send({"name": "Paid", "user_id": "7"}, "key-1")
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "idempotency_key_reused")
        assert len(stored()) == 1

    def test_another_key_is_another_request(self, send: Callable[..., Any], stored: Stored) -> None:
        for key in ("key-1", "key-2", '"key-1"'):
            assert send({"name": "Paid"}, key).json()["accepted"] == 1
        assert len(stored()) == 3

    def test_where_the_answer_is_kept_no_more_nothing_is_stored_twice_all_the_same(
        self, send: Callable[..., Any], stored: Stored, parts: Parts
    ) -> None:
        send(self.BODY, "key-1")
        parts.queue.perform(lambda database: database.execute("delete from answers"))
        assert send(self.BODY, "key-1").json()["duplicate"] == 2
        assert len(stored()) == 2

    def test_a_key_under_way_is_told_so(self, parts: Parts) -> None:
        request = read_key("default", "key-1", b"{}")
        with (
            parts.repeats.once(request) as known,
            pytest.raises(Conflict) as caught,
            parts.repeats.once(request),
        ):
            pass
        assert (known, caught.value.status, caught.value.retry_after_s) == (None, 409, 1)
        with parts.repeats.once(request) as known:
            assert known is None

    @pytest.mark.parametrize("key", ["", "x" * 256, "кey", "a\tb"])
    def test_keys_that_are_none(self, client: TestClient, secret: Secret, key: str) -> None:
        headers = {**secret, "idempotency-key": key.encode()}
        answer = client.post("/api/events", content=b'{"name":"x"}', headers=headers)  # type: ignore[arg-type]  # bytes are what the wire carries
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_idempotency_key")

    def test_neither_key_nor_body_can_be_read_from_the_folder(
        self, send: Callable[..., Any], settings: Settings, stored: Stored
    ) -> None:
        send({"name": "Paid"}, "canary-of-the-key")
        stored()
        assert not [p for p in settings.data_dir.rglob("*") if p.is_file() and b"canary" in p.read_bytes()]

    def test_answers_are_kept_for_a_week(self, send: Callable[..., Any], parts: Parts, clock: StandingClock) -> None:
        send({"name": "Paid"}, "key-1")
        kept = []
        for days in (7, 1):
            clock.now_ms += days * DAY_MS
            forget_old(parts.queue, clock.now_ms)
            parts.queue.perform(lambda _: None)
            kept.append(send({"name": "Other"}, "key-1").status_code)
        assert kept == [422, 200]

    def test_sites_do_not_share_keys(self, parts: Parts) -> None:
        one, other = (read_key(site, "key", b"{}") for site in ("default", "other"))

        async def keep() -> None:
            await parts.queue.submit(Submission((), work=lambda database: parts.repeats.keep(database, one, b"answer")))

        asyncio.run(keep())
        with parts.repeats.once(one) as known, parts.repeats.once(other) as unknown:
            assert (known, unknown) == (b"answer", None)


class TestValidate:
    """`?validate=1` tells the verdicts; nothing is stored, counted or told."""

    def test_verdicts_are_those_of_a_receipt(self, send: Callable[..., Any], stored: Stored, parts: Parts) -> None:
        send({"id": "known", "name": "x"})
        body = [
            {"id": "known", "name": "x"},
            {"id": "new", "name": "$page_veiw"},
            {"id": "new", "name": "x"},
            {"name": ""},
            {"name": "$order_paid", "props": {}},
            {"name": "x", "user_id": "undefined"},
        ]
        before = parts.queue.counts()
        checked = send(body, path="/api/events?validate=1")
        assert (checked.status_code, checked.headers["x-footfall-stored"]) == (200, "no")
        assert len(stored()) == 1
        assert parts.queue.counts().received == before.received
        assert send(body).json() == checked.json()
        assert {each["code"] for each in checked.json()["rejected"]} >= {"bad_name", "bad_user_id"}
        assert (checked.json()["accepted"], checked.json()["duplicate"]) == (1, 2)

    def test_a_session_does_not_remember_what_was_only_checked(self, send: Callable[..., Any], stored: Stored) -> None:
        tried = {"name": "x", "session_id": "s", "url": "https://shop.example/?utm_source=tried"}
        send(tried, path="/api/events?validate=true")
        send({"name": "x", "session_id": "s"})
        (found,) = stored()
        assert found["utm_source"] is None

    def test_a_key_is_not_used_up(self, send: Callable[..., Any]) -> None:
        send({"name": "Paid"}, "key-1", "/api/events?validate=1")
        answer = send({"name": "Other"}, "key-1")
        assert (answer.json()["accepted"], "idempotent-replayed" in answer.headers) == (1, False)

    @pytest.mark.parametrize("word", ["yes", "", "2"])
    def test_a_word_that_may_mean_either_is_refused(self, send: Callable[..., Any], stored: Stored, word: str) -> None:
        answer = send({"name": "x"}, path=f"/api/events?validate={word}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_validate")
        assert stored() == []

    def test_strangers_check_nothing(self, client: TestClient) -> None:
        assert client.post("/api/events?validate=1", content=b"{}").status_code == 401


class TestWhoMaySend:
    """`server_only` and `page_allowed` of a site, through the door that pages use."""

    @pytest.mark.parametrize(
        ("changes", "name", "code"),
        [
            ({}, "$order_paid", "reserved_for_server"),
            ({}, "Paid", None),
            ({"server_only": frozenset({"Paid"})}, "Paid", "reserved_for_server"),
            ({"page_allowed": frozenset({"$order_paid"})}, "$order_paid", None),
        ],
    )
    def test_a_page_cannot_forge_what_the_server_says(
        self, client: TestClient, parts: Parts, secret: Secret, changes: dict[str, Any], name: str, code: str | None
    ) -> None:
        parts.sites["default"] = replace(parts.sites["default"], **changes)  # type: ignore[index]  # as settings do
        event = make_event(name=name, props={"$order_id": "1"})
        answer = client.post("/collect", content=orjson.dumps(make_batch(event))).json()
        assert [each["code"] for each in answer["rejected"]] == ([code] if code else [])
        mine = {"name": name, "props": {"$order_id": "1"}, "time": NOW_MS}
        assert client.post("/api/events", json=mine, headers=secret).json()["accepted"] == 1


def test_a_session_keeps_the_campaign_that_a_rejected_event_told(send: Callable[..., Any], client: TestClient) -> None:
    refused = {"name": "$order_completed", "session_id": "s1", "utm_source": "mail", "props": {}}
    assert send(refused).json()["rejected"][0]["code"] == "missing_attribute"
    parts: Parts = client.app.state.parts  # type: ignore[attr-defined]
    assert orjson.loads(parts.queue.find_origin(("default", "s1")) or b"{}")["utm_source"] == "mail"
