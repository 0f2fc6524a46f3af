"""Event ids that follow from another format's own ids, so that a message sent twice is one event."""

from uuid import UUID, uuid5

_NAMESPACE = UUID("2c4a7be0-53d4-5f0e-8f5b-7d0c3f6a9e21")


def derive_id(dialect: str, site: str, foreign_id: str, part: str = "") -> str:
    """Return the id of the event that a message becomes.

    Shape:  a UUID, version 5. part tells apart several events of one message. Lone surrogates, which JSON lets in and
            UTF-8 does not, count as U+FFFD.
    """
    name = f"{dialect}\n{site}\n{foreign_id}\n{part}"
    return str(uuid5(_NAMESPACE, name.encode("utf-8", "replace").decode()))
