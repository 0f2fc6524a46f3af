"""What a stored event says about who somebody is, and the events that follow from that. Pure; called by people.py."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID, uuid5

from server.enrich.campaign import UTM_NAMES
from server.events.head import Head
from server.events.model import Source, StoredEvent
from server.identity.merges import Change, Fact, Node
from server.identity.properties import SESSIONS
from server.storage.tombstones import MERGE

_NAMESPACE = UUID("6f0e3a52-7c1d-5c1b-9a55-0d1f4b6c2e11")
_CONTACTS = ("$name", "$email", "$phone")
_CHANGED = {"$name": "$name_changed", "$email": "$email_changed", "$phone": "$phone_changed"}
_SIGNED = frozenset({"$registered", "$authorized"})
_PUSH = {"$push_subscribed": True, "$push_unsubscribed": False}
FACT_NAMES = ("$identify", "$auth", MERGE, "$session_start", "$utm_hit", *sorted(_SIGNED), *_PUSH)
"""The events that may say something lasting by themselves; any other does where it names both visitor and user."""
_SAYING = frozenset(FACT_NAMES)
_OWN = ("id", "name", "source", "props")


def may_say(head: Head) -> bool:
    """Return whether an event can say anything about people: few do, and this is asked of all."""
    return head.name in _SAYING or head.user_id is not None


def fact_of(event: Mapping[str, Any]) -> Fact | None:
    """Return what an event says about its visitor and user; None when it says nothing that lasts.

    Shape:  event has the keys of COLUMNS that are known. An event that follows from another one says nothing new.
    """
    visitor_id, user_id = event.get("visitor_id") or None, event.get("user_id") or None  # an empty id is nobody's
    props = event.get("props") or {}
    if "$cause" in props:
        return None
    if event["name"] == MERGE:
        return _merge(event, props)
    if visitor_id is None and user_id is None:
        return None
    moment = (event["time"], event["id"])
    operations = _operations(event["name"], props)
    is_join = visitor_id is not None and user_id is not None
    if not operations and not is_join and event["name"] != "$identify":
        return None
    return Fact(
        moment=moment, visitor_id=visitor_id, user_id=user_id, operations=operations, is_pages=is_of_page(event)
    )


def is_of_page(event: Mapping[str, Any]) -> bool:
    """Return whether a page said it: anybody can who has the public key."""
    return event.get("source") == Source.PAGE


def least_event(site: str, fact: Fact) -> StoredEvent:
    """Return an event that says what a fact says, and nothing else: `fact_of` makes the fact of it.

    Shape:  the columns that have a value. An operation is never shown as an event.
    """
    time_ms, fact_id = fact.moment
    source = Source.PAGE if fact.is_pages else Source.SERVER
    event = {"id": fact_id, "site": site, "time": time_ms, "received_at": time_ms, "source": source.value}
    if fact.into is None:
        named = {"visitor_id": fact.visitor_id, "user_id": fact.user_id}
        known = {column: value for column, value in named.items() if value is not None}
        return {**event, **known, "name": "$identify", "props": {"operations": list(fact.operations)}}
    merged = fact.nodes()[0]
    props = {"$from": merged.id, "$from_kind": merged.kind, "$to": fact.into.id, "$to_kind": fact.into.kind}
    return {**event, "name": MERGE, "props": props}


def derive(event: Mapping[str, Any], change: Change, values: Mapping[str, Any]) -> Iterator[StoredEvent]:
    """Yield the events that a change brings about. Shape: values are the person's properties after it."""
    if change.merged is not None and event["name"] != MERGE:  # which says so itself
        source, target = change.merged
        named = {"$from": source.id, "$from_kind": source.kind, "$to": target.id, "$to_kind": target.kind}
        yield _follow(event, MERGE, named)
    person = change.person
    # a merge names both in its properties alone, and an event of nobody's would stay when they are erased
    whose = {f"{person.kind}_id": person.id} if event["name"] == MERGE else {}
    for key in change.changed:
        yield {**_follow(event, _CHANGED[key], {key: values[key]}), **whose}


def _follow(event: Mapping[str, Any], name: str, props: dict[str, Any]) -> StoredEvent:
    """Return an event whose id follows from its cause, so that doing it again makes no second one."""
    return {
        **{column: value for column, value in event.items() if column not in _OWN},
        "id": str(uuid5(_NAMESPACE, f"{event['site']}\n{event['id']}\n{name}")),
        "name": name,
        "source": Source.SERVER.value,
        "props": {**props, "$cause": event["id"]},
    }


def _merge(event: Mapping[str, Any], props: Mapping[str, Any]) -> Fact | None:
    source, target = props.get("$from"), props.get("$to")
    if not isinstance(source, str) or not isinstance(target, str) or not source or not target:
        return None
    into = Node("visitor" if props.get("$to_kind") == "visitor" else "user", target)
    moment = (event["time"], event["id"])
    if props.get("$from_kind") == "visitor":
        return Fact(moment=moment, visitor_id=source, into=into, is_pages=is_of_page(event))
    return Fact(moment=moment, user_id=source, into=into, is_pages=is_of_page(event))


def _operations(name: str, props: Mapping[str, Any]) -> list[Any]:
    if name == "$identify":
        operations = props.get("operations")
        return operations if isinstance(operations, list) else []
    if name in _SIGNED:
        return [_set(key, props[key]) for key in _CONTACTS if isinstance(props.get(key), str) and props[key]]
    if name == "$session_start":
        first = [_once(f"$initial_{key}", props.get(f"${key}")) for key in ("referrer", "referrer_domain")]
        return [{"op": "add", "key": SESSIONS, "value": 1}, *(each for each in first if each["value"])]
    if name == "$utm_hit":
        tags = {key: props.get(f"${key}") for key in UTM_NAMES}
        known = {key: value for key, value in tags.items() if isinstance(value, str) and value}
        return [
            *(_once(f"$initial_{key}", value) for key, value in known.items()),
            *(_set(f"$last_{key}", value) for key, value in known.items()),
        ]
    return [_set("$push_subscribed", _PUSH[name])] if name in _PUSH else []


def _set(key: str, value: Any) -> dict[str, Any]:
    return {"op": "update_or_create", "key": key, "value": value}


def _once(key: str, value: Any) -> dict[str, Any]:
    return {"op": "set_once", "key": key, "value": value}
