"""`/hooks/{vendor}/{site}`: what is stored of vendors' calls, whose it is, and what is refused."""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from server.app import create_app
from server.dialects.hooks.vendors import VENDORS
from server.errors import SettingsError
from server.identity.people_file import PEOPLE_FILE
from server.settings import Settings
from server.sites import Site
from tests.conftest import StandingClock, wait_until_stored
from tests.factories import NOW_MS, SECRET_KEY, make_batch, make_event, make_settings
from tests.hook_calls import HOOKS, NOW_S, PAYLOADS, SECRETS, HookCall, every_payload, first_payload, signed

Stored = Callable[..., list[dict[str, Any]]]
Secret = dict[str, str]
DAY_S = 24 * 3600
TIMED = [name for name, vendor in VENDORS.items() if vendor.window_s is not None]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings in which every vendor may call."""
    return make_settings(tmp_path / "data", hooks=HOOKS)


def send(client: TestClient, call: HookCall) -> Any:
    return client.post(call.path, content=call.body, headers=call.headers)


def code_of(answer: Any) -> tuple[int, str]:
    told = answer.json()["error"]
    assert told["message"]
    assert told["hint"]
    return answer.status_code, told["code"]


def set_properties(client: TestClient, secret: Secret, user_id: str, **properties: Any) -> None:
    body = {"properties": {f"${name}": value for name, value in properties.items()}}
    assert client.post(f"/api/users/{user_id}/properties", json=body, headers=secret).status_code == 200
    wait_until_stored(client)


def about(**changes: Any) -> HookCall:
    """Return Calendly's call about somebody else."""
    payload = first_payload("calendly")
    payload["payload"] |= {"email": None, "text_reminder_number": None, **changes}
    return signed("calendly", payload)


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("vendor", VENDORS)
def test_every_vendors_calls_are_stored_once(client: TestClient, stored: Stored, vendor: str, slash: str) -> None:
    calls = [signed(name, payload) for name, payload in every_payload() if name == vendor]
    count = 0
    for call in calls:
        answer = client.post(call.path + slash, content=call.body, headers=call.headers)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert (told["duplicate"], told["rejected"], told["warnings"], told["ignored"]) == (0, [], [], [])
        for again in (call, signed(vendor, json.loads(call.body), sent_s=NOW_S + 1)):
            assert send(client, again).json()["duplicate"] == told["accepted"]
        count += told["accepted"]
    events = stored()
    assert len(events) == count > 0
    assert {each["source"] for each in events} == {"webhook"}
    assert all(each["time"] < each["received_at"] for each in events)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_wrong_signature_is_refused_and_kept_nowhere(
    client: TestClient, stored: Stored, secret: Secret, vendor: str
) -> None:
    assert code_of(send(client, signed(vendor, first_payload(vendor), is_wrong=True))) == (401, "wrong_signature")
    assert code_of(send(client, HookCall(vendor=vendor, body=b"{}"))) == (401, "missing_signature")
    assert stored() == []
    assert client.get("/api/rejected", headers=secret).json()["rejected"] == []
    assert 'footfall_requests_refused_total{code="wrong_signature"} 1.0' in client.get("/metrics").text


@pytest.mark.parametrize("vendor", TIMED)
def test_a_late_call_is_refused(client: TestClient, stored: Stored, clock: StandingClock, vendor: str) -> None:
    call = signed(vendor, first_payload(vendor))
    clock.now_ms += (VENDORS[vendor].window_s or 0) * 1000 + 1000
    assert code_of(send(client, call)) == (401, "late_signature")
    assert stored() == []


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_call_that_was_overheard_and_is_replayed_for_months_stores_nothing(
    client: TestClient, stored: Stored, clock: StandingClock, vendor: str
) -> None:
    call = signed(vendor, first_payload(vendor))
    send(client, call)
    before = stored()
    assert before
    window_s = VENDORS[vendor].window_s
    for days in (0, 1, 30):  # within the window, and where nothing in the call has a time, the ids keep it out
        clock.now_ms = NOW_MS + days * DAY_S * 1000
        answer = send(client, call)
        if window_s is not None and days * DAY_S > window_s:
            assert code_of(answer) == (401, "late_signature")
        else:
            assert (answer.status_code, answer.json()["duplicate"]) == (200, len(before))
    assert stored() == before


