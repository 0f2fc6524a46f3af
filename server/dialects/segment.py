"""Segment's HTTP Tracking API: one request's messages, and the events that they become.

    track     an event of that name; the names of Segment's shop specification become ours (segment_shop.py)
    page      $page_view
    screen    Screen Viewed
    identify  $identify with the traits as operations (segment_traits.py)
    group     Group Joined, and the user's property group_id
    alias     $user_merged; of the message's own visitor to its user: $identify

Each message gets ids that follow from its messageId. What cannot be translated is refused, message by message.
Source: Segment's "HTTP Tracking API Source" and "Spec"; what its clients send, read in their code.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from server.dialects.event_ids import derive_id
from server.dialects.segment_context import CONTEXT_FIELDS, facts_of, page_of
from server.dialects.segment_shop import translate_shop
from server.dialects.segment_traits import operations_of
from server.errors import BadRequest, EventRejected
from server.events.wire import MAX_EVENTS
from server.identity.visitor_ids import is_drawn

KINDS = {"t": "track", "i": "identify", "p": "page", "s": "screen", "g": "group", "a": "alias"}
BATCHES = frozenset({"b", "batch", "import"})
IMPORT = "import"
SCREEN_VIEWED = "Screen Viewed"
GROUP_JOINED = "Group Joined"
MAX_ID_BITS = 64  # of an id that came as a number
CLAIM = "$claimed_user_id"
"""The attribute that keeps the user id of a message whose sender may not vouch for it."""

_DIALECT = "segment"
_CARRIER = "Footfall"  # integrations.Footfall.user_hash, as other chat tools name their signatures

Event = dict[str, Any]
Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request.

    Shape:  messages have what the batch says for all of them; originals, at the same places, are as they came, for
            keeping: of each message that is refused, what all share would be written out again. sent_at as it came.
    """

    messages: Sequence[Any]
    originals: Sequence[Any]
    sent_at: Any
    write_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sends. Shape: is_trusted as in Beacon; may_name_users lets a message's userId count as its user."""

    site: str
    is_trusted: bool
    may_name_users: bool


def is_kind(kind: str) -> bool:
    """Return whether there is such a path."""
    return kind in BATCHES or kind in KINDS or kind in KINDS.values()


def read_call(kind: str, body: Any) -> Call:
    """Return the messages of a body. Shape: kind is the path's last part. Errors: BadRequest."""
    if not isinstance(body, dict):
        raise BadRequest("invalid_body", "The body is no JSON object.", 'Send {"batch": [ … ]} or one message.')
    key = body.get("writeKey")
    write_key = key if isinstance(key, str) and key else None
    if kind not in BATCHES:
        message = {**body, "type": KINDS.get(kind, kind)}
        return Call(messages=[message], originals=[message], sent_at=body.get("sentAt"), write_key=write_key)
    originals = body.get("batch")
    if not isinstance(originals, list):
        raise BadRequest("invalid_body", "batch is not a list.", 'Send {"batch": [ … ]}.')
    messages, shared = originals, body.get("context")
    if isinstance(shared, dict) and shared and len(messages) <= MAX_EVENTS:  # more are refused as they are
        shared = {name: value for name, value in shared.items() if name in CONTEXT_FIELDS}
        messages = [_with_context(message, shared) for message in messages]
    sent_at = body.get("sentAt")
    if sent_at is None:
        sent_at = next((each["sentAt"] for each in messages if isinstance(each, dict) and each.get("sentAt")), None)
    return Call(messages=messages, originals=originals, sent_at=sent_at, write_key=write_key)


def translate(message: Any, sender: Sender) -> list[Event]:
    """Return the events that a message becomes, at least one. Errors: EventRejected."""
    if not isinstance(message, dict):
        raise EventRejected("bad_message", "A message is a JSON object.")
    kind = message.get("type")
    translator = _TRANSLATORS.get(kind) if isinstance(kind, str) else None
    if translator is None:
        raise EventRejected("unknown_type", f"type is one of {', '.join(_TRANSLATORS)}.")
    user_id, visitor_id = _id(message, "userId"), _id(message, "anonymousId")
    if user_id is None and visitor_id is None:
        raise EventRejected("missing_identity", "A message has a userId or an anonymousId.")
    shared = _shared(message, sender, user_id, visitor_id)
    events = [_complete(part, sender, message, shared) for part in translator(message)]
    if not sender.may_name_users and user_id is not None:
        for event in events:
            event["props"][CLAIM] = user_id
        events = _vouched(message, sender, shared, user_id) + events
    return events


def _with_context(message: Any, shared: Mapping[str, Any]) -> Any:
    if not isinstance(message, dict):
        return message
    own = message.get("context")
    return {**message, "context": {**shared, **own} if isinstance(own, dict) else shared}


