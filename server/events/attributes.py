"""What the catalogue says about one attribute of an event: data, which `attribute_checks.py` applies."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Sender = Literal["page", "server"]
"""Who may send an event: `page` also the public key; `server` only the secret key, a webhook, the product."""

AddedBy = Literal["sender", "server"]
"""Who fills an attribute in: whoever sends the event, or always Footfall itself."""


class AttributeType(StrEnum):
    """What a value may be, in the words of `catalogue.toml`."""

    TEXT = "text"
    INTEGER = "integer"
    ID = "id"
    ENUM = "enum"
    LIST_OF_TEXT = "list_of_text"
    LIST_OF_INTEGER = "list_of_integer"


LIST_TYPES = frozenset({AttributeType.LIST_OF_TEXT, AttributeType.LIST_OF_INTEGER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """A short name for people, in the two languages of the dashboard."""

    en: str
    ru: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One listed attribute of one event.

    Shape:  name as on the wire, with its `$`; values only for ENUM; default is stored when the attribute is
            missing; example is a value that passes its own check unchanged.
    Units:  max_length in characters (code points); None is unlimited here.
    """

    name: str
    type: AttributeType
    title: Title
    example: object
    max_length: int | None = None
    values: tuple[str, ...] = ()
    allows_other_values: bool = False
    default: str | None = None
    is_required: bool = False
    added_by: AddedBy = "sender"
