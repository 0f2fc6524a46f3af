"""`/collect`: the public way in. POST takes a tracker's batch, GET is the pixel, OPTIONS the preflight.

Answered in front of routing and middleware: this is the one path where each microsecond counts.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from server.errors import BadRequest, FootfallError, Forbidden, NotFound, Unavailable
from server.events.model import Source
from server.events.wire import MAX_KEPT_PAYLOAD_BYTES, decode, unpack
from server.ingest.address_policy import scrub_payload
from server.ingest.receive import Outcome
from server.ingest.rejected import RejectedEvent
from server.web.answers import (
    AnswerHead,
    answer_head,
    cors_headers,
    error_answer,
    fault_answer,
    head_of,
    http_error_answer,
    preflight_headers,
)
from server.web.beacons import client_ip_of, events_of, page_beacon, site_for
from server.web.parts import Parts
from server.web.requests import ClientGone, RequestHead, read_sent_body

log = logging.getLogger("footfall.collect")

PIXEL = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
MAX_REMEMBERED_ORIGIN = 300
"""In characters: a scheme, the longest name of a host and a port are fewer."""

_ONE_ACCEPTED = b'{"accepted":1,"duplicate":0,"rejected":[],"warnings":[]}'
_PIXEL_FIELDS = ("id", "name", "time", "session_id", "visitor_id")
_PAGE_FIELDS = ("url", "title", "referrer")
_ENVELOPE_FIELDS = ("site", "sent_at")
_CONTEXT_FIELDS = ("resolution", "language", "timezone")

Answer = Callable[[AnswerHead, bytes], None]


class Collect:
    """The ASGI endpoint."""

    async def __call__(self, parts: Parts, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        head = RequestHead(scope)
        origin = head.get(b"origin")
        try:
            method = scope["method"]
            if method == "POST":
                await _answer_batch(parts, scope, receive, send, head)
            elif method in {"GET", "HEAD"}:
                await (await _take_pixel(parts, scope, head))(scope, receive, send)
                parts.accounts.answers[200] += 1
            elif method == "OPTIONS":
                headers = preflight_headers(origin, head.get(b"access-control-request-headers"))
                await Response(status_code=204, headers=headers)(scope, receive, send)
            else:
                refusal = HTTPException(405, headers={"allow": "GET, HEAD, OPTIONS, POST", **cors_headers(origin)})
                await http_error_answer(refusal, scope["path"])(scope, receive, send)
        except FootfallError as error:
            parts.accounts.refused_requests[error.code] += 1
            parts.accounts.answers[error.status] += 1
            await error_answer(error, cors_headers(origin))(scope, receive, send)
        except ClientGone:
            parts.accounts.refused_requests["client_gone"] += 1
        except Exception:
            # nobody foresaw it; the framework's own net is behind this path
            log.exception("a fault while receiving events")
            parts.accounts.answers[500] += 1
            await fault_answer(cors_headers(origin))(scope, receive, send)


async def _answer_batch(parts: Parts, scope: Scope, receive: Receive, send: Send, head: RequestHead) -> None:
    """Answer a tracker's batch. Errors: FootfallError from the body, ClientGone."""
    body = await read_sent_body(head, receive)
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[tuple[AnswerHead, bytes]] = loop.create_future()

    def answer(answer_head: AnswerHead, body: bytes) -> None:
        if not answered.done():
            answered.set_result((answer_head, body))

    take_batch(parts, scope, body, loop, answer)
    answer_head, body = await answered
    headers = (*answer_head.pairs, (b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": answer_head.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def take_batch(parts: Parts, scope: Scope, body: bytes, loop: asyncio.AbstractEventLoop, answer: Answer) -> None:
    """Answer the body of a POST: now, or from the loop once what the answer says is on disk. Never raises.

    Shape:  body is as it was sent; of the scope, `headers`, `client` and `query_string` are read.
    """
    head = RequestHead(scope)
    batch = _Batch(parts, head.get(b"origin"), answer)
    key: Any = None
    try:
        body = unpack(body)
        try:
            envelope, is_odd = _envelope(body)
            key = envelope["site"] if "site" in envelope else _query(scope).get("site")
            site = site_for(parts.sites, key, batch.origin)
            events = events_of(envelope.get("events"))
        except (BadRequest, NotFound, Forbidden) as error:
            ip = client_ip_of(scope, head, parts.settings).ip
            # the batch must not hold the error: its traceback leads back here, a circle that keeps the body in memory
            parts.receiver.refuse_soon(_refusal(parts, error, body, ip, key), loop, partial(batch.refused, error))
            return
        beacon = page_beacon(parts, site, envelope, head, scope, is_odd=is_odd)
        parts.receiver.receive_soon(beacon, events, loop, batch.received)
    except FootfallError as error:
        batch.refuse(error)
    except Exception:
        # nobody foresaw it; the framework's own net is behind this path
        log.exception("a fault while receiving events")
        batch.fail()


class _Batch:
    """One POST between its arrival and its answer."""

    __slots__ = ("_answer", "_parts", "origin")

    def __init__(self, parts: Parts, origin: str | None, answer: Answer) -> None:
        self._parts = parts
        self._answer = answer
        self.origin = origin

    def received(self, outcome: Outcome | Unavailable) -> None:
        """Tell the verdicts, or that there are none."""
        if isinstance(outcome, Unavailable):
            self.refuse(outcome)
            return
        self._parts.accounts.answers[200] += 1
        self._answer(_accepted_head(self.origin), encode_outcome(outcome))

    def refused(self, refusal: FootfallError, error: Unavailable | None) -> None:
        """Tell why the whole request was refused, which is on disk, or that it could not be kept."""
        self.refuse(error or refusal)

    def refuse(self, error: FootfallError) -> None:
        """Tell an error."""
        self._parts.accounts.refused_requests[error.code] += 1
        self._parts.accounts.answers[error.status] += 1
        self._tell(error_answer(error, cors_headers(self.origin)))

    def fail(self) -> None:
        """Tell that the server has a fault."""
        self._parts.accounts.answers[500] += 1
        self._tell(fault_answer(cors_headers(self.origin)))

    def _tell(self, answer: Response) -> None:
        self._answer(head_of(answer), bytes(answer.body))


def _envelope(body: bytes) -> tuple[dict[str, Any], bool]:
    envelope, is_odd = decode(body)
    if isinstance(envelope, list):
        envelope = {"events": envelope}
    if not isinstance(envelope, dict):
        raise BadRequest("invalid_batch", "The body is no JSON object.", 'Send {"site": …, "events": [ … ]}.')
    return envelope, is_odd


async def _take_pixel(parts: Parts, scope: Scope, head: RequestHead) -> Response:
    """Return the image, also for a rejected event. Errors: FootfallError."""
    query = _query(scope)
    site = site_for(parts.sites, query.get("site"), head.get(b"origin"))
    envelope, event = _from_query(query, head)
    # percent-decoding lets in what JSON would have to escape
    beacon = page_beacon(parts, site, envelope, head, scope, is_odd=True)
    outcome = await parts.receiver.receive(beacon, [event])
    headers = {"cache-control": "no-store", "cross-origin-resource-policy": "cross-origin"}
    if outcome.rejected:
        # an image has no body to tell it in; the network tab shows headers
        headers["x-footfall-rejected"] = outcome.rejected[0]["code"]
    return Response(PIXEL, media_type="image/gif", headers=headers)


async def keep_refused(parts: Parts, error: FootfallError, body: bytes, ip: str | None) -> None:
    """Keep what was refused as a whole: it may hold events, and its sender may be mended. Errors: TooManyRequests."""
    await parts.receiver.refuse_whole(_refusal(parts, error, body, ip))


def _refusal(parts: Parts, error: FootfallError, body: bytes, ip: str | None, key: Any = None) -> RejectedEvent:
    """Return the record of a refused body, which counts for its network. Errors: TooManyRequests.

    Shape:  key is what the body says about its site, who is then shown it; without one, the default site is.
    """
    now_ms = parts.clock()
    parts.receiver.limits.take_unread(ip, now_ms)
    return RejectedEvent(
        received_ms=now_ms,
        site=key if isinstance(key, str) and key in parts.sites else None,
        event_id=None,
        source=Source.PAGE,
        code=error.code,
        message=error.message,
        payload=scrub_payload(body[:MAX_KEPT_PAYLOAD_BYTES], ip, parts.settings.ip),
    )


def encode_outcome(outcome: Outcome) -> bytes:
    """Return the answer's JSON."""
    if outcome.accepted == 1 and not (outcome.duplicate or outcome.rejected or outcome.warnings):
        return _ONE_ACCEPTED
    return orjson.dumps(
        {
            "accepted": outcome.accepted,
            "duplicate": outcome.duplicate,
            "rejected": outcome.rejected,
            "warnings": outcome.warnings,
        }
    )


def _accepted_head(origin: str | None) -> AnswerHead:
    """Return what all answers to an origin have in common."""
    if origin is not None and len(origin) > MAX_REMEMBERED_ORIGIN:
        return _make_accepted_head(origin)
    return _remember_accepted_head(origin)


def _make_accepted_head(origin: str | None) -> AnswerHead:
    return answer_head(200, {"content-type": "application/json", **cors_headers(origin)})


# most traffic comes from few origins
_remember_accepted_head = lru_cache(maxsize=256)(_make_accepted_head)


def _query(scope: Scope) -> dict[str, str]:
    """Return the query's parameters; the first of a name counts."""
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return dict(reversed(pairs))


def _from_query(query: Mapping[str, str], head: RequestHead) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (envelope, event) of a pixel: known names fill fields, all others are properties."""
    envelope: dict[str, Any] = {name: query[name] for name in _ENVELOPE_FIELDS if name in query}
    envelope["context"] = {name: query[name] for name in _CONTEXT_FIELDS if name in query}
    event: dict[str, Any] = {name: query[name] for name in _PIXEL_FIELDS if name in query}
    event["page"] = {name: query[name] for name in _PAGE_FIELDS if name in query}
    if "url" not in query and head.get(b"referer"):
        event["page"]["url"] = head.get(b"referer")  # the page that holds the image
    known = {*_ENVELOPE_FIELDS, *_CONTEXT_FIELDS, *_PIXEL_FIELDS, *_PAGE_FIELDS}
    event["props"] = {name: value for name, value in query.items() if name not in known}
    return envelope, event
