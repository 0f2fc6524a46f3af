"""One request's events and what they share, and one event on its way. Made by web, changed by the pipeline."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from server.enrich.hints import Hints
from server.events.model import Correction, Source, StoredEvent
from server.sites import Site

MAX_WARNINGS = 20
"""How many corrections of one event are kept; a stranger's small body can hold a million odd values."""


@dataclass(slots=True, kw_only=True)  # not frozen: making a frozen one costs 4 µs more, for every request
class Beacon:
    """What all events of one request share.

    Shape:  is_trusted means that the request came with the secret key: it may set time, address, user agent
            and user; is_odd is the JSON reader's warning (see `wire.decode`); screen is what the first event's step
            has found for all others.
    Units:  received_ms and sent_ms are milliseconds since the epoch, UTC.
    """

    site: Site
    source: Source
    received_ms: int
    is_trusted: bool = False
    is_odd: bool = False
    sent_ms: int | None = None
    visitor_id: str | None = None
    user_id: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    hints: Hints = field(default_factory=Hints)
    context: Mapping[str, Any] = field(default_factory=dict)
    screen: Mapping[str, str | None] | None = None


@dataclass(slots=True)
class Draft:
    """One event on its way through the pipeline.

    Shape:  raw is what arrived, never changed; event is what will be stored, props its properties; corrections are
            the first MAX_WARNINGS, corrected counts all of them by their codes.
    """

    beacon: Beacon
    raw: Mapping[str, Any]
    event: StoredEvent
    props: dict[str, Any]
    corrections: list[Correction]
    corrected: dict[str, int] = field(default_factory=dict)

    def correct(self, code: str, message: str) -> None:
        """Note a correction; the answer lists it as a warning, unless there are too many."""
        self.corrected[code] = self.corrected.get(code, 0) + 1
        if len(self.corrections) < MAX_WARNINGS:
            self.corrections.append(Correction(code, message))
