"""The catalogue of the system events, looked up by name. What it says is written in `catalogue.toml`.

Called by the pipeline, the API and the generators of documentation and types.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from server.events.attributes import Attribute, Title
from server.events.catalogue_file import CATALOGUE_PATH, parse_catalogue
from server.events.system_event import SystemEvent, check_attributes

__all__ = ["Attribute", "Catalogue", "SystemEvent", "Title", "check_attributes", "load_catalogue"]

_LONGEST_TYPO = 40
"""No known name is longer than 31 characters; far longer ones are no slips of the pen."""

_SIMILARITY = 0.75
"""As difflib measures it: `$message_sent` (0.93) finds `$message_sended`; `$form_submitted` finds nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All system events. Shape: events in the order of the file; groups maps a group's key to its title."""

    events: tuple[SystemEvent, ...]
    groups: Mapping[str, Title]
    by_name: Mapping[str, SystemEvent]

    def get(self, name: str) -> SystemEvent | None:
        """Return the event of exactly this name."""
        return self.by_name.get(name)

    def nearest(self, name: str) -> str | None:
        """Return the known name that an unknown one was meant to be: `$authorized` for `$authorised`."""
        return _nearest(name, tuple(self.by_name)) if len(name) <= _LONGEST_TYPO else None


@cache
def load_catalogue() -> Catalogue:
    """Return the packaged catalogue, read once. Errors: ValueError when the file contradicts itself."""
    groups, events = parse_catalogue(CATALOGUE_PATH.read_text(encoding="utf-8"))
    return Catalogue(events=events, groups=groups, by_name={event.name: event for event in events})


@lru_cache(maxsize=1024)
def _nearest(name: str, known: tuple[str, ...]) -> str | None:
    """Return the most similar name.

    Cached, because a site that invents a name sends it often; bounded, because strangers invent names too.
    """
    matches = difflib.get_close_matches(name.lower(), known, n=1, cutoff=_SIMILARITY)
    return matches[0] if matches else None
