"""`/hooks/{vendor}/{site}`: other services' webhooks. Proved by the vendor's signature, answered when all is on disk.

What a vendor tells that is no event here is answered with 200 and counted, because vendors give up an address that
fails; a call that cannot be proved is refused and kept nowhere, because anybody can send one. Nothing is unpacked: the
signature is over the very bytes that came, and no vendor sends gzip.
"""

from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from server.dialects.event_ids import derive_id
from server.dialects.hooks.notice import Ignored, Json, Notice, Told
from server.dialects.hooks.signatures import Call, read_public_key, verify
from server.dialects.hooks.vendors import VENDORS, Vendor
from server.dialects.plain import plain
from server.errors import BadRequest, FootfallError, Forbidden, NotFound
from server.events.model import Source
from server.events.wire import MAX_EVENTS, MAX_KEPT_PAYLOAD_BYTES, decode
from server.ingest.address_policy import scrub_payload
from server.ingest.beacon import Beacon
from server.ingest.receive import Outcome
from server.ingest.rejected import RejectedEvent
from server.sites import Site
from server.web.answers import JsonAnswer
from server.web.hook_people import find_people
from server.web.parts import Parts
from server.web.queries import parts_of
from server.web.requests import ClientGone, RequestHead, read_sent_body

VERIFY_TOKEN = "_verify_token"  # noqa: S105 - the end of a setting's name


async def take(request: Request) -> Response:
    """Take a vendor's call."""
    parts = parts_of(request)
    try:
        return JsonAnswer(await _take(parts, request))
    except FootfallError as error:
        parts.accounts.refused_requests[error.code] += 1
        raise
    except ClientGone:
        parts.accounts.refused_requests["client_gone"] += 1
        return Response(status_code=400)  # nobody reads it


async def answer_subscription(request: Request) -> Response:
    """Answer the GET with which some vendors try an address before they send to it."""
    name, vendor, site = _addressed(request)
    if vendor.answer_subscription is None:
        raise HTTPException(405, headers={"allow": "POST"})
    told = vendor.answer_subscription(request.query_params, _secrets_of(site, name + VERIFY_TOKEN))
    if told is None:
        raise Forbidden("wrong_verify_token", "The verify token is not the site's.", "Compare the tokens.")
    # the text is the caller's own: no browser may take it for a page
    return Response(told, media_type="text/plain", headers={"x-content-type-options": "nosniff"})


routes: list[BaseRoute] = [
    Route("/hooks/{vendor}/{site}" + slash, endpoint, methods=[method])
    for endpoint, method in ((take, "POST"), (answer_subscription, "GET"))
    for slash in ("", "/")
]


def unusable_keys(sites: Sequence[Site]) -> list[str]:
    """Return a sentence for each public key that cannot be read: nobody's call would ever be proved by it."""
    problems = []
    for site in sites:
        for key in site.hooks.get("sendgrid", ()):
            try:
                read_public_key(key)
            except ValueError as error:
                problems.append(f"[sites.{site.key}.hooks] sendgrid: {error}")
    return problems


async def _take(parts: Parts, request: Request) -> Json:
    """Return the answer once everything is on disk. Errors: FootfallError, ClientGone."""
    name, vendor, site = _addressed(request)
    secrets = _secrets_of(site, name)
    body = await read_sent_body(RequestHead(request.scope), request.receive)
    call = Call(headers=request.headers, query=request.query_params, body=body)
    payload, is_odd = decode(body) if vendor.is_signed_in_body else (None, False)
    claim = vendor.read_claim(call, payload)
    secret = verify(claim, vendor.check, secrets, vendor.window_s, parts.clock())
    try:
        if not vendor.is_signed_in_body:
            payload, is_odd = decode(body)
        payload = plain(payload)
        if vendor.answer_challenge and (answer := vendor.answer_challenge(payload, secret)) is not None:
            return answer
        told = vendor.translate(payload)
    except BadRequest as error:
        await _keep(parts, site, error, body)
        raise
    beacon = Beacon(site=site, source=Source.WEBHOOK, received_ms=parts.clock(), is_trusted=True, is_odd=is_odd)
    return await _receive(parts, beacon, name, told)


