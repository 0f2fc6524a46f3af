"""`/api/users`: people, their properties and events. With the secret key; the dashboard reads them too."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from server.errors import BadRequest, NotFound
from server.events.model import Source
from server.identity.merges import Node
from server.identity.people_file import is_known
from server.identity.person import Person
from server.identity.properties import MAX_OPERATIONS, Properties, fault_of
from server.identity.visitor_ids import is_drawn
from server.ingest.beacon import Beacon
from server.ingest.uuid7 import uuid7
from server.reports.filters import Filter
from server.reports.users import UserQuery, all_events_of, describe_user, list_users
from server.sites import DEFAULT_SITE, Site
from server.storage.base import Store
from server.storage.tombstones import ErasedId
from server.web.answers import JsonAnswer
from server.web.events import answer_events
from server.web.hook_people import claim_visitors, contact_visitors
from server.web.queries import parts_of, people_of, person_of, read_filter, read_limit, store_of
from server.web.requests import read_json

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
PROPERTY_PREFIX = "props."


async def get_users(request: Request) -> Response:
    """Return people, by default those whom the site knows by an id or a contact, last seen first."""
    site = _site(request)  # first of all: without a key nothing else is looked at
    query = request.query_params
    limit = read_limit(query, DEFAULT_LIMIT, MAX_LIMIT)
    wanted = UserQuery(
        site=site,
        kind=query.get("kind") or "known",
        sort=query.get("sort") or "-last_seen",
        any_id=query.get("id") or None,
        text=query.get("q") or None,
        properties={
            name.removeprefix(PROPERTY_PREFIX): value
            for name, value in query.items()
            if name.startswith(PROPERTY_PREFIX)
        },
        limit=limit,
        cursor=query.get("cursor") or None,
    )
    users, following = await run_in_threadpool(_ask, request, wanted)
    return JsonAnswer({"users": users, "next": following})


async def get_user(request: Request) -> Response:
    """Return one person, by a user's or a visitor's id."""
    return JsonAnswer(await run_in_threadpool(_describe, request))


async def get_events(request: Request) -> Response:
    """Return one person's events: those of all their ids, also from before they were known."""
    wanted = read_filter(request)
    # the site whose person it is: others may know somebody else by the same id
    site = wanted.site or DEFAULT_SITE
    person = await run_in_threadpool(_known_person, request, site)
    return await answer_events(request, _of_person(replace(wanted, site=site), person))


async def get_export(request: Request) -> Response:
    """Return everything that is kept about one person as one JSON file."""
    wanted = Filter(site=_site(request))
    person = await run_in_threadpool(_known_person, request, _site(request))
    described = await run_in_threadpool(_describe, request)
    content = iterate_in_threadpool(_export_of(described, person, store_of(request), wanted))
    headers = {"content-disposition": 'attachment; filename="user.json"', "cache-control": "no-store"}
    return StreamingResponse(content, media_type="application/json", headers=headers)


async def post_properties(request: Request) -> Response:
    """Carry out operations on one person's properties; an unknown id, or a visitor's that is no UUID, becomes a user.

    Shape:  {"operations": [{"op", "key", "value"}, …]}, or {"properties": {…}}, which are set. The answer tells what
            they do to the properties as they are now; they are on disk when it is sent. What can never be carried out
            is not recorded: on its way it would be cut or refused, and be something else than the answer says.
    """
    site = parts_of(request).auth.site_of_key(request)
    operations = _operations(await _body(request))
    person = await run_in_threadpool(_meant_person, request, site.key, request.path_params["id"])
    subject = _subject(request.path_params["id"], person)
    result = Properties(dict(person.properties) if person else {}).apply(operations, (0, ""))
    await _record(request, site, {"name": "$identify", **subject, "props": {"operations": _possible(operations)}})
    return JsonAnswer(
        {
            "affected": result.affected,
            "not_changed": result.unchanged,
            "ignored": [
                {"index": each.index, "op": each.op, "key": each.key, "reason": each.reason} for each in result.ignored
            ],
        }
    )


async def post_merge(request: Request) -> Response:
    """Merge one person into another: {"into": id}. Their history joins; the id goes on to lead to the other.

    Shape:  an unknown `into` becomes a user, as does a visitor's that is no UUID.
    """
    site = parts_of(request).auth.site_of_key(request)
    into_id = (await _body(request)).get("into")
    if not isinstance(into_id, str) or not into_id:
        raise BadRequest("missing_into", "into is missing.", 'Send {"into": "<the id that stays>"}.')
    person = await run_in_threadpool(_meant_person, request, site.key, request.path_params["id"])
    if person is None:
        raise NotFound("unknown_user", "Nobody has this id.", "A visitor is merged by its id where that is a UUID.")
    into = await run_in_threadpool(_meant_person, request, site.key, into_id)
    target = into.node if into else Node("user", into_id)
    named = {"$from": person.node.id, "$from_kind": person.node.kind, "$to": target.id, "$to_kind": target.kind}
    is_needed = person.node != target
    if is_needed:
        await _record(request, site, {"name": "$user_merged", "props": named})
    return JsonAnswer({"merged": is_needed, "from": person.node.id, "into": target.id})


