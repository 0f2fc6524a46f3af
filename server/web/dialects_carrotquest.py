"""`/v1/users/…`: Carrot quest's Web API, for the programs that its customers have. With the secret key.

The id in the path is a visitor's, unless `by_user_id` says that it is the site's own. A visitor whom nobody has seen is
a LookupError; what was acknowledged before counts as seen.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from server.dialects.carrotquest import (
    CallError,
    answer,
    call_id,
    carry_out,
    error_answer,
    event_json,
    invalid,
    read_event_call,
    read_flag,
    read_list_call,
    read_operations,
    unknown_user,
)
from server.errors import BadRequest, EventRejected, FootfallError, NotAuthorised, TooManyRequests
from server.events.model import Source
from server.identity.person import Person
from server.ingest.beacon import Beacon
from server.ingest.receive import Outcome, refuse
from server.ingest.replay_context import encode_context
from server.ingest.uuid7 import uuid7
from server.reports.events import list_events
from server.reports.filters import Filter
from server.sites import Site
from server.web.answers import JsonAnswer
from server.web.auth import key_of
from server.web.forms import find_values, read_parameters
from server.web.id_route import IdRoute
from server.web.parts import Parts
from server.web.queries import parts_of, person_of, store_of
from server.web.requests import ClientGone, RequestHead, read_body

LOOK_AGAIN_S = 2.0
OWN_APP = "$self_app"
NAME_HEADER = "idempotency-key"
_SCHEME = "token "
_TOKEN = "auth_token"  # noqa: S105 - the name of one
_FIELDS = {
    "bad_name": "event",
    "bad_time": "created",
    "bad_user_id": "id",
    "bad_id": "_nonce",
}  # of other codes: params

Json = dict[str, Any]
Parameters = Mapping[str, Any]


class _Call:
    """One authorised call: its site, its parameters, and whom it is about."""

    def __init__(self, request: Request, site: Site, parameters: Parameters) -> None:
        self.request = request
        self.site = site
        self.parameters = parameters
        self.user_id: str = request.path_params["id"]
        self.is_own_id = read_flag(parameters, "by_user_id")

    async def find(self, *, is_latest: bool = False) -> Person | None:
        """Return whom the id belongs to.

        Shape: what was acknowledged before this call is waited for, shortly: where the latest is wanted, else only
               when nobody is found.
        """
        found = None if is_latest else await run_in_threadpool(self._look)
        writer = parts_of(self.request).writer
        if found is None and writer is not None:
            await run_in_threadpool(writer.wait_until_idle, LOOK_AGAIN_S)
            found = await run_in_threadpool(self._look)
        return found

    def _look(self) -> Person | None:
        found = person_of(self.request, self.site.key, self.user_id)
        return found if found is None or not self.is_own_id or self.user_id in found.user_ids else None

    def event_id(self, part: str) -> str:
        """Return the id of the call's event, which follows from the call's own name where it has one."""
        nonce = self.parameters.get("_nonce") or self.request.headers.get(NAME_HEADER)
        return call_id(nonce, self.site.key, self.user_id, part) or uuid7(parts_of(self.request).clock())

    async def record(self, event: Json, source: Source, person: Person | None) -> Outcome:
        """Have an event about the call's user stored; return its verdict once it is on disk.

        Errors: CallError when it is refused, also for a visitor nobody has seen; then it is kept with the rejected
                events, and can be replayed when the visitor is known. Unavailable.
        """
        parts = parts_of(self.request)
        is_user = self.is_own_id or (person is not None and self.user_id in person.user_ids)
        event = {**event, "user_id" if is_user else "visitor_id": self.user_id}
        beacon = Beacon(
            site=self.site,
            source=source,
            received_ms=parts.clock(),
            is_trusted=True,
            is_odd=True,  # percent-decoding lets in what JSON would have to escape
        )
        if person is None and not is_user:
            error = EventRejected("unknown_user", "There is no visitor of this id.")
            policy = parts.settings.ip
            await parts.receiver.refuse_whole(refuse(beacon, event, error, policy, encode_context(beacon, policy)))
            raise unknown_user(self.user_id)
        outcome = await parts.receiver.receive(beacon, [event])
        if outcome.rejected:
            code, message = outcome.rejected[0]["code"], outcome.rejected[0]["message"]
            raise invalid(_FIELDS.get(code, "params"), message)
        return outcome


async def _post_event(call: _Call) -> Json:
    """Store one event; `created` marks it as back-dated: it is stored as an import."""
    wanted = read_event_call(call.parameters)
    person = None if call.is_own_id else await call.find()
    now = parts_of(call.request).clock()
    time_ms = now if wanted.created_ms is None else min(wanted.created_ms, now)
    event = {"id": call.event_id("event"), "name": wanted.name, "time": time_ms, "props": wanted.props}
    source = Source.SERVER if wanted.created_ms is None else Source.IMPORT
    outcome = await call.record(event, source, person)
    told = event_json(event, call.user_id, props_as_string=read_flag(call.parameters, "props_as_string"))
    return answer(told, **_already_done(outcome))


async def _post_props(call: _Call) -> Json:
    """Carry out operations, as far as they can be, and tell what they do to the properties as they are now."""
    wanted = read_operations(call.parameters)
    person = await call.find(is_latest=True)
    operations, told = carry_out(wanted, person.properties if person else {})
    if not operations and person is not None:
        return answer(told, **told)
    event = {"id": call.event_id("props"), "name": "$identify", "props": {"operations": operations}}
    outcome = await call.record(event, Source.SERVER, person)
    return answer(told, **told, **_already_done(outcome))


def _already_done(outcome: Outcome) -> Json:
    return {"already_done": True} if outcome.duplicate else {}


async def _get_events(call: _Call) -> Json:
    """Return a user's events, newest first."""
    wanted = read_list_call(call.parameters)
    person = await call.find()
    if person is None:
        raise unknown_user(call.user_id)
    filtered = Filter(site=call.site.key, name=wanted.name, person=person)
    try:
        events, after = await run_in_threadpool(
            list_events, store_of(call.request), filtered, wanted.count, wanted.after
        )
    except BadRequest as error:
        raise invalid("after", error.message) from error
    as_string = read_flag(call.parameters, "props_as_string")
    shown = [event_json(event, call.user_id, props_as_string=as_string) for event in events]
    return answer(shown, next_after=after)


