"""From one ingest request to a Beacon: site, origin, clock, address and hints. Called by collect and the API."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.types import Scope

from server.enrich.client_ip import ClientIp, resolve_client_ip
from server.enrich.hints import Hints, create_hints
from server.errors import BadRequest, Forbidden, NotFound, TooLarge
from server.events.model import Source
from server.events.wire import MAX_EVENTS, read_instant
from server.ingest.beacon import Beacon
from server.settings import Settings
from server.sites import Site
from server.web.parts import Parts
from server.web.requests import RequestHead

MAX_USER_AGENT_LENGTH = 1000


def site_for(sites: Mapping[str, Site], key: Any, origin: str | None) -> Site:
    """Return the site that a public key names.

    Errors: BadRequest without a key, NotFound for an unknown one, Forbidden for another site's origin.
    """
    if not isinstance(key, str) or not key:
        raise BadRequest("missing_site", "site is missing.", 'Name the site, for example "site": "default".')
    site = sites.get(key)
    if site is None:
        raise NotFound("unknown_site", f"There is no site {key[:64]!r}.", "Check data-site in the snippet.")
    if not site.allows_origin(origin.lower() if origin else None):
        raise Forbidden(
            "origin_not_allowed", f"{(origin or '')[:200]} is not one of the site's origins.", "Add it to `origins`."
        )
    return site


def events_of(value: Any) -> Sequence[Any]:
    """Return the events of a body's `events`. Errors: BadRequest, TooLarge."""
    if not isinstance(value, list):
        raise BadRequest("invalid_batch", "events is not a list.", 'Send {"site": …, "events": [ … ]}.')
    if len(value) > MAX_EVENTS:
        raise TooLarge(
            "too_many_events", f"{len(value)} events; a request carries at most {MAX_EVENTS}.", "Split the batch."
        )
    return value


def page_beacon(
    parts: Parts, site: Site, envelope: Mapping[str, Any], head: RequestHead, scope: Scope, *, is_odd: bool
) -> Beacon:
    """Return what the events of a page's request share."""
    context = envelope.get("context")
    if not isinstance(context, dict):
        context = {}
    user_agent = head.get(b"user-agent")
    return Beacon(
        site=site,
        is_odd=is_odd,
        source=Source.PAGE,
        received_ms=parts.clock(),
        sent_ms=read_instant(envelope.get("sent_at")),
        visitor_id=envelope.get("visitor_id"),
        ip=client_ip_of(scope, head, parts.settings).ip,
        user_agent=user_agent[:MAX_USER_AGENT_LENGTH] if user_agent else None,
        hints=hints_of(head, context),
        context=context,
    )


def client_ip_of(scope: Scope, head: RequestHead, settings: Settings) -> ClientIp:
    """Return the client's address as far as it can be believed, and why."""
    client = scope.get("client")
    trusted, header = settings.trusted_proxies, settings.proxy_header
    lines = head.lines(header.encode()) if trusted else ()
    return resolve_client_ip(client[0] if client else None, lines, trusted, header=header)


def hints_of(head: RequestHead, context: Mapping[str, Any]) -> Hints:
    """Return the client hints of headers and payload."""
    return create_hints(
        head.get(b"sec-ch-ua"),
        head.get(b"sec-ch-ua-mobile"),
        head.get(b"sec-ch-ua-platform"),
        context.get("hints"),
        context.get("touch_points"),
    )
