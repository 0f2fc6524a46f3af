from ipaddress import ip_address

import pytest

from server.enrich.client_ip import (
    MAX_HOPS,
    ClientIp,
    Hop,
    embedded_ipv4,
    parse_address,
    parse_ip,
    resolve_client_ip,
    truncate_ip,
)
from server.proxies import parse_networks

TRUSTED = parse_networks(["10.0.0.0/8", "2001:db8:ffff::/48"])
PROXY = "10.0.0.1"


def ip_behind_proxy(*lines: str, header: str = "x-forwarded-for") -> str | None:
    return resolve_client_ip(PROXY, lines, TRUSTED, header=header).ip


@pytest.mark.parametrize(
    ("text", "ip"),
    [
        pytest.param("203.0.113.7", "203.0.113.7", id="v4"),
        pytest.param("203.0.113.7:8080", "203.0.113.7", id="v4-port"),
        pytest.param(" 203.0.113.7 ", "203.0.113.7", id="spaces"),
        pytest.param("2001:DB8::1", "2001:db8::1", id="v6"),
        pytest.param("[2001:db8::1]", "2001:db8::1", id="v6-brackets"),
        pytest.param("[2001:db8::1]:443", "2001:db8::1", id="v6-port"),
        pytest.param("fe80::1%eth0", "fe80::1", id="zone"),
        pytest.param("[fe80::1%25eth0]:443", "fe80::1", id="zone-brackets-port"),
        pytest.param("::ffff:203.0.113.7", "203.0.113.7", id="mapped"),
        pytest.param("::ffff:cb00:7107", "203.0.113.7", id="mapped-hexadecimal"),
        pytest.param("203.0.113.007", None, id="leading-zeros"),
        pytest.param("0300.0.113.7", None, id="octal"),
        pytest.param("203.0.113.7:http", None, id="port-name"),
        pytest.param("[2001:db8::1]x", None, id="after-brackets"),
        pytest.param("unknown", None, id="unknown"),
        pytest.param("", None, id="empty"),
        pytest.param("1.2.3.4\x00", None, id="nul"),
        pytest.param("\ud800", None, id="surrogate"),
        pytest.param("1" * 100_000, None, id="long"),
    ],
)
def test_address_is_read(text: str, ip: str | None) -> None:
    assert parse_ip(text) == ip
    assert (parse_address(text) is None) == (ip is None)


@pytest.mark.parametrize(
    ("lines", "ip"),
    [
        pytest.param(["203.0.113.7"], "203.0.113.7", id="one-hop"),
        pytest.param(["6.6.6.6, 203.0.113.7, 10.0.0.9"], "203.0.113.7", id="forged-left-end"),
        pytest.param(["6.6.6.6", "203.0.113.7,10.0.0.9"], "203.0.113.7", id="two-lines"),
        pytest.param(["203.0.113.7:1234, [2001:db8:ffff::9]:443"], "203.0.113.7", id="ports-and-brackets"),
        pytest.param(["::ffff:203.0.113.7, ::ffff:10.0.0.9"], "203.0.113.7", id="mapped"),
        pytest.param(["6.6.6.6, ' OR 1=1, 10.0.0.9"], "10.0.0.9", id="unreadable-hop-ends-the-walk"),
        pytest.param(["6.6.6.6, unknown"], PROXY, id="unreadable-first-hop"),
        pytest.param([""], PROXY, id="empty"),
        pytest.param(["6.6.6.6,"], PROXY, id="empty-last-hop"),
        pytest.param(["10.0.0.7, 10.0.0.8, 10.0.0.9"], "10.0.0.7", id="all-trusted"),
        pytest.param([], PROXY, id="no-header"),
        pytest.param(["6.6.6.6, " + "10.0.0.9, " * 40 + "10.0.0.8"], "10.0.0.9", id="too-many-hops"),
    ],
)
def test_forwarded_for_is_walked_from_the_right(lines: list[str], ip: str) -> None:
    assert ip_behind_proxy(*lines) == ip


