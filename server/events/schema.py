"""The catalogue as JSON Schema (draft 2020-12), for `GET /api/catalogue`.

A schema describes an event's `props` as they are stored. Props that fit are accepted without a correction (but
for the open list of `$type`), and whatever `check_attributes` lets through fits afterwards. What is accepted
and corrected on the way ("12" for 12, a number for a text, one product for a list of one) is left out on
purpose: a schema that also took the repaired forms would stop helping the people who read it. JSON Schema
cannot say that the parallel lists of `$cart_viewed` have one length; the event's description does.
"""

from typing import Any

from server.events.attribute_checks import MAX_INTEGER
from server.events.attributes import Attribute, AttributeType
from server.events.catalogue import Catalogue
from server.events.system_event import SystemEvent

DIALECT = "https://json-schema.org/draft/2020-12/schema"

JsonSchema = dict[str, Any]

_INTEGER_RANGE = {"minimum": -MAX_INTEGER, "maximum": MAX_INTEGER}


def catalogue_json(catalogue: Catalogue) -> dict[str, Any]:
    """Return the answer of `GET /api/catalogue`: every event with its titles, sender and schema."""
    return {"events": [_event_json(event) for event in catalogue.events]}


def json_schema(event: SystemEvent) -> JsonSchema:
    """Return the schema of the event's `props`. Shape: `x-title-ru` beside each English `title`."""
    schema: JsonSchema = {
        "$schema": DIALECT,
        "title": event.title.en,
        "x-title-ru": event.title.ru,
        "description": event.description,
        "type": "object",
        "properties": {attribute.name: _attribute_schema(attribute) for attribute in event.attributes},
        "additionalProperties": True,
    }
    if required := [attribute.name for attribute in event.attributes if attribute.is_required]:
        schema["required"] = required
    return schema


def _event_json(event: SystemEvent) -> dict[str, Any]:
    return {
        "name": event.name,
        "group": event.group,
        "title": {"en": event.title.en, "ru": event.title.ru},
        "description": event.description,
        "sender": event.sender,
        "made_by": event.made_by,
        "schema": json_schema(event),
    }


def _attribute_schema(attribute: Attribute) -> JsonSchema:
    """Return what a stored value looks like, with titles, an example and who fills it in."""
    schema = _value_schema(attribute)
    schema |= {
        "title": attribute.title.en,
        "x-title-ru": attribute.title.ru,
        "examples": [attribute.example],
    }
    if attribute.default is not None:
        schema["default"] = attribute.default
    if attribute.added_by == "server":
        schema["readOnly"] = True
    return schema


def _value_schema(attribute: Attribute) -> JsonSchema:
    """Return the schema of the value alone: null where the attribute may be missing and is not filled in."""
    or_null = not attribute.is_required and attribute.default is None
    match attribute.type:
        case AttributeType.TEXT:
            length = {} if attribute.max_length is None else {"maxLength": attribute.max_length}
            return _typed("string", or_null=or_null) | length
        case AttributeType.ID:
            return _typed("string", or_null=or_null)
        case AttributeType.INTEGER:
            return _typed("integer", or_null=or_null) | _INTEGER_RANGE
        case AttributeType.ENUM:
            return _enum_schema(attribute, or_null=or_null)
        case AttributeType.LIST_OF_TEXT:
            return _typed("array", or_null=or_null) | {"items": _typed("string", or_null=True)}
        case AttributeType.LIST_OF_INTEGER:
            items = _typed("integer", or_null=True) | _INTEGER_RANGE
            return _typed("array", or_null=or_null) | {"items": items}


def _enum_schema(attribute: Attribute, *, or_null: bool) -> JsonSchema:
    """Return the list of values; where others are kept too, as the suggestion beside any text."""
    values: list[str | None] = list(attribute.values)
    if attribute.allows_other_values:
        return {"anyOf": [{"enum": values}, _typed("string", or_null=or_null)]}
    return {"enum": [*values, None] if or_null else values}


def _typed(name: str, *, or_null: bool) -> JsonSchema:
    return {"type": [name, "null"] if or_null else name}
