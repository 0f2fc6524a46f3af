"""One event through all steps: what is corrected, what is refused, what is filled in."""

from typing import Any

import pytest

from server.errors import EventRejected
from server.events.model import COLUMNS, Source
from server.events.wire import MAX_TEXT_LENGTH
from server.identity.signature import sign
from server.ingest.beacon import Beacon, Draft
from server.sites import Site
from tests.factories import AUTH_KEY, CHROME, NOW_MS, SITE, make_beacon, make_event, make_pipeline

SERVER = make_beacon(source=Source.SERVER, is_trusted=True, visitor_id=None)
DAY_MS = 24 * 3600 * 1000


def run(event: Any, beacon: Beacon | None = None, **parts: Any) -> Draft:
    return make_pipeline(**parts).run(beacon or make_beacon(), event)


def codes(draft: Draft) -> list[str]:
    return [each.code for each in draft.corrections]


def refusal(event: Any, beacon: Beacon | None = None) -> str:
    with pytest.raises(EventRejected) as error:
        run(event, beacon)
    return error.value.code


def test_a_usual_event_fills_exactly_the_columns_and_needs_no_correction() -> None:
    draft = run(make_event(), make_beacon(user_agent=CHROME, ip="81.2.69.142"))
    assert list(draft.event) == list(COLUMNS)
    assert codes(draft) == []
    assert draft.props == {"plan": "pro"}
    assert {name: draft.event[name] for name in ("browser", "os", "device_type", "source", "ip", "country")} == {
        "browser": "Chrome",
        "os": "Windows",
        "device_type": "pc",
        "source": "page",
        "ip": "81.2.69.142",
        "country": "GB",
    }
    assert (draft.event["url"], draft.event["path"]) == ("https://shop.example/", "/")


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ("text", "bad_event"),
        (None, "bad_event"),
        ([], "bad_event"),
        (make_event(name=None), "bad_name"),
        (make_event(name=""), "bad_name"),
        (make_event(name=7), "bad_name"),
        (make_event(name="x" * 256), "bad_name"),
        (make_event(id=7), "bad_id"),
        (make_event(id=""), "bad_id"),
        (make_event(id="x" * 256), "bad_id"),
        (make_event(props=[]), "bad_props"),
        (make_event(props="x"), "bad_props"),
        (make_event(props={"": 1}), "bad_property_name"),
        (make_event(props={"x" * 71: 1}), "bad_property_name"),
        (make_event(props={f"p{i}": i for i in range(251)}), "too_many_properties"),
        (make_event(props={"a": list(range(1001))}), "list_too_long"),
        (make_event(props={"a": [[[[[[[[1]]]]]]]]}), "too_deep"),
        (make_event(name="$order_paid", props={"$order_id": "1"}), "reserved_for_server"),
        (make_event(name="$order_completed", props={}), "missing_attribute"),
    ],
)
def test_refuses(event: Any, code: str) -> None:
    assert refusal(event) == code


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "x" * 255},
        {"id": "x" * 255},
        {"props": {"x" * 70: 1}},
        {"props": {f"p{i}": i for i in range(250)}},
        {"props": {"a": list(range(1000))}},
        {"props": {"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}},
        {"props": None},
        {"page": None},
        {"page": "x"},
    ],
    ids=lambda changes: f"{next(iter(changes))}",
)
def test_accepts_up_to_the_limits(changes: dict[str, Any]) -> None:
    assert codes(run(make_event(**changes))) == []


@pytest.mark.parametrize(
    ("value", "kept", "code"),
    [
        ("x" * (MAX_TEXT_LENGTH + 1), "x" * MAX_TEXT_LENGTH, "truncated"),
        (float("nan"), None, "not_finite"),
        (float("-inf"), None, "not_finite"),
        ("a\0b", "ab", "invalid_text"),
        ("a\ud800b", "a\ufffdb", "invalid_text"),
        (2**53 + 1, str(2**53 + 1), "number_as_text"),
        (-(2**70), str(-(2**70)), "number_as_text"),
        (10**3000, None, "not_finite"),
    ],
    ids=["long text", "NaN", "infinity", "NUL", "surrogate", "2^53+1", "-2^70", "10^3000"],
)
def test_corrects_values_and_says_so(value: Any, kept: Any, code: str) -> None:
    draft = run(make_event(props={"a": value, "list": [value], "map": {"b": value}}), make_beacon(is_odd=True))
    assert draft.props == {"a": kept, "list": [kept], "map": {"b": kept}}
    assert codes(draft) == [code] * 3