@pytest.mark.parametrize("vendor", VENDORS)
def test_five_megabytes_are_too_much(client: TestClient, vendor: str) -> None:
    assert code_of(send(client, signed(vendor, b"x" * 5 * 1024 * 1024))) == (413, "body_too_large")


@pytest.mark.parametrize("vendor", VENDORS)
def test_nothing_is_unpacked(client: TestClient, stored: Stored, vendor: str) -> None:
    packed = gzip.compress(signed(vendor, first_payload(vendor)).body)
    assert code_of(send(client, signed(vendor, packed))) == (400, "invalid_json")
    assert stored() == []


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_is_no_json_is_refused_and_kept_when_the_vendor_has_signed_it(
    client: TestClient, secret: Secret, vendor: str
) -> None:
    assert code_of(send(client, signed(vendor, b"{no json"))) == (400, "invalid_json")
    kept = client.get("/api/rejected", headers=secret).json()["rejected"]
    expected = [] if vendor == "mailgun" else [("invalid_json", "webhook", "default")]  # whose signature is in there
    assert [(each["code"], each["source"], each["site"]) for each in kept] == expected


@pytest.mark.parametrize("vendor", VENDORS)
def test_an_unknown_type_is_fine_and_counted(client: TestClient, stored: Stored, vendor: str) -> None:
    unknown = {"event": "of.tomorrow", "RecordType": "OfTomorrow"}
    answer = send(client, signed(vendor, [unknown] if vendor == "sendgrid" else unknown))
    assert answer.status_code == 200
    assert [each["code"] for each in answer.json()["ignored"]] == ["unknown_type"]
    assert answer.json()["accepted"] == 0
    assert stored() == []
    counted = f'footfall_hooks_ignored_total{{reason="unknown_type",vendor="{vendor}"}} 1.0'
    assert counted in client.get("/metrics").text


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/hooks/fax/default", "unknown_vendor"),
        ("/hooks/zoom/nowhere", "unknown_site"),
        ("/hooks/zoom/blog", "hook_not_set_up"),
        ("/hooks/zoom", "not_found"),
    ],
)
def test_an_address_that_leads_nowhere_says_why(tmp_path: Path, path: str, code: str) -> None:
    sites = {"default": Site(key="default", hooks=HOOKS), "blog": Site(key="blog", hooks={"calendly": ("x" * 16,)})}
    with TestClient(create_app(make_settings(tmp_path / "data", sites=sites))) as client:
        assert code_of(client.post(path)) == (404, code)
        assert code_of(client.get(path.replace("zoom", "facebook"))) == (404, code)


def test_each_site_has_its_own_secrets(tmp_path: Path, clock: StandingClock) -> None:
    other = {"zoom": ("another-secret-of-the-blog",)}
    sites = {"default": Site(key="default", hooks=HOOKS), "blog": Site(key="blog", hooks=other)}
    with TestClient(create_app(make_settings(tmp_path / "data", sites=sites), clock=clock)) as client:
        call = signed("zoom", first_payload("zoom"))
        assert code_of(client.post("/hooks/zoom/blog", content=call.body, headers=call.headers))[0] == 401
        assert send(client, call).status_code == 200


def test_several_secrets_are_valid_while_one_is_replaced(tmp_path: Path, clock: StandingClock) -> None:
    hooks = {"zoom": ("the-new-secret-token", SECRETS["zoom"])}
    with TestClient(create_app(make_settings(tmp_path / "data", hooks=hooks), clock=clock)) as client:
        assert send(client, signed("zoom", first_payload("zoom"))).json()["accepted"] == 1


def test_a_key_that_is_none_stops_the_start(tmp_path: Path) -> None:
    settings = make_settings(tmp_path / "data", hooks={"sendgrid": ("no key at all, but long",)})
    with pytest.raises(SettingsError, match=r"\[sites.default.hooks\] sendgrid: is no public key"):
        create_app(settings).start()


def test_facebook_is_told_its_challenge(client: TestClient) -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "<b>1", "hub.verify_token": SECRETS["facebook_verify_token"]}
    answer = client.get("/hooks/facebook/default", params=query)
    assert (answer.status_code, answer.text) == (200, "<b>1")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert code_of(client.get("/hooks/facebook/default", params={**query, "hub.verify_token": "x"}))[0] == 403