def _shared(message: Message, sender: Sender, user_id: str | None, visitor_id: str | None) -> Event:
    """Return what all events of a message have in common."""
    shared: Event = {"visitor_id": visitor_id, "time": message.get("timestamp") or message.get("originalTimestamp")}
    if sender.may_name_users:
        shared["user_id"] = user_id
    if sender.is_trusted:
        shared |= facts_of(message)
    page = page_of(message)
    if page:
        shared["page"] = page
    return {name: value for name, value in shared.items() if value is not None}


def _complete(part: tuple[str, Event], sender: Sender, message: Message, shared: Event) -> Event:
    """Return a whole event. Shape: part is (what tells its id from its siblings', the event's own fields)."""
    which, own = part
    message_id = _id(message, "messageId")
    ids = {} if message_id is None else {"id": derive_id(_DIALECT, sender.site, message_id, which)}
    return {**ids, **shared, **own}


def _vouched(message: Message, sender: Sender, shared: Event, user_id: str) -> list[Event]:
    """Return the event that proves a page's userId, where its message carries the site's signature."""
    integrations = message.get("integrations")
    carried = integrations.get(_CARRIER) if isinstance(integrations, dict) else None
    signature = carried.get("user_hash") if isinstance(carried, dict) else None
    if signature is None:
        return []
    own = {"name": "$auth", "props": {"user_id": user_id, "hash": signature}}
    return [_complete(("auth", own), sender, message, shared)]


def _track(message: Message) -> list[tuple[str, Event]]:
    name, props = message.get("event"), _object(message, "properties")
    if isinstance(name, str):
        name, props = translate_shop(name, props)
    return [("", {"name": name, "props": props})]


def _page(message: Message) -> list[tuple[str, Event]]:
    props = _named(message)
    for known in ("url", "title", "referrer"):
        if isinstance(value := props.pop(known, None), str):
            props[f"${known}"] = value
    if "$url" in props:  # which has both
        props.pop("path", None)
        props.pop("search", None)
    return [("", {"name": "$page_view", "props": props})]


def _screen(message: Message) -> list[tuple[str, Event]]:
    return [("", {"name": SCREEN_VIEWED, "props": _named(message)})]


def _identify(message: Message) -> list[tuple[str, Event]]:
    operations = operations_of(_object(message, "traits"))
    return [("", {"name": "$identify", "props": {"operations": operations}})]


def _group(message: Message) -> list[tuple[str, Event]]:
    group_id = _id(message, "groupId")
    if group_id is None:
        raise EventRejected("missing_group_id", "group has a groupId.")
    props: Event = {"group_id": group_id}
    if traits := _object(message, "traits"):
        props["traits"] = traits
    operation = {"op": "update_or_create", "key": "group_id", "value": group_id}
    return [
        ("", {"name": GROUP_JOINED, "props": props}),
        ("user", {"name": "$identify", "props": {"operations": [operation]}}),
    ]


def _alias(message: Message) -> list[tuple[str, Event]]:
    previous, user_id = _id(message, "previousId"), _id(message, "userId")
    if previous is None or user_id is None:
        raise EventRejected("missing_previous_id", "alias has a previousId and a userId.")
    if previous == _id(message, "anonymousId"):
        return [("", {"name": "$identify", "props": {"operations": []}})]
    # previousId may be either's: said of both, it is true of the one that exists and harmless for the other; but a
    # visitor's id that can be guessed would lead whoever chooses it into the account
    kinds = ("visitor", "user") if is_drawn(previous) else ("user",)
    to = {"$to": user_id, "$to_kind": "user"}
    return [(kind, {"name": "$user_merged", "props": {"$from": previous, "$from_kind": kind, **to}}) for kind in kinds]


_TRANSLATORS: dict[str, Callable[[Message], list[tuple[str, Event]]]] = {
    "track": _track,
    "page": _page,
    "screen": _screen,
    "identify": _identify,
    "group": _group,
    "alias": _alias,
}


def _named(message: Message) -> Event:
    """Return the properties with the name and category that stand beside them."""
    props = _object(message, "properties")
    for field in ("name", "category"):
        if isinstance(value := message.get(field), str) and value:
            props.setdefault(field, value)
    return props


def _object(message: Message, field: str) -> Event:
    value = message.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise EventRejected("bad_props", f"{field} is a JSON object.")
    return dict(value)


def _id(message: Message, field: str) -> str | None:
    """Return an id as text; numbers are seen in the wild. Errors: EventRejected."""
    value = message.get(field)
    if value is None or (isinstance(value, str) and not value.strip("\x00")):  # NUL goes from every text later
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= MAX_ID_BITS:
        return str(value)
    if not isinstance(value, str):
        raise EventRejected("bad_id", f"{field} is a text.")
    return value
