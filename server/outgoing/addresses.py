"""Which addresses a webhook may go to, and what a target's name stands for. Pure but for the resolver passed in.

Refused is whatever is not a public unicast address: a webhook's address is chosen by whoever holds a site's key, and
must not become a way into the network that the server stands in. Ranges are those of IANA's special-purpose registries
(RFC 6890 and its updates), written out, because the standard library's `is_global` differs between patch releases.
"""

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from server.proxies import Network

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
"""Returns the addresses of a host as texts. Errors: OSError where it has none."""

_SPECIAL_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local: the clouds' metadata services
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and the broadcast address
    )
)
_PUBLIC_V6 = IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments; Teredo, which carries an IPv4 address, is among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4 carries an IPv4 address
        "3fff::/20",  # documentation
    )
)
_NAT64 = ip_network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Return whether an address is a public unicast one.

    Shape:  an IPv4-mapped address is what it maps, one of the well-known NAT64 prefix what it embeds.
    """
    plain = unwrap(address)
    if isinstance(plain, IPv4Address):
        return not any(plain in network for network in _SPECIAL_V4)
    return plain in _PUBLIC_V6 and not any(plain in network for network in _SPECIAL_V6)


def unwrap(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address


def is_listed(address: Address, networks: Sequence[Network]) -> bool:
    """Return whether an address lies in one of these networks."""
    return any(network.holds(unwrap(address)) for network in networks)


def read_address(text: str) -> Address | None:
    """Return an address; None for what is none, and for one with a zone, which is link-local by its nature."""
    if "%" in text:
        return None
    try:
        return ip_address(text)
    except ValueError:
        return None


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, as the system resolves it. Errors: OSError (socket.gaierror)."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