def test_forwarded_for_of_exactly_32_hops_is_walked_to_its_end() -> None:
    hops = ["203.0.113.7", *["10.0.0.9"] * (MAX_HOPS - 1)]
    assert ip_behind_proxy(", ".join(hops)) == "203.0.113.7"
    assert ip_behind_proxy(", ".join(["10.0.0.8", *hops])) == "203.0.113.7"
    assert ip_behind_proxy(", ".join([*hops, "10.0.0.9"])) == "10.0.0.9"


def test_cut_header_never_yields_an_address_that_the_cut_made() -> None:
    """A 100 kB line is read at its right end only, and the piece at the cut is no address."""
    for length in range(2030, 2060):
        line = "9" * 1000 + "12.34.56.78" + " " * (length - 10) + ", 10.0.0.9"
        assert ip_behind_proxy(line) == "10.0.0.9"


@pytest.mark.parametrize(
    ("lines", "ip"),
    [
        pytest.param(["for=203.0.113.7"], "203.0.113.7", id="plain"),
        pytest.param(["for=203.0.113.7;proto=https;by=10.0.0.1"], "203.0.113.7", id="parameters"),
        pytest.param(["proto=https; For=203.0.113.7"], "203.0.113.7", id="any-case-any-order"),
        pytest.param(['for="[2001:db8::1]:4711"'], "2001:db8::1", id="quoted-v6"),
        pytest.param(["for=6.6.6.6, for=203.0.113.7, for=10.0.0.9"], "203.0.113.7", id="forged-left-end"),
        pytest.param(["for=6.6.6.6", 'for="203.0.113.7:99"'], "203.0.113.7", id="two-lines"),
        pytest.param(['for="6.6.6.6, for=203.0.113.7'], "203.0.113.7", id="unbalanced-quote-at-the-left"),
        pytest.param(['for=203.0.113.7;host="a,b;for=6.6.6.6"'], "203.0.113.7", id="separators-in-quotes"),
        pytest.param(['host="x;for=6.6.6.6;";for=203.0.113.7'], "203.0.113.7", id="for-in-quotes"),
        pytest.param([r'host="a\",b";for=203.0.113.7'], "203.0.113.7", id="escaped-quote"),
        pytest.param(["for=unknown"], PROXY, id="unknown"),
        pytest.param(["for=_hidden, for=10.0.0.9"], "10.0.0.9", id="hidden"),
        pytest.param(["proto=https"], PROXY, id="no-for"),
        pytest.param(["203.0.113.7"], PROXY, id="no-pairs"),
        pytest.param(['"'], PROXY, id="lone-quote"),
    ],
)
def test_forwarded_is_walked_from_the_right(lines: list[str], ip: str) -> None:
    assert ip_behind_proxy(*lines, header="forwarded") == ip


@pytest.mark.parametrize(
    ("lines", "ip"),
    [
        pytest.param(["203.0.113.7"], "203.0.113.7", id="one"),
        pytest.param(["10.0.0.5"], "10.0.0.5", id="trusted-network"),
        pytest.param(["6.6.6.6", "203.0.113.7"], PROXY, id="two-lines"),
        pytest.param(["6.6.6.6, 203.0.113.7"], PROXY, id="list"),
        pytest.param(["x"], PROXY, id="unreadable"),
    ],
)
def test_single_value_header_is_believed_only_when_it_is_single(lines: list[str], ip: str) -> None:
    assert ip_behind_proxy(*lines, header="cf-connecting-ip") == ip


@pytest.mark.parametrize(
    ("peer", "ip"),
    [
        pytest.param("8.8.8.8", "8.8.8.8", id="untrusted"),
        pytest.param("::ffff:8.8.8.8", "8.8.8.8", id="untrusted-mapped"),
        pytest.param("::ffff:10.0.0.5", "203.0.113.7", id="trusted-mapped"),
        pytest.param("2001:db8:ffff::1", "203.0.113.7", id="trusted-v6"),
        pytest.param("2001:DB8:FFFF::1%eth0", "203.0.113.7", id="trusted-zone"),
        pytest.param(None, None, id="unix-socket"),
        pytest.param("", None, id="unix-socket-empty"),
        pytest.param("testclient", None, id="no-address"),
    ],
)
def test_header_counts_only_when_the_peer_is_trusted(peer: str | None, ip: str | None) -> None:
    assert resolve_client_ip(peer, ["203.0.113.7"], TRUSTED).ip == ip


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip"])
def test_header_is_ignored_when_nobody_is_trusted(header: str) -> None:
    assert resolve_client_ip("8.8.8.8", ["for=6.6.6.6", "6.6.6.6"], (), header=header).ip == "8.8.8.8"


