"""Reads `catalogue.toml` into system events and refuses a file that contradicts itself.

The file is part of the package: a mistake in it is the programmer's, stops the start and says where it is.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, get_args

from server.events.attribute_checks import create_check
from server.events.attributes import LIST_TYPES, Attribute, AttributeType, Sender, Title
from server.events.system_event import SystemEvent

CATALOGUE_PATH = Path(__file__).with_name("catalogue.toml")

_ATTRIBUTE_KEYS = {"name", "type", "title", "example"}
_ATTRIBUTE_OPTIONS = {"max_length", "values", "allows_other_values", "default"}
_EVENT_KEYS = {"group", "title", "description", "sender"}
_EVENT_OPTIONS = {"made_by", "attributes", "required", "server_added", "parallel_lists"}


def parse_catalogue(text: str) -> tuple[dict[str, Title], tuple[SystemEvent, ...]]:
    """Return the titles of the groups and the events, both in the file's order.

    Errors: ValueError with the place and the mistake. TOML itself refuses a key that occurs twice.
    """
    tables = tomllib.loads(text)
    _check_keys("the file", tables, {"groups", "attributes", "events"}, set())
    groups = {key: _title(f"groups.{key}", table) for key, table in tables["groups"].items()}
    definitions = {key: _attribute(f"attributes.{key}", table) for key, table in tables["attributes"].items()}
    events = tuple(_event(name, table, groups, definitions) for name, table in tables["events"].items())
    used = {key for table in tables["events"].values() for key in table.get("attributes", ())}
    if unused := definitions.keys() - used:
        raise _mistake("attributes", f"used by no event: {_list(unused)}")
    return groups, events


def _attribute(where: str, table: dict[str, Any]) -> Attribute:
    _check_keys(where, table, _ATTRIBUTE_KEYS, _ATTRIBUTE_OPTIONS)
    _check_name(where, table["name"])
    if table["type"] not in set(AttributeType):
        raise _mistake(where, f"type is {table['type']!r}, not one of {_list(AttributeType)}")
    kind = AttributeType(table["type"])
    is_enum, is_text = kind is AttributeType.ENUM, kind is AttributeType.TEXT
    if is_enum != bool(table.get("values")) or ("allows_other_values" in table and not is_enum):
        raise _mistake(where, "values belong to the type enum, which needs them")
    if not is_text and table.keys() & {"max_length", "default"}:
        raise _mistake(where, "max_length and default belong to the type text")
    return Attribute(
        name=table["name"],
        type=kind,
        title=_title(where, table),
        example=table["example"],
        max_length=table.get("max_length"),
        values=tuple(table.get("values", ())),
        allows_other_values=table.get("allows_other_values", False),
        default=table.get("default"),
    )


def _event(
    name: str, table: dict[str, Any], groups: dict[str, Title], definitions: dict[str, Attribute]
) -> SystemEvent:
    where = f"events.{name}"
    _check_keys(where, table, _EVENT_KEYS, _EVENT_OPTIONS)
    _check_name(where, name)
    if table["group"] not in groups:
        raise _mistake(where, f"group is {table['group']!r}, not one of {_list(groups)}")
    if table["sender"] not in get_args(Sender):
        raise _mistake(where, f"sender is {table['sender']!r}, not one of {_list(get_args(Sender))}")
    attributes = _attributes_of(where, table, definitions)
    has_parallel_lists = table.get("parallel_lists", False)
    if has_parallel_lists and not all(attribute.type in LIST_TYPES for attribute in attributes):
        raise _mistake(where, "parallel_lists needs attributes that are lists")
    return SystemEvent(
        name=name,
        group=table["group"],
        title=_title(where, table),
        description=table["description"],
        sender=cast("Sender", table["sender"]),
        made_by=table.get("made_by"),
        attributes=attributes,
        server_added=tuple(attribute.name for attribute in attributes if attribute.added_by == "server"),
        has_parallel_lists=has_parallel_lists,
        checks=tuple((attribute, attribute.name, create_check(attribute)) for attribute in attributes),
    )


def _attributes_of(where: str, table: dict[str, Any], definitions: dict[str, Attribute]) -> tuple[Attribute, ...]:
    """Return the event's attributes: the shared definitions with what this event says about them."""
    keys: list[str] = table.get("attributes", [])
    required, server_added = set(table.get("required", ())), set(table.get("server_added", ()))
    if unknown := set(keys) - definitions.keys():
        raise _mistake(where, f"no such attribute definition: {_list(unknown)}")
    if strangers := (required | server_added) - set(keys):
        raise _mistake(where, f"required or server_added, but not among its attributes: {_list(strangers)}")
    names = [definitions[key].name for key in keys]
    if twice := {name for name in names if names.count(name) > 1}:
        raise _mistake(where, f"listed twice: {_list(twice)}")
    return tuple(
        replace(
            definitions[key],
            is_required=key in required,
            added_by="server" if key in server_added else "sender",
        )
        for key in keys
    )


def _title(where: str, table: dict[str, Any]) -> Title:
    title = table.get("title")
    if not isinstance(title, dict) or title.keys() != {"en", "ru"} or not all(title.values()):
        raise _mistake(where, "title needs en and ru")
    return Title(en=title["en"], ru=title["ru"])


def _check_name(where: str, name: str) -> None:
    if not name.startswith("$"):
        raise _mistake(where, f"the name {name!r} does not start with $")


def _check_keys(where: str, table: dict[str, Any], needed: set[str], optional: set[str]) -> None:
    if missing := needed - table.keys():
        raise _mistake(where, f"lacks {_list(missing)}")
    if unknown := table.keys() - needed - optional:
        raise _mistake(where, f"does not know {_list(unknown)}")


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _mistake(where: str, what: str) -> ValueError:
    return ValueError(f"{CATALOGUE_PATH.name}, {where}: {what}")
