"""Targets: read from URLs, pinned to addresses that are all allowed."""

from collections.abc import Sequence

import pytest

from server.outgoing.target import BadTarget, Guard, Target, read_target
from server.proxies import parse_networks

PUBLIC = "93.184.215.14"


def guard(*addresses: str, networks: Sequence[str] = ()) -> Guard:
    return Guard(networks=parse_networks(networks), resolve=lambda _host, _port: addresses)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://shop.example", Target(is_tls=True, host="shop.example", port=443, path="/")),
        ("https://Shop.Example:8443/a?b=c", Target(is_tls=True, host="shop.example", port=8443, path="/a?b=c")),
        ("http://[2001:db8::1]:80/x", Target(is_tls=False, host="2001:db8::1", port=80, path="/x")),
        (
            "https://xn--80ak6aa92e.example/%D1%8F",
            Target(is_tls=True, host="xn--80ak6aa92e.example", port=443, path="/%D1%8F"),
        ),
    ],
)
def test_reads(url: str, target: Target) -> None:
    assert read_target(url) == target


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.example/hook",
        "ftp://shop.example",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user@shop.example/",
        "https://user:password@shop.example/",
        "https://shop.example/#part",
        "https://shop.example:99999/",
        "https://shop.example:0/",
        "https://shop.example:port/",
        "https://[::1",
        "https://shop.example/a b",
        "https://shop.example/\r\nx: y",
        "https://магазин.example/",
        "https://[fe80::1%25eth0]/",
        "https://shop.example/" + "x" * 2048,
        7,
        None,
        ["https://shop.example"],
    ],
)
def test_refuses_what_is_no_plain_address(url: str) -> None:
    with pytest.raises(BadTarget):
        read_target(url)


def test_pins_what_the_name_stands_for() -> None:
    assert guard(PUBLIC, "2606:4700::1").pin(read_target("https://shop.example/")) == [PUBLIC, "2606:4700::1"]


@pytest.mark.parametrize(
    ("addresses", "code"),
    [
        (["127.0.0.1"], "target_not_allowed"),
        ([PUBLIC, "10.0.0.1"], "target_not_allowed"),
        (["::ffff:169.254.169.254"], "target_not_allowed"),
        (["fe80::1%eth0"], "target_not_allowed"),
        ([], "unknown_host"),
    ],
)
def test_one_address_that_is_not_allowed_is_enough(addresses: list[str], code: str) -> None:
    with pytest.raises(BadTarget) as caught:
        guard(*addresses).pin(read_target("https://shop.example/"))
    assert caught.value.code == code
    assert not any(address in caught.value.message for address in addresses), "inner addresses are not told"


def test_a_name_that_cannot_be_resolved_is_unknown() -> None:
    def fail(_host: str, _port: int) -> list[str]:
        raise OSError("no such host")

    with pytest.raises(BadTarget, match="no address"):
        Guard(resolve=fail).pin(read_target("https://shop.example/"))


def test_plain_http_goes_only_where_the_settings_say() -> None:
    with pytest.raises(BadTarget) as caught:
        guard(PUBLIC).pin(read_target("http://shop.example/"))
    assert caught.value.code == "https_required"
    assert guard("10.1.2.3", networks=["10.1.2.0/24"]).pin(read_target("http://inner.example/")) == ["10.1.2.3"]
    with pytest.raises(BadTarget):
        guard("10.1.2.3", PUBLIC, networks=["10.1.2.0/24"]).pin(read_target("http://inner.example/"))


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "[::ffff:7f00:1]"])
def test_other_spellings_of_loopback_are_found_out_by_the_systems_resolver(host: str) -> None:
    with pytest.raises(BadTarget) as caught:
        Guard().pin(read_target(f"https://{host}/"))
    assert caught.value.code in {"target_not_allowed", "unknown_host"}
