"""The visitor's address, out of the peer's and of what trusted proxies wrote into one header.

Our own resolver, because what the ASGI server brings was measured to mistrust IPv4-mapped peers and to let
garbage through. It only decides; who is trusted and which header counts are settings.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

from server.enrich.proxy_hops import forwarded_hops, plain_hops

MAX_HOPS = 32
MAX_ADDRESS_CHARS = 64
_MAX_CACHED_CHARS = 512
_IPV4 = 4
_MAPPED_PREFIX = 96  # ::ffff:0:0/96 holds the IPv4-mapped addresses

Address = IPv4Address | IPv6Address


class Network(NamedTuple):
    """A range of addresses as numbers.

    A tuple of integers, because it is part of a cache's key: hashing one takes a tenth of what the standard
    library's networks take.
    """

    version: int
    first: int
    mask: int

    def holds(self, address: Address) -> bool:
        """Return whether an address lies in this range."""
        return address.version == self.version and int(address) & self.mask == self.first

    def __str__(self) -> str:
        base = IPv4Address(self.first) if self.version == _IPV4 else IPv6Address(self.first)
        return f"{base}/{self.mask.bit_count()}"


@dataclass(frozen=True, slots=True)
class ClientIp:
    """Whose address was believed. Shape: ip is None when nobody named one; why is a sentence for people."""

    ip: str | None
    why: str


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks that the settings name.

    Shape:  `10.0.0.0/8`, `2001:db8::/32` or a single address; IPv4-mapped ones become IPv4.
    Errors: ValueError naming the text and what is wrong with it; bits behind the prefix are refused, because
            a range that means something else than it says is a hole.
    """
    return tuple(_parse_network(text.strip()) for text in texts)


def _parse_network(text: str) -> Network:
    if "%" in text:
        raise ValueError(f"{text!r}: an address range has no zone id")
    try:
        network = ip_network(text, strict=True)
    except ValueError as error:
        raise ValueError(f"{text!r} is no address and no range such as 10.0.0.0/8: {error}") from None
    base, prefix = network.network_address, network.prefixlen
    mapped = base.ipv4_mapped if isinstance(base, IPv6Address) else None
    if mapped is not None and prefix >= _MAPPED_PREFIX:
        network = ip_network((mapped, prefix - _MAPPED_PREFIX))
    return Network(network.version, int(network.network_address), int(network.netmask))


@lru_cache(maxsize=4096)
def _parse_short(text: str) -> Address | None:
    if text.startswith("["):
        text, _, rest = text[1:].partition("]")
        if rest and not (rest.startswith(":") and rest[1:].isdecimal()):
            return None
    elif text.count(":") == 1:
        text, _, port = text.partition(":")
        if not port.isdecimal():
            return None
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def parse_address(text: str) -> Address | None:
    """Return the address a proxy or socket wrote, or None.

    Shape:  `v4`, `v4:port`, `v6`, `[v6]`, `[v6]:port`, each with a zone id or none; IPv4-mapped ones become
            IPv4.
    """
    return _parse_short(text.strip()) if len(text) <= MAX_ADDRESS_CHARS else None


def parse_ip(text: str) -> str | None:
    """Return an address as it is stored: canonical, without port and zone, IPv4-mapped ones as IPv4; or None."""
    address = parse_address(text)
    return None if address is None else str(address)


def resolve_client_ip(
    peer: str | None,
    header_lines: Sequence[str],
    trusted: Sequence[Network],
    *,
    header: str = "x-forwarded-for",
) -> ClientIp:
    """Return the address of the visitor, and why it is believed.

    Shape:  header_lines are the values of the one configured header, in the order they came; header is its
            name in lower case: `x-forwarded-for`, `forwarded` (RFC 7239), or one that carries a single
            address. There is no fallback from one header to another.
    Source: walked right to left, because only the right end was written by proxies we know.
    """
    if not trusted or not header_lines:
        return _from_peer(peer, bool(trusted))
    lines = tuple(header_lines)
    # Strangers choose the header: long ones would fill the cache's memory.
    resolve = _resolve if sum(map(len, lines)) <= _MAX_CACHED_CHARS else _resolve.__wrapped__
    return resolve(peer, lines, tuple(trusted), header)


@lru_cache(maxsize=4096)
def _from_peer(peer: str | None, has_trusted: bool) -> ClientIp:  # noqa: FBT001 - part of the cache's key
    if peer is None:
        return ClientIp(None, "the connection has no address (a Unix socket)")
    address = parse_address(peer)
    if address is None:
        return ClientIp(None, "the connection's address cannot be read")
    why = "the header is missing" if has_trusted else "no proxy is trusted"
    return ClientIp(str(address), f"the connection's own address: {why}")


@lru_cache(maxsize=2048)
def _resolve(peer: str | None, lines: tuple[str, ...], trusted: tuple[Network, ...], header: str) -> ClientIp:
    address = None if peer is None else parse_address(peer)
    if address is None:
        return _from_peer(peer, True)
    if not _is_trusted(address, trusted):
        return ClientIp(str(address), f"the connection's own address: it is no trusted proxy, {header} ignored")
    if header == "forwarded":
        return _walk(address, forwarded_hops(lines), trusted, header)
    if header == "x-forwarded-for":
        return _walk(address, plain_hops(lines), trusted, header)
    return _single(address, lines, header)


def _is_trusted(address: Address, trusted: tuple[Network, ...]) -> bool:
    return any(network.holds(address) for network in trusted)


def _single(peer: Address, lines: tuple[str, ...], header: str) -> ClientIp:
    # Two lines mean that a proxy appended to what the visitor sent: there is no telling which is whose.
    named = parse_address(lines[0]) if len(lines) == 1 else None
    if named is None:
        return ClientIp(str(peer), f"the connection's own address: {header} does not hold one address")
    return ClientIp(str(named), f"{header} of the trusted proxy {peer}")


def _walk(peer: Address, hops: Iterator[str], trusted: tuple[Network, ...], header: str) -> ClientIp:
    good = peer
    for number, hop in enumerate(hops, start=1):
        if number > MAX_HOPS:
            return ClientIp(str(good), f"{header} has more than {MAX_HOPS} hops: the last one looked at")
        address = parse_address(hop)
        if address is None:
            return ClientIp(str(good), f"hop {number} from the right of {header} cannot be read: the one before it")
        if not _is_trusted(address, trusted):
            return ClientIp(
                str(address), f"hop {number} from the right of {header}: the first that is no trusted proxy"
            )
        good = address
    return ClientIp(str(good), f"every hop of {header} is a trusted proxy: the leftmost")


@lru_cache(maxsize=4096)
def truncate_ip(ip: str) -> str:
    """Return an address without the part that names one household: IPv4 keeps /24, IPv6 /48.

    Shape:  IPv4-mapped ones are cut as IPv4; what is no address gives an empty text, never itself.
    """
    address = parse_address(ip)
    if address is None:
        return ""
    if isinstance(address, IPv4Address):
        return str(IPv4Address(int(address) & 0xFFFFFF00))
    return str(IPv6Address(int(address) >> 80 << 80))
