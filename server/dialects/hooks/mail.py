"""What the services that send e-mail have in common: the attributes of `$message_…`. Called by their modules."""

from typing import Any

from server.dialects.hooks.notice import Json, Notice, Whom, text_at

USER_ID = "user_id"
"""What a site calls its own id of the recipient in the data that it hands to the service with each message."""


def message_notice(name: str, foreign_id: str, message: Json, whom: Whom, time_ms: int | None) -> Notice:
    """Return something that happened to an e-mail. Shape: message is its props, without those that all have."""
    props = {"$type": "email", **message}
    if whom.email is not None:
        props["email"] = whom.email
    known = {key: value for key, value in props.items() if value is not None}
    return Notice(name=name, foreign_id=foreign_id, props=known, whom=whom, time_ms=time_ms)


def recipient(own_data: Any, email: str | None) -> Whom:
    """Return whom a message went to. Shape: own_data is what the site handed over with it, and so vouches for."""
    return Whom(user_id=text_at(own_data, USER_ID), email=email)


def first_text(value: Any) -> str | None:
    """Return a text, or the first of a list of them: what services take as a message's tag."""
    if isinstance(value, list):
        value = next(iter(value), None)
    return value if isinstance(value, str) and value else None
