"""The visitor's address, out of the peer's and of what trusted proxies wrote into one header.

Our own resolver, because what the ASGI server brings was measured to mistrust IPv4-mapped peers and to let
garbage through. It only decides; who is trusted and which header counts are settings.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from server.enrich.proxy_hops import forwarded_hops, plain_hops
from server.proxies import LIST_HEADER, RFC_HEADER, UNIX_SOCKET, Network

MAX_HOPS = 32
MAX_ADDRESS_CHARS = 64
_MAX_CACHED_CHARS = 512
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052

Address = IPv4Address | IPv6Address
Trusted = tuple[Network, ...]


class Hop(NamedTuple):
    """One entry of the header. Shape: text as it was written; ip is None where it is no address; verdict for people."""

    text: str
    ip: str | None
    verdict: str


@dataclass(frozen=True, slots=True)
class ClientIp:
    """Whose address was believed.

    Shape:  ip is None when nobody named one; why is a sentence for people; hops are the entries of the header
            that were looked at, the nearest proxy's first.
    """

    ip: str | None
    why: str
    hops: tuple[Hop, ...] = ()


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


def embedded_ipv4(address: Address) -> IPv4Address | None:
    """Return the IPv4 address of the host behind a tunnel or translator, where the IPv6 address tells it.

    Source: 6to4 (RFC 3056), NAT64's well-known prefix (RFC 6052), Teredo's client (RFC 4380).
    """
    if isinstance(address, IPv4Address):
        return None
    if address.sixtofour:
        return address.sixtofour
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.teredo[1] if address.teredo else None


def resolve_client_ip(
    peer: str | None,
    header_lines: Sequence[str],
    trusted: Sequence[Network],
    *,
    header: str = LIST_HEADER,
) -> ClientIp:
    """Return the address of the visitor, and why it is believed.

    Shape:  peer is None or empty for a Unix socket; header_lines are the values of the one configured header, in
            the order they came; header is its name in lower case: `x-forwarded-for`, `forwarded` (RFC 7239), or
            one that carries a single address. There is no fallback from one header to another.
    Source: walked right to left, because only the right end was written by proxies we know.
    """
    if not trusted:
        return _from_peer(peer, "no proxy is trusted")
    lines = tuple(header_lines)
    # Strangers choose the header: long ones would fill the cache's memory.
    resolve = _resolve if sum(map(len, lines)) <= _MAX_CACHED_CHARS else _resolve.__wrapped__
    return resolve(peer, lines, tuple(trusted), header)


@lru_cache(maxsize=4096)
def _from_peer(peer: str | None, why: str) -> ClientIp:
    if not peer:
        return ClientIp(None, f"the connection has no address (a Unix socket): {why}")
    address = parse_address(peer)
    if address is None:
        return ClientIp(None, f"the connection's address cannot be read: {why}")
    return ClientIp(str(address), f"the connection's own address: {why}")


@lru_cache(maxsize=2048)
def _resolve(peer: str | None, lines: tuple[str, ...], trusted: Trusted, header: str) -> ClientIp:
    address = parse_address(peer) if peer else None
    if not is_trusted_peer(peer, trusted):
        return _from_peer(peer, f"it is no trusted proxy, {header} ignored")
    if not lines:
        return _from_peer(peer, f"a trusted proxy that sent no {header}")
    if header == RFC_HEADER:
        return _walk(address, forwarded_hops(lines), trusted, header)
    if header == LIST_HEADER:
        return _walk(address, plain_hops(lines), trusted, header)
    return _single(address, lines, header)


def is_trusted_peer(peer: str | None, trusted: Sequence[Network]) -> bool:
    """Return whether whoever holds the connection is a trusted proxy. Shape: peer as for `resolve_client_ip`."""
    if not peer:
        return UNIX_SOCKET in trusted
    address = parse_address(peer)
    return address is not None and _is_trusted(address, trusted)


def _is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    return any(network.holds(address) for network in trusted)


def _single(peer: Address | None, lines: tuple[str, ...], header: str) -> ClientIp:
    # Two lines mean that a proxy appended to what the visitor sent: there is no telling which is whose.
    named = parse_address(lines[0]) if len(lines) == 1 else None
    if named is None:
        verdict = "not one address: ignored"
        hops = tuple(Hop(line, parse_ip(line), verdict) for line in lines[:MAX_HOPS])
        return ClientIp(_text(peer), f"the connection's own address: {header} does not hold one address", hops)
    hop = Hop(lines[0], str(named), "the one address: believed")
    return ClientIp(str(named), f"{header} of the trusted proxy {peer or 'on the Unix socket'}", (hop,))


def _walk(peer: Address | None, texts: Iterator[str], trusted: Trusted, header: str) -> ClientIp:
    good, hops = peer, list[Hop]()
    for number, text in enumerate(texts, start=1):
        if number > MAX_HOPS:
            return ClientIp(_text(good), f"{header} has more than {MAX_HOPS} hops: the last one looked at", tuple(hops))
        address = parse_address(text)
        if address is None:
            hops.append(Hop(text.strip(), None, "no address: the walk ends, what is left of it proves nothing"))
            why = f"hop {number} from the right of {header} cannot be read: the one before it"
            return ClientIp(_text(good), why, tuple(hops))
        if not _is_trusted(address, trusted):
            hops.append(
                Hop(text.strip(), str(address), "no trusted proxy: believed, what is left of it proves nothing")
            )
            why = f"hop {number} from the right of {header}: the first that is no trusted proxy"
            return ClientIp(str(address), why, tuple(hops))
        hops.append(Hop(text.strip(), str(address), "a trusted proxy: passed over"))
        good = address
    return ClientIp(_text(good), f"every hop of {header} is a trusted proxy: the leftmost", tuple(hops))


def _text(address: Address | None) -> str | None:
    return None if address is None else str(address)


@lru_cache(maxsize=4096)
def truncate_ip(ip: str) -> str:
    """Return an address without the part that names one household: IPv4 keeps /24, IPv6 /48.

    Shape:  IPv4-mapped ones are cut as IPv4; 6to4 ones hold an IPv4 address in their first 48 bits, NAT64 ones in
            their last 32, and keep the /24 of it; what is no address gives an empty text, never itself.
    """
    address = parse_address(ip)
    if address is None:
        return ""
    if isinstance(address, IPv4Address):
        return str(IPv4Address(int(address) & 0xFFFFFF00))
    kept_bits = 40 if address.sixtofour else 120 if address in _NAT64 else 48
    return str(IPv6Address(int(address) >> 128 - kept_bits << 128 - kept_bits))