def _endpoint(perform: Callable[[_Call], Awaitable[Json]]) -> Callable[[Request], Awaitable[Response]]:
    """Return the route's function: the envelope round one call, whatever becomes of it."""

    async def take(request: Request) -> Response:
        try:
            return JsonAnswer(await perform(await _read(request)))
        except CallError as error:
            return _refusal(request, error)
        except FootfallError as error:
            return _refusal(request, _named(error))
        except ClientGone:
            parts_of(request).accounts.refused_requests["client_gone"] += 1
            return Response(status_code=400)  # nobody reads it

    return take


async def _read(request: Request) -> _Call:
    """Return the call. Errors: CallError, FootfallError, ClientGone."""
    parts, head = parts_of(request), RequestHead(request.scope)
    content_type = head.get(b"content-type") or ""
    # the key first: what is nobody's must cost no more than its bytes
    token = _token_of(request, head)
    if token:
        site = _site_of(parts, token)
        body = await read_body(head, request.receive)
    else:
        body = await read_body(head, request.receive)
        _require_key(parts, content_type, body)
    parameters = read_parameters(request.query_params, content_type, body)
    if not token:
        site = _site_of(parts, parameters.get(_TOKEN))
    app = parameters.get("app")
    if app not in (None, "", OWN_APP, site.key):
        raise CallError(403, "PermissionDeniedError", f"This token is of the site {site.key!r} only.")
    return _Call(request, site, parameters)


def _token_of(request: Request, head: RequestHead) -> str | None:
    """Return the token that stands before the body: the header's, else the query's."""
    header = (head.get(b"authorization") or "").strip()
    given = header[len(_SCHEME) :].strip() if header.lower().startswith(_SCHEME) else key_of(header)
    return given or request.query_params.get(_TOKEN)


def _require_key(parts: Parts, content_type: str, body: bytes) -> None:
    """Refuse a body that holds no secret key, at the price of a search. Errors: CallError."""
    found = list(find_values(_TOKEN, content_type, body))
    if not any(parts.auth.find_site(token) for token in found):
        _site_of(parts, found[-1] if found else None)


def _site_of(parts: Parts, token: Any) -> Site:
    """Return the site whose secret key the token is. Errors: CallError."""
    if not isinstance(token, str) or not token:
        raise CallError(401, "NotAuthenticated", "auth_token is missing: send the site's secret key.")
    site = parts.auth.find_site(token)
    if site is not None:
        return site
    if token in parts.sites:
        raise CallError(403, "PermissionDeniedError", "The site's public key may not do this: send its secret key.")
    raise CallError(401, "NotAuthenticated", "auth_token is no site's secret key.")


def _named(error: FootfallError) -> CallError:
    """Return one of our errors under the API's names."""
    name = "BadRequest" if error.status < 500 else f"Error{error.status}"  # noqa: PLR2004 - RFC 9110
    if isinstance(error, NotAuthorised):
        name = "NotAuthenticated"
    elif isinstance(error, TooManyRequests):
        name = "TooManyRequests"
    return CallError(error.status, name, error.message, retry_after_s=error.retry_after_s)


def _refusal(request: Request, error: CallError) -> Response:
    parts_of(request).accounts.refused_requests[error.name] += 1
    headers = {} if error.retry_after_s is None else {"retry-after": str(error.retry_after_s)}
    return JsonAnswer(error_answer(error), status_code=error.status, headers=headers)


routes: list[BaseRoute] = [
    IdRoute(path + slash, _endpoint(perform), methods=[method])
    for path, perform, method in (
        ("/v1/users/{id}/events", _post_event, "POST"),
        ("/v1/users/{id}/events", _get_events, "GET"),
        ("/v1/users/{id}/props", _post_props, "POST"),
    )
    for slash in ("", "/")
]
