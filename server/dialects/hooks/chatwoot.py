"""Chatwoot: conversations that visitors start, what they write, and what is resolved.

    conversation_created         $conversation_user_started, unless an agent has written first
    message_created              $message_replied, of messages that visitors write
    conversation_status_changed  $conversation_part_group_closed, to `resolved`

Source: Chatwoot's "Webhook events"; from 4.11.2 `X-Chatwoot-Signature: sha256=<hex>`, HMAC-SHA256 of
        `<X-Chatwoot-Timestamp>.<body>`. Older ones sign nothing: there the secret stands in the address (`?token=`).
"""

from collections.abc import Callable
from typing import Any

from server.dialects.hooks.notice import (
    MAX_BODY_LENGTH,
    UNKNOWN_TYPE,
    Ignored,
    Json,
    Notice,
    Told,
    Whom,
    at,
    ids_at,
    instant_at,
    joined_id,
    text_at,
)
from server.dialects.hooks.signatures import Call, Claim, is_hmac, is_token

WINDOW_S = 300  # as its makers say; each try is signed anew
_INCOMING = ("incoming", 0)
_OUTGOING = ("outgoing", 1)
_WIDGET = "Channel::WebWidget"
_BY_AGENT = Ignored("not_by_visitor", "No visitor has written this.")
_NOT_RESOLVED = Ignored("not_resolved", "The conversation was not resolved.")


def read_claim(call: Call, _payload: Any) -> Claim:
    """Return the proof of a call. A signature that is there must hold, whatever the address says."""
    proof = call.headers.get("x-chatwoot-signature")
    sent_at = call.headers.get("x-chatwoot-timestamp", "")
    if proof is None:
        return Claim(proofs=[call.query.get("token", "")])
    message = sent_at.encode() + b"." + call.body
    return Claim(proofs=[proof.lower().removeprefix("sha256=")], message=message, sent_at=sent_at)


def is_chatwoot(claim: Claim, secret: str) -> bool:
    """Return whether a call is signed, or carries the secret where nothing is signed."""
    return is_token(claim, secret) if claim.sent_at is None else is_hmac(claim, secret)


def translate(payload: Any) -> list[Told]:
    """Return what a call tells."""
    event = at(payload, "event")
    translator = _TRANSLATORS.get(event) if isinstance(event, str) else None
    return [UNKNOWN_TYPE if translator is None else translator(payload)]


def _started(conversation: Any) -> Told:
    messages = at(conversation, "messages")
    first = messages[0] if isinstance(messages, list) and messages else None
    if at(first, "message_type") in _OUTGOING:
        return _BY_AGENT
    props = {"$conversation_id": text_at(conversation, "id"), "$body": _body(first)}
    return _notice("$conversation_user_started", conversation, conversation, props, which="started")


def _written(message: Any) -> Told:
    if at(message, "message_type") not in _INCOMING or at(message, "private") is True:
        return _BY_AGENT
    conversation = at(message, "conversation")
    props = {
        "$message_id": text_at(message, "id"),
        "$conversation_id": text_at(conversation, "id"),
        "$type": "popup_chat" if at(conversation, "channel") == _WIDGET else None,
        "$body": _body(message),
    }
    return _notice("$message_replied", message, conversation, props, which="written")


def _changed(conversation: Any) -> Told:
    if at(conversation, "status") != "resolved":
        return _NOT_RESOLVED
    props = {"$conversation_id": text_at(conversation, "id")}
    # a conversation may be opened again and resolved again
    changed_at = at(conversation, "updated_at")
    which = f"resolved {changed_at}" if changed_at is not None else None
    return _notice("$conversation_part_group_closed", conversation, conversation, props, which=which)


_TRANSLATORS: dict[str, Callable[[Any], Told]] = {
    "conversation_created": _started,
    "message_created": _written,
    "conversation_status_changed": _changed,
}


def _notice(name: str, thing: Any, conversation: Any, props: Json, *, which: str | None) -> Notice:
    """Return a notice. Shape: thing, a conversation or message, has the id; which says what happened to it."""
    inbox = text_at(conversation, "inbox_id") or "-"  # conversations are numbered anew in each account
    contact = at(conversation, "meta", "sender") or at(thing, "sender")
    marks = (at(conversation, "contact_inbox", "hmac_verified"), at(conversation, "meta", "hmac_verified"))
    is_verified = any(mark is True for mark in marks)
    # a page may call its visitor what it likes; only the site's own signature makes that a user
    identifier = text_at(contact, "identifier")
    when = "updated_at" if name == "$conversation_part_group_closed" else "created_at"
    return Notice(
        name=name,
        foreign_id=joined_id(inbox, which, text_at(thing, "id"), otherwise=thing),
        props={key: value for key, value in props.items() if value is not None},
        whom=Whom(
            user_id=identifier if is_verified else None,
            email=text_at(contact, "email"),
            phone=text_at(contact, "phone_number"),
            claimed_id=None if is_verified else identifier,
            vendor_ids=ids_at(contact, {"chatwoot contact": ("id",)}),
        ),
        time_ms=instant_at(thing, when),
    )


def _body(message: Any) -> str | None:
    content = text_at(message, "content")
    return content[:MAX_BODY_LENGTH] if content else None
