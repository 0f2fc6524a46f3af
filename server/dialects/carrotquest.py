"""Carrot quest's Web API: what its calls mean, and the answers that its callers expect. Pure; called by web.

    POST /v1/users/{id}/events   event, params, created                          -> one event
    POST /v1/users/{id}/props    operations                                      -> $identify
    GET  /v1/users/{id}/events   filter_name, after, count                       <- the user's events, newest first
    All: auth_token, app, by_user_id (the id is the site's own, not a visitor's), _nonce (names the call)

Every answer is {"meta": {"status", …}, "data": …}; ids are texts. Source: developers.carrotquest.io/webapi, where it
leaves things open our own rules hold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import orjson

from server.dialects.event_ids import derive_id
from server.dialects.plain import plain
from server.errors import BadRequest
from server.events.wire import MAX_NAME_LENGTH, decode, read_instant
from server.identity.properties import MAX_OPERATIONS, Properties, fault_of

DEFAULT_COUNT = 20
MAX_COUNT = 50

_DIALECT = "carrotquest"
_FALSE = frozenset({"", "0", "false"})

Json = dict[str, Any]
Parameters = Mapping[str, Any]


class CallError(Exception):
    """A call that is answered with an error. Shape: name is one of the API's; fields say what is wrong with which."""

    def __init__(
        self, status: int, name: str, message: str, *, fields: Json | None = None, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.name = name
        self.message = message
        self.fields = fields or {}
        self.retry_after_s = retry_after_s


def invalid(field: str, message: str) -> CallError:
    """Return the error for a parameter that is missing or wrong."""
    return CallError(400, "ValidationError", f"{field}: {message}", fields={field: [message]})


def unknown_user(user_id: str) -> CallError:
    """Return the error for an id that nobody has."""
    return CallError(400, "LookupError", f"There is no user {user_id[:64]!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCall:
    """One event to store. Shape: created_ms is None unless the caller back-dates it. Units: milliseconds, UTC."""

    name: str
    props: Json
    created_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListCall:
    """A question for a user's events. Shape: after is `next_after` of the answer before."""

    name: str | None
    after: str | None
    count: int


def read_event_call(parameters: Parameters) -> EventCall:
    """Return the event that a call wants stored. Errors: CallError."""
    name = parameters.get("event")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_LENGTH:
        raise invalid("event", f"a text of 1 to {MAX_NAME_LENGTH} characters")
    props = _json(parameters, "params")
    if props is None:
        props = {}
    if not isinstance(props, dict):
        raise invalid("params", "a dictionary")
    return EventCall(name=name, props=props, created_ms=_instant(parameters, "created"))


def read_operations(parameters: Parameters) -> list[Any]:
    """Return the operations that a call wants carried out, as they came. Errors: CallError."""
    operations = _json(parameters, "operations")
    if not isinstance(operations, list) or not operations:
        raise invalid("operations", 'a list such as [{"op": "update_or_create", "key": "$name", "value": "Ann"}]')
    if len(operations) > MAX_OPERATIONS:
        raise invalid("operations", f"at most {MAX_OPERATIONS}")
    return operations


def read_list_call(parameters: Parameters) -> ListCall:
    """Return what a call asks for. Errors: CallError."""
    given = parameters.get("count")
    text = str(DEFAULT_COUNT if given in {None, ""} else given) if not isinstance(given, list | dict) else ""
    if not (text.isascii() and text.isdecimal() and len(text) < 5 and 1 <= int(text) <= MAX_COUNT):  # noqa: PLR2004
        raise invalid("count", f"a whole number from 1 to {MAX_COUNT}")
    name, after = parameters.get("filter_name"), parameters.get("after")
    for field, value in (("filter_name", name), ("after", after)):
        if value is not None and not isinstance(value, str):
            raise invalid(field, "a text")
    return ListCall(name=name or None, after=after or None, count=int(text))


def read_flag(parameters: Parameters, name: str) -> bool:
    """Return a truth value: any spelling of "false", 0, null and nothing are false, everything else is true."""
    value = parameters.get(name)
    return bool(value) and not (isinstance(value, str) and value.strip().lower() in _FALSE)


def call_id(nonce: Any, site: str, user_id: str, part: str) -> str | None:
    """Return the event id of a call that names itself: the same call again is the same event."""
    return derive_id(_DIALECT, site, f"{user_id}\n{nonce}", part) if isinstance(nonce, str) and nonce else None


def carry_out(operations: Sequence[Any], properties: Mapping[str, Any]) -> tuple[list[Any], Json]:
    """Return (the operations that can be carried out, what all of them do to these properties).

    Shape:  affected_props and not_changed_props are keys; ignored_operations are the operations with their reason.
    """
    possible = [each for each in operations if fault_of(each) is None]
    result = Properties(dict(properties)).apply(operations, (0, ""))
    ignored = [
        {
            **{name: operation.get(name) for name in ("op", "key", "value") if isinstance(operation, dict)},
            "reason": each.reason,
        }
        for each in result.ignored
        for operation in (operations[each.index],)
    ]
    return possible, {
        "affected_props": result.affected,
        "not_changed_props": result.unchanged,
        "ignored_operations": ignored,
    }


def answer(data: Any, **meta: Any) -> Json:
    """Return the envelope of a call that went well."""
    return {"meta": {"status": 200, **meta}, "data": data}


def error_answer(error: CallError) -> Json:
    """Return the envelope of one that did not."""
    meta = {"status": error.status, "error": error.name, "error_message": error.message, "error_fields": error.fields}
    return {"meta": meta, "data": {}}


def event_json(event: Mapping[str, Any], user_id: str, *, props_as_string: bool = False) -> Json:
    """Return an event as the API shows it. Shape: event has id, name, time (RFC 3339 or milliseconds) and props."""
    name, props = event["name"], event["props"]
    ms = event["time"] if isinstance(event["time"], int) else read_instant(event["time"]) or 0
    return {
        "id": event["id"],
        # whole seconds, and the fraction only where there is one
        "created": ms // 1000 if ms % 1000 == 0 else ms / 1000,
        "type": {
            "id": derive_id(_DIALECT, "", name, "type"),
            "name": name,
            "score": 0,
            "visible": True,
            "active": True,
        },
        "user": user_id,
        "props": orjson.dumps(props).decode() if props_as_string else props,
    }


def _json(parameters: Parameters, name: str) -> Any:
    """Return a parameter that is JSON: in forms as a text. Errors: CallError."""
    value = parameters.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        return value
    try:
        return plain(decode(value.encode())[0])
    except BadRequest as error:
        raise invalid(name, "no JSON") from error


def _instant(parameters: Parameters, name: str) -> int | None:
    value = parameters.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            number = float(value)
            value = number if isfinite(number) else None
        except ValueError:
            pass  # then it may be RFC 3339
    found = read_instant(value)
    if found is None:
        raise invalid(name, "seconds since the epoch, or RFC 3339")
    return found
