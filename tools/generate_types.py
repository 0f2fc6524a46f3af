"""Derives the TypeScript types of `tracker.track` from the catalogue: types only, nothing for the bundle."""

from server.events.attributes import Attribute, AttributeType
from server.events.catalogue import Catalogue, SystemEvent

_HEAD = """\
// Generated from server/events/catalogue.toml by `make generate`: change that file instead.

/** An attribute that may be left out. */
type Optional<T> = T | null | undefined;

/** The properties of an event that a site invents, and the further ones of a system event: all are kept. */
export type Props = { [name: string]: unknown };

/**
 * The system events that a page may send, each with its attributes. Those that only a server may send are
 * missing on purpose; an attribute of type `never` is filled in by the server.
 */
export interface SystemEvents {
"""

_TAIL = """\
}

/** What `track` takes with a name: the attributes of a page's system event; anything with a name without `$`. */
export type PropsOf<Name extends string> = Name extends keyof SystemEvents
  ? SystemEvents[Name]
  : Name extends `$${string}`
    ? never
    : Props;

/** The attributes that the catalogue knows of an event, without the index of what else is kept. */
type Known<Name extends string> = keyof {
  [Key in keyof PropsOf<Name> as string extends Key ? never : Key]: unknown;
};

/** Forbids what begins with `$` and is no attribute of the event: it is misspelt. */
type Exact<Name extends string, Given> = Name extends keyof SystemEvents
  ? { [Key in Exclude<keyof Given & `$${string}`, Known<Name>>]: never }
  : unknown;

/** The arguments of `track` after the name: they can be left out when no attribute is required. */
export type TrackArguments<Name extends string, Given = PropsOf<Name>> =
  Record<never, never> extends PropsOf<Name>
    ? [props?: Given & Exact<Name, Given>]
    : [props: Given & Exact<Name, Given>];
"""

_VALUE_TYPES = {
    AttributeType.TEXT: "string",
    AttributeType.INTEGER: "number",
    AttributeType.ID: "string | number",
    AttributeType.LIST_OF_TEXT: "readonly Optional<string>[]",
    AttributeType.LIST_OF_INTEGER: "readonly Optional<number>[]",
}


def event_types(catalogue: Catalogue) -> str:
    """Return the whole of `catalogue.ts`."""
    events = (_event_type(event) for event in catalogue.events if event.sender == "page")
    return _HEAD + "".join(events) + _TAIL


def _event_type(event: SystemEvent) -> str:
    comment = f"  /** {event.title.en}: {event.description[0].lower()}{event.description[1:]} */\n"
    if not event.attributes:
        return f"{comment}  {event.name}: Props;\n"
    attributes = "".join(f"    {_attribute_type(attribute)};\n" for attribute in event.attributes)
    return f"{comment}  {event.name}: Props & {{\n{attributes}  }};\n"


def _attribute_type(attribute: Attribute) -> str:
    if attribute.added_by == "server":
        return f"{attribute.name}?: never"
    value = _VALUE_TYPES.get(attribute.type) or _enum_type(attribute)
    return f"{attribute.name}: {value}" if attribute.is_required else f"{attribute.name}?: Optional<{value}>"


def _enum_type(attribute: Attribute) -> str:
    """Return the union of the values; an open list keeps its suggestions by an intersection, not a bare string."""
    values = [f'"{value}"' for value in attribute.values]
    return " | ".join([*values, "(string & Record<never, never>)"] if attribute.allows_other_values else values)
