"""`/v1/…`: Segment's HTTP Tracking API, for its unmodified clients.

Answers are exactly 200 or an error: some clients take a 204, some a redirect for delivered or for broken. Errors have
`code` and `message` at the top, because older clients retry what lacks them ten times.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from server.dialects.segment import CLAIM, IMPORT, Call, Event, Sender, is_kind, read_call, translate
from server.dialects.segment_context import browser_of
from server.errors import BadRequest, EventRejected, FootfallError, Forbidden, NotAuthorised, NotFound
from server.events.model import Source
from server.events.wire import MAX_ID_LENGTH, decode, encode_original, read_instant
from server.identity.contacts import claim_visitor_id
from server.ingest.address_policy import scrub_payload
from server.ingest.beacon import Beacon
from server.ingest.rejected import RejectedEvent
from server.ingest.values import clean_text
from server.sites import Site
from server.web.answers import JsonAnswer, cors_headers, error_answer, preflight_headers
from server.web.auth import key_of
from server.web.beacons import client_ip_of, events_of, page_beacon, site_for
from server.web.collect import keep_refused
from server.web.parts import Parts
from server.web.queries import parts_of
from server.web.requests import ClientGone, RequestHead, read_body

MAX_SKEW_MS = 24 * 3600 * 1000
"""A server's clock that differs by more is no clock: its messages' times are taken as they are."""

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")

Json = dict[str, Any]


@dataclass(slots=True)
class _Translated:
    """A call's events, the index of each one's message, and the messages that are refused."""

    events: list[Event] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    refused: list[tuple[int, EventRejected]] = field(default_factory=list)


async def take(request: Request) -> Response:
    """Take one message or a batch."""
    parts, head = parts_of(request), RequestHead(request.scope)
    origin = head.get(b"origin")
    if request.method == "OPTIONS":
        headers = preflight_headers(origin, head.get(b"access-control-request-headers"))
        return Response(status_code=204, headers=headers)
    try:
        return JsonAnswer(await _take(parts, request, head), headers=cors_headers(origin))
    except _NothingTaken as error:
        return _refusal(error, origin, rejected=error.rejected)
    except FootfallError as error:
        parts.accounts.refused_requests[error.code] += 1
        return _refusal(error, origin)
    except ClientGone:
        parts.accounts.refused_requests["client_gone"] += 1
        return Response(status_code=400)  # nobody reads it


async def get_settings(request: Request) -> Response:
    """Return what the browser client asks for before it starts: where to send to, and that nothing else is to load."""
    parts, head = parts_of(request), RequestHead(request.scope)
    origin = head.get(b"origin")
    try:
        site = site_for(parts.sites, request.path_params["key"], origin)
    except FootfallError as error:
        return _refusal(error, origin)
    host = head.get(b"host") or ""
    segment: Json = {"apiKey": site.key, "unbundledIntegrations": [], "addBundledMetadata": True}
    if _HOST.fullmatch(host):
        segment["apiHost"] = host + request.scope.get("root_path", "") + "/v1"
        segment["protocol"] = _scheme(request, head)
    settings = {
        "integrations": {"Segment.io": segment},
        "plan": {"track": {"__default": {"enabled": True, "integrations": {}}}},
        "enabledMiddleware": {},
        "remotePlugins": [],
        # it would tell its makers how it works
        "metrics": {"sampleRate": 0},
    }
    headers = {"cache-control": "private, max-age=300", **cors_headers(origin)}
    return JsonAnswer(settings, headers=headers)


routes: list[BaseRoute] = [
    Route(path + slash, endpoint, methods=methods)
    for path, endpoint, methods in (
        ("/v1/projects/{key}/settings", get_settings, ["GET"]),
        ("/v1/{kind}", take, ["POST", "OPTIONS"]),
    )
    for slash in ("", "/")
]


class _NothingTaken(BadRequest):
    """Every message of a call was rejected, each for itself."""

    def __init__(self, rejected: list[Json]) -> None:
        super().__init__(rejected[0]["code"], rejected[0]["message"], "See GET /api/rejected.")
        self.rejected = rejected


async def _take(parts: Parts, request: Request, head: RequestHead) -> Json:
    """Return the answer once everything is on disk. Errors: FootfallError, ClientGone."""
    kind = request.path_params["kind"]
    if not is_kind(kind):
        raise NotFound("not_found", "There is no such call.", "See docs/segment.md.")
    body = await read_body(head, request.receive)
    try:
        value, is_odd = decode(body)
        call = read_call(kind, value)
        messages = events_of(call.messages)
        site, is_trusted = _sender_of(parts, request, head, call)
    except (BadRequest, NotAuthorised, Forbidden) as error:
        ip = client_ip_of(request.scope, head, parts.settings).ip
        await keep_refused(parts, error, _without_secrets(parts, body), ip)
        raise
    if kind == IMPORT and not is_trusted:
        raise Forbidden("secret_key_needed", "import takes the site's secret key.", "Send from your server.")
    if is_trusted:
        beacon = _server_beacon(parts, site, call, is_import=kind == IMPORT, is_odd=is_odd)
    else:
        envelope = {"sent_at": call.sent_at, "context": browser_of(messages)}
        beacon = page_beacon(parts, site, envelope, head, request.scope, is_odd=is_odd)
    return await _receive(parts, beacon, messages, call.originals)


def _sender_of(parts: Parts, request: Request, head: RequestHead, call: Call) -> tuple[Site, bool]:
    """Return the site of the write key, and whether it is the secret one. Errors: NotAuthorised, Forbidden."""
    key = key_of(head.get(b"authorization") or "") or call.write_key or request.query_params.get("writeKey")
    if not key:
        raise NotAuthorised("missing_write_key", "The write key is missing.", "Send it by Basic, as user name.")
    origin = head.get(b"origin")
    if (site := parts.auth.find_site(key)) is not None:
        if origin is not None:
            raise Forbidden(
                "secret_key_in_page", "A page holds the secret key, which reads everything.", "Use the site's key."
            )
        return site, True
    if key not in parts.sites:
        raise NotAuthorised("wrong_write_key", "This is no site's key.", "Use the site's key, or its secret key.")
    return site_for(parts.sites, key, origin), False


def _without_secrets(parts: Parts, body: bytes) -> bytes:
    """Return a refused body without any secret key: it is kept where another site's key may read it."""
    for site in parts.sites.values():
        if site.secret_key:
            body = body.replace(site.secret_key.encode(), b"")
    return body


