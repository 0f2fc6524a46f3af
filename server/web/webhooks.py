"""`/api/webhooks`: which of a site's events are sent where. With the secret key."""

import sqlite3
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from server.errors import BadRequest, NotFound, TooManyRequests
from server.events.wire import MAX_NAME_LENGTH, decode, write_instant
from server.ingest.uuid7 import uuid7
from server.outgoing import subscriptions as kept
from server.outgoing.cloud_event import encode_test_event
from server.outgoing.outbox import Outbox
from server.outgoing.outbox_file import ALL_NAMES, State, Subscription
from server.outgoing.sender import Sender
from server.outgoing.target import BadTarget, read_target
from server.web.answers import JsonAnswer
from server.web.queries import parts_of
from server.web.requests import RequestHead, read_body

MAX_NAMES = 100
MAX_TESTS = 4
MAX_LOOKUPS = 4
_STATES: dict[bool, State] = {True: "active", False: "paused"}
_testing = threading.BoundedSemaphore(MAX_TESTS)
_looking_up = threading.BoundedSemaphore(MAX_LOOKUPS)
T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]


async def post_webhook(request: Request) -> Response:
    """Make a subscription: {"url", "events"}. The answer is the one that tells the secret."""
    parts = parts_of(request)
    site = parts.auth.site_of_key(request).key
    body = await read_object(request, {"url", "events"})
    names = _names(body.get("events"))
    url = await _checked_url(request, body.get("url"))
    made = await change_outbox(
        request, lambda database: kept.add_subscription(database, site, url, names, parts.clock())
    )
    if made is None:
        raise BadRequest("too_many_webhooks", f"A site has at most {kept.MAX_SUBSCRIPTIONS} webhooks.", "Delete one.")
    return JsonAnswer({**_told(made, 0, 0), "secret": made.secret}, status_code=201)


async def get_webhooks(request: Request) -> Response:
    """Return a site's subscriptions, the oldest first."""
    site = parts_of(request).auth.site_of_key(request).key
    counts = await read_outbox(request, kept.count_deliveries)
    found = [each for each in _outbox(request).subscriptions() if each.site == site]
    return JsonAnswer({"webhooks": [_told(each, *counts.get(each.id, (0, 0))) for each in found]})


async def get_webhook(request: Request) -> Response:
    """Return one subscription."""
    found = await find_webhook(request)
    counts = await read_outbox(request, kept.count_deliveries)
    return JsonAnswer(_told(found, *counts.get(found.id, (0, 0))))


async def patch_webhook(request: Request) -> Response:
    """Change a subscription: {"url", "events", "active"}, each of them or all. Its line is tried at once."""
    subscription = await find_webhook(request)
    body = await read_object(request, {"url", "events", "active"})
    is_active = body.get("active")
    if is_active is not None and not isinstance(is_active, bool):
        raise BadRequest("bad_active", "active is true or false.")
    change = kept.Change(
        url=await _checked_url(request, body["url"]) if "url" in body else None,
        names=_names(body["events"]) if "events" in body else None,
        state=None if is_active is None else _STATES[is_active],
    )
    await change_outbox(request, lambda database: kept.change_subscription(database, subscription, change))
    return await get_webhook(request)


async def delete_webhook(request: Request) -> Response:
    """Remove a subscription with everything that waits for it."""
    subscription = await find_webhook(request)
    await change_outbox(request, lambda database: kept.remove_subscription(database, subscription))
    return JsonAnswer({"deleted": subscription.id})


async def post_secret(request: Request) -> Response:
    """Replace a subscription's secret; for a day the old one signs as well."""
    subscription = await find_webhook(request)
    now = parts_of(request).clock()
    secret = await change_outbox(request, lambda database: kept.replace_secret(database, subscription, now))
    return JsonAnswer({"secret": secret})


