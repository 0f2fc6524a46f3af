"""Whose word on addresses counts, as the settings name it: networks of proxies, and the one header they write.

Read by settings; `enrich/client_ip.py` decides with it.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import NamedTuple

_IPV4 = 4
_MAPPED_PREFIX = 96  # ::ffff:0:0/96 holds the IPv4-mapped addresses
_TOKEN = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,64}")  # RFC 9110, section 5.6.2
_TYPO_LIKENESS = 0.85

LIST_HEADER = "x-forwarded-for"
RFC_HEADER = "forwarded"
# Headers that carry one address, by who writes them. Any other name is taken as one of these.
SINGLE_HEADERS = (
    "x-real-ip",  # nginx by habit, Traefik, Vercel
    "cf-connecting-ip",  # Cloudflare
    "cf-connecting-ipv6",
    "cf-pseudo-ipv4",
    "true-client-ip",  # Akamai, Cloudflare Enterprise
    "fly-client-ip",
    "fastly-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",  # Rackspace, Zeus
    "x-azure-clientip",
    "x-appengine-user-ip",
    "x-envoy-external-address",
    "x-nf-client-connection-ip",  # Netlify
    "do-connecting-ip",  # DigitalOcean
    "x-original-client-ip",
)
FORWARDING_HEADERS = (LIST_HEADER, RFC_HEADER, *SINGLE_HEADERS)
# Headers that every browser can set at will or that never hold an address.
_OTHER_HEADERS = {"host", "user-agent", "cookie", "origin", "referer", "authorization", "x-forwarded-proto", "via"}
_OTHER_HEADERS |= {"x-forwarded-host", "x-forwarded-port", "x-forwarded"}


class Network(NamedTuple):
    """A range of addresses as numbers.

    A tuple of integers, because it is part of a cache's key: hashing one takes a tenth of what the standard
    library's networks take.
    """

    version: int
    first: int
    mask: int

    def holds(self, address: IPv4Address | IPv6Address) -> bool:
        """Return whether an address lies in this range."""
        return address.version == self.version and int(address) & self.mask == self.first

    def __str__(self) -> str:
        if self == UNIX_SOCKET:
            return "unix"
        base = IPv4Address(self.first) if self.version == _IPV4 else IPv6Address(self.first)
        return f"{base}/{self.mask.bit_count()}"


# Whoever connects through a Unix socket; it has no address and so lies in no range.
UNIX_SOCKET = Network(0, 0, 0)


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks that the settings name.

    Shape:  `10.0.0.0/8`, `2001:db8::/32`, a single address, or `unix` for peers of a Unix socket;
            IPv4-mapped ones become IPv4.
    Errors: ValueError naming each text that is none and what is wrong with it; bits behind the prefix are
            refused, because a range that means something else than it says is a hole.
    """
    found, problems = [], []
    for text in texts:
        try:
            found.append(_parse_network(text.strip()))
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("; ".join(problems))
    return tuple(found)


def _parse_network(text: str) -> Network:
    if text.lower() in {"unix", "unix:"}:
        return UNIX_SOCKET
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


def parse_proxy_header(text: str) -> str:
    """Return the name of the header that proxies write the visitor's address into, in lower case.

    Errors: ValueError for several names, for what is no header's name, for one that never holds an address, and
            for what looks like a slip of the pen in a known one: it would give every visitor the proxy's address.
    """
    name = text.strip().lower()
    if "," in name or " " in name:
        raise ValueError("must be one header: a fallback from one to another lets visitors choose")
    if not _TOKEN.fullmatch(name) or name in _OTHER_HEADERS:
        raise ValueError(f"must be a header that carries an address, for example {', '.join(FORWARDING_HEADERS[:4])}")
    if name not in FORWARDING_HEADERS:
        close = get_close_matches(name, FORWARDING_HEADERS, 1, _TYPO_LIKENESS)
        if close:
            raise ValueError(f"is not known; did you mean {close[0]}?")
    return name