@pytest.mark.parametrize("peer", [None, ""])
def test_unix_socket_is_a_proxy_when_it_is_named(peer: str | None) -> None:
    trusted = parse_networks(["unix", "10.0.0.0/8"])
    assert resolve_client_ip(peer, ["6.6.6.6, 203.0.113.7, 10.0.0.9"], trusted).ip == "203.0.113.7"
    assert resolve_client_ip(peer, ["203.0.113.7"], trusted, header="x-real-ip").ip == "203.0.113.7"
    assert resolve_client_ip(peer, ["x"], trusted).ip is None
    assert resolve_client_ip(peer, [], trusted).ip is None
    assert resolve_client_ip("8.8.8.8", ["203.0.113.7"], trusted).ip == "8.8.8.8"


@pytest.mark.parametrize(
    ("ip", "ipv4"),
    [
        pytest.param("2002:5102:458e::1", "81.2.69.142", id="6to4"),
        pytest.param("64:ff9b::5102:458e", "81.2.69.142", id="nat64"),
        pytest.param("2001:0:4136:e378:8000:63bf:aefd:ba71", "81.2.69.142", id="teredo"),
        pytest.param("2001:db8::1", None, id="none"),
        pytest.param("64:ff9b:1::5102:458e", None, id="local-nat64"),
        pytest.param("81.2.69.142", None, id="v4"),
    ],
)
def test_host_behind_a_tunnel_is_found(ip: str, ipv4: str | None) -> None:
    address = parse_address(ip)
    assert address is not None
    assert (None if ipv4 is None else ip_address(ipv4)) == embedded_ipv4(address)


def test_every_hop_has_its_verdict() -> None:
    found = resolve_client_ip(PROXY, ["6.6.6.6, 203.0.113.7:1, 10.0.0.9"], TRUSTED)
    assert found.hops == (
        Hop("10.0.0.9", "10.0.0.9", "a trusted proxy: passed over"),
        Hop("203.0.113.7:1", "203.0.113.7", "no trusted proxy: believed, what is left of it proves nothing"),
    )
    (unreadable,) = resolve_client_ip(PROXY, ["6.6.6.6, unknown"], TRUSTED).hops
    assert (unreadable.text, unreadable.ip) == ("unknown", None)
    assert [hop.verdict for hop in resolve_client_ip(PROXY, ["a", "b"], TRUSTED, header="x-real-ip").hops] == [
        "not one address: ignored"
    ] * 2


def test_decision_is_explained_in_words() -> None:
    assert resolve_client_ip("8.8.8.8", ["6.6.6.6"], TRUSTED) == ClientIp(
        "8.8.8.8", "the connection's own address: it is no trusted proxy, x-forwarded-for ignored"
    )
    assert "no proxy is trusted" in resolve_client_ip("8.8.8.8", [], ()).why
    assert "hop 2" in resolve_client_ip(PROXY, ["203.0.113.7, 10.0.0.9"], TRUSTED).why
    assert "cannot be read" in resolve_client_ip(PROXY, ["x"], TRUSTED).why


@pytest.mark.parametrize(
    ("ip", "truncated"),
    [
        pytest.param("203.0.113.7", "203.0.113.0", id="v4"),
        pytest.param("2001:db8:1:2:3:4:5:6", "2001:db8:1::", id="v6"),
        pytest.param("::ffff:203.0.113.7", "203.0.113.0", id="mapped"),
        pytest.param("2002:cb00:7107:1::1", "2002:cb00:7100::", id="6to4"),
        pytest.param("64:ff9b::cb00:7107", "64:ff9b::cb00:7100", id="nat64"),
        pytest.param("xyz", "", id="no-address"),
    ],
)
def test_address_is_truncated(ip: str, truncated: str) -> None:
    assert truncate_ip(ip) == truncated