async def post_test(request: Request) -> Response:
    """Send a test event now and tell what the target answered; it is neither queued nor tried again.

    Shape:  a line that pauses is tried at once when the test has arrived.
    """
    subscription = await find_webhook(request)
    now = parts_of(request).clock()
    event_id = uuid7(now)
    body = encode_test_event(subscription.site, event_id, now)
    if not _testing.acquire(blocking=False):
        raise TooManyRequests("too_many_tests", f"At most {MAX_TESTS} tests at a time.", retry_after_s=15)
    try:
        outcome = await run_in_threadpool(_sender(request).attempt, subscription, event_id, body)
    finally:
        _testing.release()
    if outcome.has_arrived:
        await change_outbox(request, lambda database: kept.end_pause(database, subscription))
    told = {"id": event_id, "delivered": outcome.has_arrived, "status": outcome.status, "error": outcome.error}
    return JsonAnswer(told)


async def find_webhook(request: Request) -> Subscription:
    """Return the subscription that the path names. Errors: NotAuthorised, NotFound."""
    site = parts_of(request).auth.site_of_key(request).key
    named = request.path_params["id"]
    found = await read_outbox(request, lambda database: kept.find_subscription(database, site, named))
    if found is None:
        raise NotFound("unknown_webhook", "The site has no such webhook.", "See GET /api/webhooks.")
    return found


async def change_outbox(request: Request, work: Work[T]) -> T:
    """Return what a change of the outbox returns, once it is on disk."""

    def change() -> T:
        with _outbox(request).changing() as database:
            return work(database)

    return await run_in_threadpool(change)


async def read_outbox(request: Request, work: Work[T]) -> T:
    """Return the answer to a question to the outbox."""

    def read() -> T:
        with _outbox(request).reading() as database:
            return work(database)

    return await run_in_threadpool(read)


async def read_object(request: Request, known: set[str]) -> Mapping[str, Any]:
    """Return the body, an object of these names only. Errors: BadRequest, TooLarge."""
    value, _ = decode(await read_body(RequestHead(request.scope), request.receive))
    if not isinstance(value, dict) or not set(value) <= known:
        raise BadRequest("invalid_body", f"The body is a JSON object of {', '.join(sorted(known))}.")
    return value


def write_optional(ms: int | None) -> str | None:
    """Return an instant as text, or None."""
    return None if ms is None else write_instant(ms)


async def _checked_url(request: Request, url: Any) -> str:
    """Return an address that webhooks may go to. Errors: BadRequest, TooManyRequests.

    Few at a time ask a resolver: one that does not answer would hold every thread of the pool.
    """
    if not _looking_up.acquire(blocking=False):
        raise TooManyRequests("too_many_lookups", f"At most {MAX_LOOKUPS} addresses at a time.", retry_after_s=5)
    try:
        await run_in_threadpool(_sender(request).guard.pin, read_target(url))
    except BadTarget as error:
        raise BadRequest(error.code, error.message, "See docs/webhooks_out.md.") from error
    finally:
        _looking_up.release()
    return str(url)


def _names(given: Any) -> list[str]:
    """Return the names of the events that are wanted. Errors: BadRequest."""
    names = [given] if given == ALL_NAMES else given
    if not isinstance(names, list) or not 0 < len(names) <= MAX_NAMES or not all(map(_is_name, names)):
        raise BadRequest("bad_events", f'events is "*" or a list of 1 to {MAX_NAMES} event names.')
    return list(dict.fromkeys(names))


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME_LENGTH and value.isprintable()


def _told(subscription: Subscription, waiting: int, dead: int) -> dict[str, Any]:
    """Return what is told of a subscription; its secret is not."""
    plain = ("id", "site", "url", "state", "delivered", "failed", "dropped", "last_status", "last_error")
    return {
        **{name: getattr(subscription, name) for name in plain},
        "events": list(subscription.names),
        "created_at": write_instant(subscription.created_at),
        "last_attempt_at": write_optional(subscription.last_attempt_at),
        "waiting": waiting,
        "dead": dead,
    }


def _outbox(request: Request) -> Outbox:
    outbox = parts_of(request).outbox
    if outbox is None:  # the routes that ask are not mounted in the role `collect`
        raise RuntimeError("this process has no outbox")
    return outbox


def _sender(request: Request) -> Sender:
    sender = parts_of(request).sender
    if sender is None:  # as above
        raise RuntimeError("this process sends no webhooks")
    return sender