@pytest.mark.parametrize("odd", ["a\0b", "a\ud800b"], ids=["NUL", "surrogate"])
def test_corrects_names_and_ids_and_says_so(odd: str) -> None:
    kept = odd.replace("\0", "").replace("\ud800", "\ufffd")
    event = make_event(name=odd, id=odd, session_id=odd, props={odd: 1, "map": {odd: 2}}, page={"title": odd})
    draft = run(event, make_beacon(is_odd=True))
    assert [draft.event[name] for name in ("name", "id", "session_id", "title")] == [kept] * 4
    assert draft.props == {kept: 1, "map": {kept: 2}}
    assert codes(draft) == ["invalid_text"] * 6


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": "\0"}, "bad_name"),
        ({"id": "\0\0"}, "bad_id"),
        ({"props": {"\0": 1}}, "bad_property_name"),
        ({"props": {"map": {"\0": 1}}}, "bad_property_name"),
    ],
    ids=["name", "id", "property", "deep property"],
)
def test_refuses_names_and_ids_of_nothing_but_nul(changes: dict[str, Any], code: str) -> None:
    assert refusal(make_event(**changes), make_beacon(is_odd=True)) == code


@pytest.mark.parametrize("value", [0, -1, 2**53, -(2**53), 1.5, 1e300, True, None, "", [], {}, "\u0301é"])
def test_keeps_values_unchanged(value: Any) -> None:
    draft = run(make_event(props={"a": value}))
    assert draft.props == {"a": value}
    assert codes(draft) == []


def test_an_unknown_system_event_is_kept_with_the_nearest_name() -> None:
    draft = run(make_event(name="$authorised"))
    assert codes(draft) == ["unknown_system_event"]
    assert "$authorized" in draft.corrections[0].message


class TestSender:
    """Who may send what."""

    def test_the_secret_key_may_send_everything(self) -> None:
        assert run(make_event(name="$order_paid", props={"$order_id": "1"}), SERVER).event["name"] == "$order_paid"

    def test_a_site_can_reserve_a_name(self) -> None:
        site = Site(key="default", server_only=frozenset({"Signed up"}))
        assert refusal(make_event(), make_beacon(site=site)) == "reserved_for_server"

    def test_a_site_can_allow_a_reserved_name(self) -> None:
        site = Site(key="default", page_allowed=frozenset({"$order_paid"}))
        draft = run(make_event(name="$order_paid", props={"$order_id": "1"}), make_beacon(site=site))
        assert codes(draft) == []


class TestTime:
    """Clock correction, DESIGN §6."""

    @pytest.mark.parametrize(
        ("time_ms", "sent_ms", "stored_ms", "expected"),
        [
            (NOW_MS - 5000, NOW_MS, NOW_MS - 5000, []),
            (NOW_MS - 5000, NOW_MS - 2000, NOW_MS - 5000, []),
            (NOW_MS - 5000, NOW_MS - 2001, NOW_MS - 2999, ["clock_skew"]),
            (NOW_MS + DAY_MS - 5000, NOW_MS + DAY_MS, NOW_MS - 5000, ["clock_skew"]),
            (NOW_MS - 3 * DAY_MS, NOW_MS - 2 * DAY_MS, NOW_MS - DAY_MS, ["clock_skew"]),
            (NOW_MS + 1, NOW_MS, NOW_MS, ["time_in_future"]),
            (NOW_MS + 10 * DAY_MS, None, NOW_MS, ["time_in_future"]),
            (0, NOW_MS, NOW_MS - 30 * DAY_MS, ["time_too_old"]),
            (NOW_MS - 30 * DAY_MS, NOW_MS, NOW_MS - 30 * DAY_MS, []),
        ],
    )
    def test_from_a_page(self, time_ms: int, sent_ms: int | None, stored_ms: int, expected: list[str]) -> None:
        draft = run(make_event(time=time_ms), make_beacon(sent_ms=sent_ms))
        assert (draft.event["time"], codes(draft)) == (stored_ms, expected)
        assert draft.event["received_at"] == NOW_MS

    def test_the_secret_key_back_dates_freely(self) -> None:
        draft = run(make_event(time="1999-12-31T23:59:59Z"), SERVER)
        assert (draft.event["time"], codes(draft)) == (946684799000, [])

    def test_without_a_time_it_is_the_receipt(self) -> None:
        draft = run(make_event(), make_beacon(sent_ms=NOW_MS - 10 * DAY_MS))
        assert (draft.event["time"], codes(draft)) == (NOW_MS, [])

    def test_rubbish_from_a_page_becomes_the_receipt(self) -> None:
        draft = run(make_event(time="yesterday"))
        assert (draft.event["time"], codes(draft)) == (NOW_MS, ["bad_time"])

    def test_rubbish_from_a_server_is_refused_because_it_would_misdate_an_import(self) -> None:
        assert refusal(make_event(time="yesterday"), SERVER) == "bad_time"