def test_only_facebook_asks_by_get(client: TestClient) -> None:
    answer = client.get("/hooks/zoom/default")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_zoom_is_told_its_challenge_only_when_it_has_signed_it(client: TestClient, stored: Stored) -> None:
    asked = {"event": "endpoint.url_validation", "payload": {"plainToken": "plain"}, "event_ts": NOW_MS}
    answer = send(client, signed("zoom", asked))
    assert set(answer.json()) == {"plainToken", "encryptedToken"}
    assert code_of(send(client, signed("zoom", asked, is_wrong=True)))[0] == 401
    assert stored() == []


def test_an_old_chatwoot_calls_with_a_token(client: TestClient) -> None:
    body = json.dumps(first_payload("chatwoot")).encode()
    call = HookCall(vendor="chatwoot", body=body, query=f"?token={SECRETS['chatwoot']}")
    assert send(client, call).json()["accepted"] == 1


def test_who_is_known_by_the_address_is_told_about(client: TestClient, stored: Stored, secret: Secret) -> None:
    set_properties(client, secret, "42", email="ANN@shop.example")
    set_properties(client, secret, "43", phone="+4930901820")
    send(client, about(uri="a", email=" ann@Shop.Example "))
    send(client, about(uri="b", text_reminder_number="+49 30 901820"))
    send(client, about(uri="c", email="nobody@shop.example", text_reminder_number="49-30-901820"))
    found = {each["props"]["invitee_uri"]: each["user_id"] for each in stored(name="$calendly_invitee_created")}
    assert found == {"a": "42", "b": "43", "c": "43"}
    assert client.get("/api/users/42", headers=secret).json()["properties"] == {"$email": "ANN@shop.example"}


def test_an_address_of_two_users_is_neithers(client: TestClient, stored: Stored, secret: Secret) -> None:
    set_properties(client, secret, "42", email="ann@shop.example")
    set_properties(client, secret, "43", email="ann@shop.example")
    send(client, about(email="ann@shop.example"))
    assert stored(name="$calendly_invitee_created")[0]["user_id"] is None


def test_what_an_anonymous_browser_says_of_itself_is_nobodys_address(client: TestClient, stored: Stored) -> None:
    props = {"operations": [{"op": "update_or_create", "key": "$email", "value": "ann@shop.example"}]}
    client.post("/collect", json=make_batch(make_event(name="$identify", props=props)))
    wait_until_stored(client)
    send(client, about(email="ann@shop.example"))
    (event,) = stored(name="$calendly_invitee_created")
    assert event["user_id"] is None
    assert event["visitor_id"].startswith("contact-")


def test_one_address_is_one_visitor_and_counts_as_none(client: TestClient, stored: Stored, secret: Secret) -> None:
    for uri, email in (("a", "ann@shop.example"), ("b", "Ann@Shop.example"), ("c", "bob@shop.example"), ("d", None)):
        send(client, about(uri=uri, email=email))
    visitors = {each["props"]["invitee_uri"]: each["visitor_id"] for each in stored()}
    assert visitors["a"] == visitors["b"] != visitors["c"]
    assert visitors["d"] is None
    told = client.get("/api/stats", params={"metrics": "events,visitors"}, headers=secret).json()
    assert [told["rows"][0][name] for name in ("events", "visitors")] == [4, 0]


def test_what_is_told_of_an_address_changes_and_joins_nobody(
    client: TestClient, stored: Stored, secret: Secret
) -> None:
    """A stranger who types a user's address into a form is told about under it, and gains nothing by it."""
    client.post("/collect", json=make_batch(make_event(), visitor_id="stranger"))
    set_properties(client, secret, "42", email="ann@shop.example", name="Ann")
    send(client, about(email="ann@shop.example", name="Mallory"))
    assert stored(name="$user_merged") == []
    user = client.get("/api/users/42", headers=secret).json()
    assert (user["properties"]["$name"], user["visitor_ids"]) == ("Ann", [])


def test_a_chats_unsigned_identifier_is_no_user(client: TestClient, stored: Stored) -> None:
    payload = PAYLOADS["chatwoot"]["message_created"]
    assert payload["conversation"]["meta"]["sender"]["identifier"] == "42"
    send(client, signed("chatwoot", payload))
    assert stored()[0]["user_id"] is None


