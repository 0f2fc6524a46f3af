"""A webhook's address: read from its URL, and pinned to checked IP addresses for one connection.

The name is resolved once for each connection and every address it stands for must be allowed: what was checked is what
is connected to, so a name that answers differently the next time (DNS rebinding) gains nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from server.outgoing.addresses import Resolve, is_listed, is_public, read_address, resolve
from server.proxies import Network

MAX_URL_LENGTH = 2048
MAX_ADDRESSES = 4
_PORTS = {"https": 443, "http": 80}
_PRINTABLE = re.compile(r"[!-~]+")  # no space, no control character: nothing that could end a header line


class BadTarget(Exception):
    """A target that webhooks do not go to. Shape: code is stable and machine-readable, message is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a webhook goes. Shape: host is in ASCII, without brackets; path has the query."""

    is_tls: bool
    host: str
    port: int
    path: str


def read_target(url: str) -> Target:
    """Return the target that a URL names. Errors: BadTarget."""
    if not isinstance(url, str) or not 0 < len(url) <= MAX_URL_LENGTH:
        raise BadTarget("bad_url", f"url is a text of 1 to {MAX_URL_LENGTH} characters.")
    if not _PRINTABLE.fullmatch(url):
        raise BadTarget(
            "bad_url", "url has characters that belong percent-encoded, or a name that belongs in Punycode."
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadTarget("bad_url", f"url cannot be read: {error}.") from error
    if parts.scheme not in _PORTS or not host or port == 0:
        raise BadTarget("bad_url", "url begins with https:// and names a host.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise BadTarget("bad_url", "url has no user name, no password and no fragment.")
    if "%" in host:
        raise BadTarget("target_not_allowed", "An address with a zone is link-local.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(is_tls=parts.scheme == "https", host=host, port=port or _PORTS[parts.scheme], path=path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Decides where connections may go.

    Shape:  networks are those that the settings allow beside the public ones, and to which plain http is allowed too.
    """

    networks: Sequence[Network] = ()
    resolve: Resolve = resolve

    def pin(self, target: Target) -> list[str]:
        """Return the addresses to connect to, at most MAX_ADDRESSES, all of them allowed. Blocks: asks the resolver.

        Errors: BadTarget `target_not_allowed` when any address is not, `https_required`; `unknown_host`.
        """
        try:
            texts = list(self.resolve(target.host, target.port))
        except (OSError, UnicodeError) as error:
            raise BadTarget("unknown_host", f"{target.host} has no address.") from error
        if not texts:
            raise BadTarget("unknown_host", f"{target.host} has no address.")
        for text in texts:
            self._check(target, text)
        return texts[:MAX_ADDRESSES]

    def _check(self, target: Target, text: str) -> None:
        address = read_address(text)
        if address is not None and is_listed(address, self.networks):
            return
        if address is None or not is_public(address):
            raise BadTarget(
                "target_not_allowed",
                f"{target.host} is not on the public network; FOOTFALL_WEBHOOK_PRIVATE allows others.",
            )
        if not target.is_tls:
            raise BadTarget("https_required", "Webhooks travel by https; FOOTFALL_WEBHOOK_PRIVATE allows others.")