def _server_beacon(parts: Parts, site: Site, call: Call, *, is_import: bool, is_odd: bool) -> Beacon:
    received_ms, sent_ms = parts.clock(), read_instant(call.sent_at)
    if sent_ms is not None and abs(received_ms - sent_ms) > MAX_SKEW_MS:
        sent_ms = None
    return Beacon(
        site=site,
        source=Source.IMPORT if is_import else Source.SERVER,
        received_ms=received_ms,
        sent_ms=sent_ms,
        is_trusted=True,
        is_odd=is_odd,
    )


async def _receive(parts: Parts, beacon: Beacon, messages: Sequence[Any], originals: Sequence[Any]) -> Json:
    """Return the answer once all messages have their verdicts on disk. Errors: BadRequest when none is accepted."""
    found = _translate(parts, beacon, messages)
    outcome = await parts.receiver.receive(beacon, found.events, refused=len(found.refused))
    verdicts = {found.owners[each["index"]]: (each["code"], each["message"]) for each in reversed(outcome.rejected)}
    if found.refused:
        # after the events: a client that gets no answer sends all of it again, and events are known by their ids
        kept = [_refused_message(parts, beacon, originals[index], error) for index, error in found.refused]
        await parts.receiver.refuse_whole(*kept)
        verdicts |= {index: (error.code, error.message) for index, error in found.refused}
    if not verdicts:
        return {"success": True}
    rejected = [
        {"index": index, "messageId": _message_id(messages[index]), "code": code, "message": clean_text(message)}
        for index, (code, message) in sorted(verdicts.items())
    ]
    if len(outcome.rejected) == len(found.events):
        raise _NothingTaken(rejected)
    return {"success": True, "rejected": rejected}


def _translate(parts: Parts, beacon: Beacon, messages: Sequence[Any]) -> _Translated:
    may_name = beacon.is_trusted or beacon.site.trust_user_ids
    sender = Sender(site=beacon.site.key, is_trusted=beacon.is_trusted, may_name_users=may_name)
    found = _Translated()
    for index, message in enumerate(messages):
        try:
            events = translate(message, sender)
        except EventRejected as error:
            found.refused.append((index, error))
            continue
        if not may_name:
            _add_visitors(parts, beacon.site, events)
        found.events += events
        found.owners += [index] * len(events)
    return found


def _add_visitors(parts: Parts, site: Site, events: Sequence[Event]) -> None:
    """Give what only claims to be a user's a visitor who stands for the claim: nobody's could never be erased."""
    for event in events:
        claim = event["props"].get(CLAIM)
        if claim is not None and "visitor_id" not in event:
            event["visitor_id"] = claim_visitor_id(parts.keys.cookie_key, site.key, clean_text(claim))


def _refused_message(parts: Parts, beacon: Beacon, message: Any, error: EventRejected) -> RejectedEvent:
    """Return the record of a message that is no event. It cannot be replayed: only its sender can mend it."""
    message_id = _message_id(message)
    if isinstance(message, dict):
        message = {name: value for name, value in message.items() if name != "writeKey"}
    return RejectedEvent(
        received_ms=beacon.received_ms,
        site=beacon.site.key,
        event_id=message_id and clean_text(message_id[:MAX_ID_LENGTH]),
        source=beacon.source,
        code=error.code,
        message=clean_text(error.message),
        payload=scrub_payload(encode_original(message), beacon.ip, parts.settings.ip),
    )


def _message_id(message: Any) -> str | None:
    found = message.get("messageId") if isinstance(message, dict) else None
    return clean_text(found) if isinstance(found, str) else None


def _refusal(error: FootfallError, origin: str | None, **more: Any) -> Response:
    """Return an error in the shape of all our errors, with Segment's fields beside it."""
    answer = error_answer(error, cors_headers(origin))
    told = {"code": error.code, "message": clean_text(error.message)}
    answer.body = answer.render({"success": False, **told, **more, "error": {**told, "hint": error.hint}})
    answer.headers["content-length"] = str(len(answer.body))
    return answer


def _scheme(request: Request, head: RequestHead) -> str:
    """Return how browsers reach this server: a page over TLS may only ask servers over TLS, whatever a proxy did."""
    page = head.get(b"origin") or head.get(b"referer") or ""
    return "https" if request.url.scheme == "https" or page.startswith("https:") else "http"
