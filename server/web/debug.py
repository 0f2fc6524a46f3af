"""`GET /api/debug/ip`: which address of this very request is believed, and why. Nothing of it is kept."""

from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from server.enrich.client_ip import ClientIp, is_trusted_peer, parse_address
from server.ingest.address_policy import keep_ip
from server.proxies import FORWARDING_HEADERS
from server.settings import Settings
from server.web.answers import JsonAnswer
from server.web.beacons import client_ip_of
from server.web.outside import outside_of
from server.web.parts import Parts
from server.web.queries import parts_of
from server.web.requests import RequestHead

MAX_SHOWN_CHARS = 200


async def get_ip(request: Request) -> Response:
    """Tell an operator what the server makes of the addresses of the operator's own request. Errors: NotAuthorised."""
    parts = parts_of(request)
    parts.auth.readable_site(request)
    told = explain_ip(parts, request)
    return JsonAnswer(told, headers={"cache-control": "no-store"})


def explain_ip(parts: Parts, request: Request) -> dict[str, Any]:
    """Return the decision as data, and in `explanation` as sentences for people."""
    settings, head = parts.settings, RequestHead(request.scope)
    found = client_ip_of(request.scope, head, settings)
    peer = request.client.host if request.client else None
    place = parts.geo.lookup(found.ip)
    headers = {name: head.lines(name.encode()) for name in dict.fromkeys((settings.proxy_header, *FORWARDING_HEADERS))}
    present = {name: [line[:MAX_SHOWN_CHARS] for line in lines] for name, lines in headers.items() if lines}
    told = {
        "ip": found.ip,
        "why": found.why,
        "peer": peer,
        "trusted_proxies": [str(network) for network in settings.trusted_proxies],
        "header": settings.proxy_header,
        "headers": present,
        "hops": [{"text": hop.text[:MAX_SHOWN_CHARS], "ip": hop.ip, "verdict": hop.verdict} for hop in found.hops],
        "place": {"country": place.country, "region": place.region, "city": place.city},
        "policy": settings.ip,
        "stored": keep_ip(found.ip, settings.ip),
        "origin": outside_of(request, settings).origin,
    }
    sentences = [*_story(told), *_place_story(told), *_advice(found, peer, list(present), settings)]
    return {**told, "explanation": sentences}


def _story(told: dict[str, Any]) -> Iterator[str]:
    yield f"The connection comes from {told['peer'] or 'a Unix socket'}."
    trusted = ", ".join(told["trusted_proxies"])
    yield f"Proxies are believed from {trusted}, in {told['header']} only." if trusted else "No proxy is believed."
    for number, hop in enumerate(told["hops"], start=1):
        yield f"Hop {number} from the right: {hop['text']!r}: {hop['verdict']}."
    yield f"Believed: {told['ip'] or 'no address'} ({told['why']})."


def _place_story(told: dict[str, Any]) -> Iterator[str]:
    known = [part for part in (told["place"]["city"], told["place"]["region"], told["place"]["country"]) if part]
    yield f"It is in {', '.join(known)}." if known else "Nothing is known of its place."
    yield f"FOOTFALL_IP is {told['policy']}: {told['stored'] or 'no address'} is stored."


def _advice(found: ClientIp, peer: str | None, present: list[str], settings: Settings) -> Iterator[str]:
    trusted, header = settings.trusted_proxies, settings.proxy_header
    if present and not is_trusted_peer(peer, trusted):
        name = peer or "unix"
        yield (
            f"The request carries {', '.join(present)}, which anyone can send. If {peer or 'the Unix socket'} is your"
            f" proxy, add {name} to FOOTFALL_TRUSTED_PROXIES; else all is well."
        )
    elif present and trusted and header not in present:
        yield (
            f"The proxy sends no {header} but {', '.join(present)}: if the proxy sets it itself and lets no visitor set"
            " it, name it in FOOTFALL_PROXY_HEADER."
        )
    elif found.ip and found.hops and (address := parse_address(found.ip)) is not None and not address.is_global:
        yield (
            f"{found.ip} is no public address: either the visitor is in your own network, or a proxy in between is"
            " missing in FOOTFALL_TRUSTED_PROXIES."
        )
