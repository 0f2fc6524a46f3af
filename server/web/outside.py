"""How a browser sees this server: scheme and host behind a proxy, and whether a form is one of our own pages'.

What a proxy says is believed from trusted ones only, like the visitor's address. It decides about the asking browser
alone (its cookie, its snippet), so that whoever forges it through a proxy that lets it pass harms nobody else.
"""

import re
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from server.enrich.client_ip import is_trusted_peer
from server.proxies import RFC_HEADER
from server.settings import Settings

MAX_SHOWN_CHARS = 200
_SCHEMES = {"http", "https"}
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_PROTO_HEADER, _HOST_HEADER = "x-forwarded-proto", "x-forwarded-host"
# of a form: it came from this server's own page, or from no page at all (typed, a bookmark, a reload)
_OWN_SITES = {"same-origin", "none"}
_PAIRS = {name: re.compile(rf'(?:^|[;,\s]){name}="?([^\s";,]+)', re.IGNORECASE) for name in ("proto", "host")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Scheme and host of this server.

    Shape:  host is `name` or `name:port`, in lower case; is_behind_proxy where a trusted proxy passed the request on.
    """

    scheme: str
    host: str
    is_behind_proxy: bool

    @property
    def origin(self) -> str:
        """Return both as browsers write an origin: without the scheme's own port."""
        return f"{self.scheme}://{_plain_host(self.scheme, self.host)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignForm:
    """Why a form is not taken. Shape: reason and cure are sentences for whoever sees the page."""

    reason: str
    cure: str


def outside_of(connection: HTTPConnection, settings: Settings) -> Outside:
    """Return the scheme and host under which the client asked."""
    scheme, host = connection.url.scheme, connection.headers.get("host", "")
    client = connection.client
    is_behind_proxy = is_trusted_peer(client.host if client else None, settings.trusted_proxies)
    if is_behind_proxy:
        said = _forwarded_pairs(connection) if settings.proxy_header == RFC_HEADER else _forwarded_headers(connection)
        scheme = said["proto"].lower() if said["proto"].lower() in _SCHEMES else scheme
        host = said["host"] or host
    return Outside(scheme=scheme, host=host.lower(), is_behind_proxy=is_behind_proxy)


def _forwarded_headers(connection: HTTPConnection) -> dict[str, str]:
    """Return what the outermost proxy says: each one inside appends."""
    names = {"proto": _PROTO_HEADER, "host": _HOST_HEADER}
    return {each: connection.headers.get(name, "").split(",")[0].strip() for each, name in names.items()}


def _forwarded_pairs(connection: HTTPConnection) -> dict[str, str]:
    """Return the same of Forwarded. Source: RFC 7239, section 4."""
    line = connection.headers.get(RFC_HEADER, "")
    found = {name: pattern.search(line) for name, pattern in _PAIRS.items()}
    return {name: match[1] if match else "" for name, match in found.items()}


def find_foreign_form(connection: HTTPConnection, settings: Settings) -> ForeignForm | None:
    """Return why a form that was sent by POST is another site's; None for our own pages'.

    Shape:  the browser itself says it in Sec-Fetch-Site, whatever proxies make of the host; it does over https and on
            loopback. Elsewhere, and from older ones, Origin must be the server's own. What sends neither is no browser
            and carries no one's cookie.
    Source: https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header.
    """
    site = connection.headers.get("sec-fetch-site")
    if site is not None:
        return None if site in _OWN_SITES else _foreign(connection.headers.get("origin"))
    origin = connection.headers.get("origin")
    if origin is None:
        return None
    # the browser's scheme for both: where nobody is trusted, the server does not know of TLS that ends in front of it
    scheme, _, host = origin.lower().partition("://")
    outside = outside_of(connection, settings)
    if not host:
        return _foreign(origin)
    if _plain_host(scheme, host) == _plain_host(scheme, outside.host):
        return None
    return _unlike(origin, outside, connection)


def _plain_host(scheme: str, host: str) -> str:
    return host.removesuffix(_DEFAULT_PORTS.get(scheme, ""))


def _foreign(origin: str | None) -> ForeignForm:
    sent_from = "another site" if origin in {None, "", "null"} else f"another site, {(origin or '')[:MAX_SHOWN_CHARS]}"
    return ForeignForm(reason=f"This form was sent from {sent_from}.", cure="Open the login page itself.")


def _unlike(origin: str, outside: Outside, connection: HTTPConnection) -> ForeignForm:
    shown = origin[:MAX_SHOWN_CHARS]
    reason = f"The browser sent this form from {shown}, and the server was asked as {outside.host[:MAX_SHOWN_CHARS]!r}."
    if not outside.is_behind_proxy and connection.headers.get(_HOST_HEADER):
        cure = (
            "A proxy says the name in X-Forwarded-Host, but is not trusted: set FOOTFALL_TRUSTED_PROXIES to its"
            " address, or have it pass the header Host on."
        )
    else:
        cure = (
            "If there is a reverse proxy, it does not pass the header Host on. In nginx:"
            " proxy_set_header Host $http_host; see docs/operate.md. Else it was another site's form."
        )
    return ForeignForm(reason=reason, cure=cure)