def _addressed(request: Request) -> tuple[str, Vendor, Site]:
    """Return the vendor's name, the vendor and the site of an address. Errors: NotFound."""
    name, key = request.path_params["vendor"], request.path_params["site"]
    vendor, site = VENDORS.get(name), parts_of(request).sites.get(key)
    if vendor is None:
        raise NotFound("unknown_vendor", f"There is no vendor {name[:64]!r}.", f"Known: {', '.join(VENDORS)}.")
    if site is None:
        raise NotFound("unknown_site", f"There is no site {key[:64]!r}.", "The address ends with the site's key.")
    return name, vendor, site


def _secrets_of(site: Site, name: str) -> tuple[str, ...]:
    secrets = site.hooks.get(name, ())
    if not secrets:
        raise NotFound(
            "hook_not_set_up",
            f"The site {site.key!r} has no secret {name!r}.",
            f"Set `{name}` in [sites.{site.key}.hooks]; see docs/webhooks.md.",
        )
    return secrets


async def _keep(parts: Parts, site: Site, error: BadRequest, body: bytes) -> None:
    """Keep what a vendor has signed and nobody understands."""
    refusal = RejectedEvent(
        received_ms=parts.clock(),
        site=site.key,
        event_id=None,
        source=Source.WEBHOOK,
        code=error.code,
        message=error.message,
        payload=scrub_payload(body[:MAX_KEPT_PAYLOAD_BYTES], None, parts.settings.ip),
    )
    await parts.receiver.refuse_whole(refusal)


async def _receive(parts: Parts, beacon: Beacon, name: str, told: Sequence[Told]) -> Json:
    """Return the answer once all notices have their verdicts on disk. Shape: an index is that in the vendor's call."""
    indexes = [index for index, each in enumerate(told) if isinstance(each, Notice)]
    notices = [each for each in told if isinstance(each, Notice)]
    found = await run_in_threadpool(find_people, parts, beacon.site, notices)
    events = [_event(name, beacon.site, notice, whom) for notice, whom in zip(notices, found, strict=True)]
    outcome = await _receive_all(parts, beacon, events)
    for verdict in (*outcome.rejected, *outcome.warnings):
        verdict["index"] = indexes[verdict["index"]]
    ignored = [(index, each) for index, each in enumerate(told) if isinstance(each, Ignored)]
    parts.accounts.ignored_notices.update((name, each.reason) for _, each in ignored)
    return {
        "accepted": outcome.accepted,
        "duplicate": outcome.duplicate,
        "rejected": outcome.rejected,
        "warnings": outcome.warnings,
        "ignored": [{"index": index, "code": each.reason, "message": each.message} for index, each in ignored],
    }


async def _receive_all(parts: Parts, beacon: Beacon, events: Sequence[Json]) -> Outcome:
    """Return the verdicts on any number of events: a vendor decides by itself how many it sends at once."""
    total = Outcome(0, 0, [], [])
    for start in range(0, len(events), MAX_EVENTS):
        outcome = await parts.receiver.receive(beacon, events[start : start + MAX_EVENTS])
        for each in (*outcome.rejected, *outcome.warnings):
            each["index"] += start
        total.accepted += outcome.accepted
        total.duplicate += outcome.duplicate
        total.rejected += outcome.rejected
        total.warnings += outcome.warnings
    return total


def _event(name: str, site: Site, notice: Notice, whom: Json) -> Json:
    time = {} if notice.time_ms is None else {"time": notice.time_ms}
    event_id = derive_id(name, site.key, notice.foreign_id)
    return {**notice.columns, "id": event_id, "name": notice.name, "props": notice.props, **time, **whom}