@pytest.mark.parametrize(("given_id", "user_id"), [("77", "77"), (77, "77"), ("undefined", "42"), ("x" * 256, "42")])
def test_the_sites_own_id_of_a_recipient_counts_where_it_is_one(
    client: TestClient, stored: Stored, secret: Secret, given_id: Any, user_id: str
) -> None:
    set_properties(client, secret, "42", email="ann@shop.example")
    payload = PAYLOADS["mailgun"]["opened"]
    event = {**payload["event-data"], "user-variables": {"user_id": given_id}}
    assert send(client, signed("mailgun", {**payload, "event-data": event})).json()["accepted"] == 1
    assert stored(name="$message_read")[0]["user_id"] == user_id


def test_a_bookings_campaign_is_the_events(client: TestClient, stored: Stored) -> None:
    send(client, signed("calendly", first_payload("calendly")))
    (event,) = stored()
    assert (event["utm_source"], event["utm_campaign"], event["channel"]) == ("newsletter", "autumn", "email")


def test_any_number_of_events_in_one_call_is_taken(client: TestClient, stored: Stored) -> None:
    event = PAYLOADS["sendgrid"]["events"][3]
    events = [{"event": "delivered"}, *({**event, "sg_event_id": f"e-{number}"} for number in range(1500))]
    events.append({**event, "sg_event_id": "bad", "sg_message_id": None})
    told = send(client, signed("sendgrid", events)).json()
    assert (told["accepted"], [each["index"] for each in told["ignored"]]) == (1500, [0])
    assert [(each["index"], each["code"]) for each in told["rejected"]] == [(1501, "missing_attribute")]
    assert len({each["id"] for each in stored(limit="1000")}) == 1000


def test_a_vendor_is_asked_to_send_again_when_users_cannot_be_told(client: TestClient, settings: Settings) -> None:
    client.get("/health/live")
    for path in settings.data_dir.glob(PEOPLE_FILE + "*"):
        path.unlink()
    (settings.data_dir / PEOPLE_FILE).write_bytes(b"this is no database at all, and long enough to be none")
    answer = send(client, signed("calendly", first_payload("calendly")))
    assert code_of(answer) == (503, "people_unavailable")
    assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    "oddity",
    ["[" * 5000 + "]" * 5000, "NaN", "1e999", "9" * 4000, '"\\ud800"', '"\\u0000a"', '"' + "x" * 100_000 + '"'],
    ids=["deep", "NaN", "infinite", "long number", "surrogate", "NUL", "long text"],
)
def test_oddities_of_json_cost_nothing_but_themselves(client: TestClient, stored: Stored, oddity: str) -> None:
    for vendor, payload in every_payload():
        body = json.dumps(payload).replace('"Welcome"', oddity).replace('"Demo"', oddity).replace('"Hello?"', oddity)
        if vendor == "mailgun":
            proof = json.loads(signed(vendor, payload).body)["signature"]
            body = body.replace('"signature": {}', f'"signature": {json.dumps(proof)}')
        answer = send(client, signed(vendor, body.encode()))
        assert (answer.status_code, answer.json()["rejected"]) == (200, []), (vendor, answer.text)
    assert len(stored()) == sum(len(each) for each in PAYLOADS.values()) - 1 + len(PAYLOADS["sendgrid"]["events"])


def test_who_only_answers_takes_no_webhooks(tmp_path: Path) -> None:
    with TestClient(create_app(make_settings(tmp_path / "data", hooks=HOOKS, role="app"))) as client:
        assert code_of(send(client, signed("zoom", first_payload("zoom")))) == (404, "not_found")


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Return a client of one application for many calls."""
    chosen = make_settings(tmp_path_factory.mktemp("hooks") / "data", hooks=HOOKS, secret_key=SECRET_KEY)
    with TestClient(create_app(chosen, clock=StandingClock()), raise_server_exceptions=False) as running:
        yield running


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(VENDORS)), st.binary() | _JSON, st.booleans(), st.data())
@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_sent_the_answer_is_clean(
    lasting: TestClient, vendor: str, sent: Any, is_wrong: bool, data: st.DataObject
) -> None:
    if not isinstance(sent, bytes) and data.draw(st.booleans()):
        sent = first_payload(vendor)
        holder: Any = sent
        while isinstance(holder, dict | list) and holder:
            key = data.draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
            if data.draw(st.booleans()) or not isinstance(holder[key], dict | list):
                holder[key] = data.draw(_JSON)
                break
            holder = holder[key]
    answer = send(lasting, signed(vendor, sent, is_wrong=is_wrong))
    assert answer.status_code in ({401, 400} if is_wrong else {200, 400, 401}), answer.text
    assert ("error" in answer.json()) == (answer.status_code != 200)