class TestTrust:
    """What a page says of identity, address and browser counts for nothing."""

    def test_a_page_cannot_name_its_user_address_or_browser(self) -> None:
        event = make_event(user_id="boss", ip="9.9.9.9", user_agent="curl/8", browser="Forged", country="XX")
        draft = run(event, make_beacon(user_id="boss", ip="81.2.69.142", user_agent=CHROME))
        assert draft.event["user_id"] is None
        assert draft.event["ip"] == "81.2.69.142"
        assert draft.event["browser"] == "Chrome"
        assert draft.event["country"] == "GB"

    def test_a_server_can(self) -> None:
        event = make_event(user_id="u1", visitor_id="v9", ip="81.2.69.142", user_agent=CHROME)
        draft = run(event, make_beacon(source=Source.SERVER, is_trusted=True, ip="10.0.0.1", user_agent="python"))
        found = draft.event
        assert (found["user_id"], found["visitor_id"], found["ip"], found["browser"]) == (
            "u1",
            "v9",
            "81.2.69.142",
            "Chrome",
        )

    def test_the_servers_own_address_and_agent_are_not_the_visitors(self) -> None:
        draft = run(make_event(), make_beacon(source=Source.SERVER, is_trusted=True, ip="9.9.9.9", user_agent=CHROME))
        assert (draft.event["ip"], draft.event["browser"]) == (None, None)

    def test_a_signed_user_id_is_believed_and_its_signature_kept_nowhere(self) -> None:
        event = make_event(name="$auth", props={"user_id": "u1", "hash": sign("u1", AUTH_KEY)})
        draft = run(event)
        assert draft.event["user_id"] == "u1"
        assert draft.props == {"user_id": "u1"}

    @pytest.mark.parametrize(
        "props",
        [
            {"user_id": "u1", "hash": sign("u2", AUTH_KEY)},
            {"user_id": "u1", "hash": ""},
            {"user_id": "u1", "hash": None},
            {"user_id": "u1", "hash": "ё" * 64},
            {"user_id": "u1"},
        ],
    )
    def test_a_wrong_signature_is_refused(self, props: dict[str, Any]) -> None:
        assert refusal(make_event(name="$auth", props=props)) == "wrong_hash"

    @pytest.mark.parametrize(
        "props", [None, {}, {"user_id": True, "hash": "x"}, {"user_id": "", "hash": "x"}, {"user_id": "undefined"}]
    )
    def test_no_user_id_is_refused(self, props: Any) -> None:
        assert refusal(make_event(name="$auth", props=props)) == "bad_user_id"


class TestSessionStart:
    """The eight attributes: two that the beacon tells of every event, six that only the server knows."""

    def test_gets_them_all(self) -> None:
        event = make_event(
            name="$session_start",
            props={"$browser": "Forged"},
            page={"url": "https://shop.example/", "referrer": "https://www.google.com/"},
        )
        draft = run(event, make_beacon(user_agent=CHROME, ip="81.2.69.142", context={"resolution": "1920x1080"}))
        assert draft.props == {
            "$referrer": "https://www.google.com/",
            "$resolution": "1920x1080",
            "$referrer_domain": "google.com",
            "$browser": "Chrome",
            "$os": "Windows",
            "$device": "Other",
            "$ip": "81.2.69.142",
            "$device_type": "pc",
        }
        assert codes(draft) == ["server_attribute"]

    def test_from_a_server_keeps_what_it_says(self) -> None:
        props = {"$browser": "Netscape", "$ip": "1.1.1.1", "$device_type": "tablet"}
        draft = run(make_event(name="$session_start", props=props), SERVER)
        assert {name: draft.props[name] for name in props} == props


class TestToldElsewhere:
    """A page's system events get what the same beacon tells in another place."""

    @pytest.mark.parametrize(
        ("referrer", "domain"), [("https://www.google.com/search", "google.com"), ("", ""), (None, "")]
    )
    def test_view_gets_the_referrers_domain(self, referrer: str | None, domain: str) -> None:
        page = {"url": "https://shop.example/", "referrer": referrer}
        assert run(make_event(name="$page_view", props={}, page=page)).props == {"$referrer_domain": domain}

    def test_what_the_event_says_itself_stays(self) -> None:
        props = {"$referrer": "https://a.example/", "$resolution": "800x600"}
        draft = run(make_event(name="$session_start", props=props), make_beacon(context={"resolution": "1x1"}))
        assert {name: draft.props[name] for name in props} == props

    def test_a_servers_event_gets_nothing(self) -> None:
        assert run(make_event(name="$page_view", props={}), SERVER).props == {}


