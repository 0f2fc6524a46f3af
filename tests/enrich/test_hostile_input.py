"""No input raises: the whole of enrichment over arbitrary text, lone surrogates and NUL included."""

from ipaddress import IPv6Address

from hypothesis import given, settings
from hypothesis import strategies as st

from server.enrich.bots import bot_reason
from server.enrich.campaign import MAX_VALUE_CHARS, click_ids_from_url, utm_from_url
from server.enrich.channels import channel_of
from server.enrich.client_ip import parse_ip, resolve_client_ip, truncate_ip
from server.enrich.geo import Geo
from server.enrich.page_url import split_url
from server.enrich.referrer import referrer_domain
from server.enrich.user_agent import Hints, create_hints, describe
from server.ingest.address_policy import scrub_payload
from server.proxies import parse_networks

CHANNELS = {"direct", "organic", "social", "email", "referral", "paid"}
DEVICE_TYPES = {"pc", "mobile", "tablet", None}
GEO = Geo(None)
TRUSTED = parse_networks(["10.0.0.0/8"])

anything = st.text(alphabet=st.characters(exclude_categories=()))
agent_pieces = st.sampled_from(["Mozilla/5.0 (", "Android ", "; ", ")", "Mobile ", "Windows NT 10.0", "tv", "bot/"])
url_pieces = st.sampled_from(["https://", "www.", "/", "@", "?", "#", "&", "=", "%", "%F0", "utm_source=", "gclid="])
header_pieces = st.sampled_from([",", '"', "\\", "for=", "::ffff:", "203.0.113.7", "10.0.0.1", "%eth0", "[", "]", ":"])
odd_pieces = st.sampled_from(["\x00", "\ud800", "é", " ", "\n"])
pieces = agent_pieces | url_pieces | header_pieces | odd_pieces | anything
likely = st.lists(pieces, max_size=12).map("".join)
long = st.tuples(likely, st.integers(1, 100_000)).map(lambda pair: (pair[0] * pair[1])[:100_000])
texts = anything | likely | long
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(anything, inner, max_size=4),
    max_leaves=8,
)
HINT_NAMES = ("model", "platformVersion", "fullVersionList", "formFactors", "brands", "mobile", "platform")
brand_pairs = st.lists(st.fixed_dictionaries({"brand": texts, "version": texts}), max_size=4)
payloads = json_values | st.dictionaries(st.sampled_from(HINT_NAMES), json_values | brand_pairs)

no_deadline = settings(deadline=None, max_examples=60)


@no_deadline
@given(texts)
def test_any_string_is_described(text: str) -> None:
    assert describe(text, Hints()).device_type in DEVICE_TYPES


@no_deadline
@given(texts, texts, texts, payloads, json_values)
def test_any_hints_are_heard(text: str, brands: str, platform: str, payload: object, touch: object) -> None:
    hints = create_hints(brands, text, platform, payload, touch)
    assert hints == create_hints(brands, text, platform, payload, touch)
    found = describe(text, hints)
    assert found.device_type in DEVICE_TYPES
    assert all(len(getattr(found, name) or "") <= 1000 for name in found.__slots__)


@no_deadline
@given(texts)
def test_any_string_may_be_a_bot(text: str) -> None:
    assert bot_reason(text, False) in {None, "headless", "crawler-user-agents", "user-agent"}


@no_deadline
@given(texts | st.none(), st.lists(texts, max_size=4), st.sampled_from(["x-forwarded-for", "forwarded", "x-real-ip"]))
def test_any_header_gives_an_address_or_none(peer: str | None, lines: list[str], header: str) -> None:
    for sender in (peer, "10.0.0.1"):
        ip = resolve_client_ip(sender, lines, TRUSTED, header=header).ip
        assert ip is None or parse_ip(ip) == ip


@no_deadline
@given(texts)
def test_any_text_is_truncated_or_dropped(text: str) -> None:
    truncated = truncate_ip(text)
    assert truncated == "" or truncated.endswith((".0", "::"))


@no_deadline
@given(texts)
def test_any_text_may_be_an_address_to_look_up(text: str) -> None:
    place = GEO.lookup(text)
    assert place.region is None
    assert place.country is None or len(place.country) == 2


@no_deadline
@given(texts, texts | st.none())
def test_any_referrer_gives_a_channel(referrer: str, own_host: str | None) -> None:
    domain = referrer_domain(referrer, own_host)
    assert channel_of(domain, {}, is_paid_click=False) in CHANNELS
    assert channel_of(referrer, {"utm_source": referrer, "utm_medium": referrer}, is_paid_click=False) in CHANNELS
    assert domain is None or (domain == domain.lower() and len(domain) <= 255)


@no_deadline
@given(texts, st.sampled_from(["?utm_source=", "#utm_term=", "?gclid=", ""]))
def test_any_address_gives_short_clean_values(text: str, before: str) -> None:
    found = utm_from_url(before + text) | click_ids_from_url(before + text)
    for value in found.values():
        assert 0 < len(value) <= MAX_VALUE_CHARS
        value.encode()
        assert "\x00" not in value


@no_deadline
@given(st.integers(0, 2**128 - 1) | st.integers(0, 2**32 - 1).map(lambda low: 0x64FF9B << 96 | low), st.booleans())
def test_any_ipv6_address_is_looked_up_and_truncated(number: int, is_6to4: bool) -> None:
    address = str(IPv6Address(number >> 16 | 0x2002 << 112 if is_6to4 else number))
    assert GEO.lookup(address).city is None
    assert resolve_client_ip("10.0.0.1", [f"[{address}%eth0]:443"], TRUSTED).ip == parse_ip(address)
    assert parse_ip(truncate_ip(address)) == truncate_ip(address) != ""


@no_deadline
@given(texts, st.frozensets(texts, max_size=3))
def test_any_page_address_is_split_and_any_origin_is_own(url: str, origins: frozenset[str]) -> None:
    host, path = split_url(url)
    assert host != ""
    assert host is None or path is not None
    assert referrer_domain(url, host, origins) is None or host is None


@no_deadline
@given(st.binary(max_size=500) | texts.map(lambda text: text.encode(errors="replace")), st.ip_addresses().map(str))
def test_no_payload_keeps_an_address(payload: bytes, ip: str) -> None:
    sent = payload + b' {"ip":"' + ip.encode() + b'"} ' + ip.encode()
    assert scrub_payload(sent, ip, "full") == sent
    assert b'{"ip":"' + ip.encode() + b'"}' not in scrub_payload(sent, None, "none")
