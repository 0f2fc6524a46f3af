"""One system event of the catalogue and the check of its attributes. Called for every event that arrives."""

from dataclasses import dataclass
from typing import Any

from server.errors import EventRejected
from server.events.attribute_checks import Check
from server.events.attributes import Attribute, Sender, Title
from server.events.model import Correction


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemEvent:
    """One of the events whose names start with `$`.

    Shape:  made_by says which part of the product sends it unasked, None when only the site does;
            server_added are the names which the pipeline takes from nobody's page and fills in itself;
            checks holds the function of each attribute, built once.
    """

    name: str
    group: str
    title: Title
    description: str
    sender: Sender
    made_by: str | None
    attributes: tuple[Attribute, ...]
    server_added: tuple[str, ...]
    has_parallel_lists: bool
    checks: tuple[tuple[Attribute, str, Check], ...]


def check_attributes(event: SystemEvent, props: dict[str, Any]) -> list[Correction]:
    """Check the listed attributes of an event and return what was corrected.

    Coerced, cut and default values are written into `props`; unlisted properties are never touched. A null
    counts as missing and stays null, unless the attribute is required or has a default.
    Errors: EventRejected (missing_attribute, wrong_type, invalid_value, list_lengths_differ); `props` is then
            as it came.
    """
    corrections: list[Correction] = []
    changes: dict[str, Any] = {}
    for attribute, name, check in event.checks:
        value = props.get(name)
        if value is None:
            if attribute.is_required:
                raise EventRejected("missing_attribute", f"{event.name} needs {name}")
            if attribute.default is not None:
                changes[name] = attribute.default
            continue
        checked = check(value, corrections)
        if checked is not value:
            changes[name] = checked
    if event.has_parallel_lists:
        _require_equal_lengths(event, changes)
    if changes:
        props.update(changes)
    return corrections


def _require_equal_lengths(event: SystemEvent, lists: dict[str, Any]) -> None:
    """Refuse parallel lists of different lengths: nobody could say which price belongs to which product.

    Shape:  lists are all that were sent: such an event has lists only, and a list check returns a new list.
    """
    if len({len(items) for items in lists.values()}) > 1:
        lengths = ", ".join(f"{name} {len(items)}" for name, items in lists.items())
        raise EventRejected("list_lengths_differ", f"the lists of {event.name} have different lengths: {lengths}")