class TestOrigin:
    """Campaign and channel are the session's."""

    def test_later_events_of_the_session_carry_the_campaign(self) -> None:
        pipeline = make_pipeline()
        landing = make_event(page={"url": "https://shop.example/?utm_source=news&utm_medium=email"})
        later = make_event(page={"url": "https://shop.example/cart", "referrer": "https://shop.example/"})
        other = make_event(session_id="session-2", page={"url": "https://shop.example/"})
        beacon = make_beacon()
        found = [pipeline.run(beacon, event).event for event in (landing, later, other)]
        assert [each["utm_source"] for each in found] == ["news", "news", None]
        assert [each["channel"] for each in found] == ["email", "email", "direct"]

    def test_the_first_campaign_of_a_session_stays(self) -> None:
        pipeline = make_pipeline()
        beacon = make_beacon()
        pipeline.run(beacon, make_event(page={"url": "https://shop.example/?utm_source=first"}))
        second = pipeline.run(beacon, make_event(page={"url": "https://shop.example/?utm_source=second"}))
        assert second.event["utm_source"] == "first"

    def test_utm_hit_tells_it_too_and_always_has_five_attributes(self) -> None:
        draft = run(make_event(name="$utm_hit", props={"$utm_source": "x"}))
        assert draft.event["utm_source"] == "x"
        assert draft.props == {
            "$utm_source": "x",
            "$utm_medium": "",
            "$utm_campaign": "",
            "$utm_content": "",
            "$utm_term": "",
        }


@pytest.mark.parametrize(("policy", "kept"), [("full", "81.2.69.142"), ("truncated", "81.2.69.0"), ("none", None)])
def test_the_address_policy_holds_for_column_and_attribute_and_place_is_found_before(
    policy: str, kept: str | None
) -> None:
    draft = run(make_event(name="$session_start", props={}), make_beacon(ip="81.2.69.142"), ip_policy=policy)
    assert (draft.event["ip"], draft.props["$ip"], draft.event["country"]) == (kept, kept, "GB")


def test_an_event_without_an_id_gets_one_and_a_warning() -> None:
    event = make_event()
    del event["id"]
    draft = run(event)
    assert codes(draft) == ["missing_id"]
    assert draft.event["id"][14] == "7"


def test_webdriver_is_flagged_and_never_dropped() -> None:
    draft = run(make_event(), make_beacon(context={"webdriver": True}, user_agent=CHROME))
    assert draft.event["bot"] == "navigator.webdriver"


def test_hostile_context_fills_nothing() -> None:
    context = {"resolution": {"a": 1}, "language": ["x"], "timezone": 3.5}
    draft = run(make_event(session_id={"x": 1}, visitor_id=["y"]), make_beacon(context=context))
    found = draft.event
    assert [found[name] for name in ("resolution", "language", "timezone", "session_id", "visitor_id")] == [None] * 5
    assert codes(draft) == ["ignored_field"] * 5


def test_every_event_of_a_site_names_it() -> None:
    assert run(make_event()).event["site"] == SITE.key


def test_auth_with_the_secret_key_may_name_its_user_where_a_page_does() -> None:
    event = make_event(name="$auth", visitor_id="v1", props={"user_id": "u1"})
    assert run(event, SERVER).event["user_id"] == "u1"
    assert run(event | {"user_id": "u2"}, SERVER).event["user_id"] == "u2", "the column says it for every event"
    assert refusal(make_event(name="$auth", props={"user_id": "undefined"}), SERVER) == "bad_user_id"
    assert run(make_event(name="$auth"), SERVER).event["user_id"] is None


@pytest.mark.parametrize("user_id", ["\0", "\0\0\0", "0\0", "nu\0ll", "\0 "])
def test_a_user_id_is_what_it_is_without_nul(user_id: str) -> None:
    beacon = make_beacon(source=Source.SERVER, is_trusted=True, is_odd=True)
    assert refusal(make_event(user_id=user_id), beacon) == "bad_user_id"
    assert refusal(make_event(name="$user_merged", props={"$from": "a", "$to": user_id}), beacon) == "bad_user_id"


@pytest.mark.parametrize("id_", ["\0", "\0\0"])
def test_ids_of_nothing_but_nul_are_none(id_: str) -> None:
    found = run(make_event(visitor_id=id_, session_id=id_), make_beacon(is_odd=True)).event
    assert (found["visitor_id"], found["session_id"]) == (None, None)