async def delete_user(request: Request) -> Response:
    """Erase one person everywhere: events, queue, rejected events, properties. Tombstones keep them from coming back.

    Shape:  answers when it is done, {"erased": how many events}. An id that nobody has is erased as well: it may be in
            an older backup, or on its way. Of a browser that was others' too, what it did while it was this person's.
            A user's id does not reach another's browser that is called the same.
            Which ids are theirs is asked when everything accepted before is moved: they may have joined just now.
    """
    parts = parts_of(request)
    owner = parts.auth.site_of_key(request)
    writer = parts.writer
    if writer is None:  # the routes that ask are not mounted in the role `collect`
        raise RuntimeError("this process has no writer")
    erased = await run_in_threadpool(writer.erase, owner.key, lambda: _ids_of(request, owner))
    return JsonAnswer({"erased": erased})


def _ask(request: Request, wanted: UserQuery) -> tuple[list[dict[str, Any]], str | None]:
    with people_of(parts_of(request)) as people:
        return list_users(people, wanted)


def _describe(request: Request) -> dict[str, Any]:
    site = _site(request)
    return describe_user(_known_person(request, site), store_of(request), site)


def _ids_of(request: Request, site: Site) -> list[ErasedId]:
    """Return all that is to be erased with the id in the path, each once; blocks shortly."""
    parts, person_id = parts_of(request), request.path_params["id"]
    person = person_of(request, site.key, person_id)
    ids = [ErasedId("user", person_id)]
    is_user = person is not None and person_id in person.user_ids
    if not is_user or not _is_visitor(request, site.key, person_id):  # a known one is among the person's, or another's
        ids.append(ErasedId("visitor", person_id))
    if person is not None:
        ids += [ErasedId("user", each) for each in person.user_ids]
        ids += [ErasedId("visitor", each) for each in contact_visitors(parts, site, person)]
        ids += [ErasedId("visitor", *span) for span in person.visitors]
    named = [each.id for each in ids if each.kind == "user"]
    ids += [ErasedId("visitor", each) for each in claim_visitors(parts, site, named)]
    return list(dict.fromkeys(ids))


def _is_visitor(request: Request, site: str, visitor_id: str) -> bool:
    with people_of(parts_of(request)) as people:
        return is_known(people, site, Node("visitor", visitor_id))


def _known_person(request: Request, site: str) -> Person:
    """Return the person whom the path names. Errors: NotFound."""
    person = person_of(request, site, request.path_params["id"])
    if person is None:
        raise NotFound("unknown_user", "Nobody has this id.", "Ids are those of users and of visitors, case and all.")
    return person


def _meant_person(request: Request, site: str, person_id: str) -> Person | None:
    """Return about whom something is said with an id, None for a user to come; blocks shortly."""
    person = person_of(request, site, person_id)
    is_user = person is not None and person_id in person.user_ids
    return person if is_user or is_drawn(person_id) else None


def _of_person(wanted: Filter, person: Person) -> Filter:
    return replace(wanted, user_id=None, visitor_id=None, person=person)


def _site(request: Request) -> str:
    """Return the site that is asked about; the dashboard names it. Errors: NotAuthorised, BadRequest."""
    return read_filter(request).site or DEFAULT_SITE


def _subject(person_id: str, person: Person | None) -> dict[str, str]:
    """Return how an event names a person: a visitor whom nobody knows as such, all others as users."""
    if person is not None and person.node.kind == "visitor":
        return {"visitor_id": person.node.id}
    return {"user_id": person.node.id if person is not None else person_id}


async def _body(request: Request) -> Mapping[str, Any]:
    value = await read_json(request)
    if not isinstance(value, dict):
        raise BadRequest("invalid_body", "The body is no JSON object.")
    return value


def _operations(body: Mapping[str, Any]) -> list[Any]:
    operations = body.get("operations")
    properties = body.get("properties")
    if operations is None and isinstance(properties, dict):
        operations = [{"op": "update_or_create", "key": key, "value": value} for key, value in properties.items()]
    if not isinstance(operations, list) or not operations:
        raise BadRequest(
            "missing_operations",
            "operations is missing.",
            'Send {"operations": [{"op": "add", "key": "visits", "value": 1}]} or {"properties": {"plan": "pro"}}.',
        )
    if len(operations) > MAX_OPERATIONS:
        raise BadRequest("too_many_operations", f"At most {MAX_OPERATIONS} at a time.", "Send them in parts.")
    return operations


def _possible(operations: list[Any]) -> list[dict[str, Any]]:
    """Return the operations that can be carried out, with nothing else in them than they need."""
    return [
        {"op": each["op"], "key": each["key"], **({} if each["op"] == "delete" else {"value": each["value"]})}
        for each in operations
        if fault_of(each) is None
    ]


async def _record(request: Request, site: Site, event: dict[str, Any]) -> None:
    """Have an event of the site's server stored. Errors: BadRequest when it is refused, Unavailable."""
    parts = parts_of(request)
    now = parts.clock()
    beacon = Beacon(site=site, source=Source.SERVER, received_ms=now, is_trusted=True)
    outcome = await parts.receiver.receive(beacon, [{"id": uuid7(now), **event}])
    if outcome.rejected:
        raise BadRequest(outcome.rejected[0]["code"], outcome.rejected[0]["message"])


def _export_of(described: dict[str, Any], person: Person, store: Store, wanted: Filter) -> Iterator[bytes]:
    """Yield one JSON object: what `get_user` tells, and `all_events`."""
    yield orjson.dumps(described)[:-1] + b',"all_events":['
    comma = b""
    for events in all_events_of(person, store, wanted):
        yield comma + b",".join(orjson.dumps(event) for event in events)
        comma = b","
    yield b"]}"
