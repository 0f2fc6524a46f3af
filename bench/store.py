"""A store of real events: what it takes on the disk, and one made large from it for the questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.contestants import FOOTFALL, start_contestant
from bench.history import grow_store
from bench.load import run_once
from bench.measure import CONNECTIONS
from bench.table import Row
from bench.traffic import RenewedTemplate, Stamps, session_templates

SESSIONS = 12_500
WAIT_S = 120.0
LIMIT = 0.25
FILE = "events.duckdb"


@dataclass(frozen=True, slots=True)
class StoreSize:
    """A store of as many events as were sent, every one different, after the server has closed it.

    Units: bytes for one event: on the disk; as `GET /api/export` writes it; as it was sent, in the request's body with
           its share of what the body says once for all its events.
    """

    events: int
    stored: float
    exported: float
    sent: float


def fill_store(folder: Path) -> StoreSize:
    """Have a server take in SESSIONS whole sessions, and close; return the store's size. Data stay in the folder."""
    templates = session_templates(SESSIONS)
    events = sum(template.events for template in templates)
    footfall = start_contestant(FOOTFALL, folder)
    try:
        block = run_once(footfall.port, templates, CONNECTIONS)
        if block.refusals or block.events != events:
            raise RuntimeError(f"{block.events} of {events} events were accepted: {block.refusals[:1]}")
        footfall.server.wait_until_stored(WAIT_S)
        export = footfall.server.get("/api/export?format=ndjson").body
        exported = len(export.splitlines())
        if exported != events:
            raise RuntimeError(f"{exported} of {events} events were exported")
        footfall.server.stop()
    finally:
        footfall.server.kill()
    stored = sum(path.stat().st_size for path in footfall.server.data_dir.glob(f"{FILE}*"))
    return StoreSize(events, stored / events, len(export) / events, _sent_bytes(templates) / events)


def enlarge_store(folder: Path, events: int, days: float) -> int:
    """Give the store that `fill_store` left a history; return how many events it holds."""
    return grow_store(folder / FOOTFALL / FILE, events, days)


def size_rows(size: StoreSize) -> list[Row]:
    """Return the lines of the table of ratios. The budget is judged by the exported JSON: what the store gives back."""
    by_export, by_wire = size.stored / size.exported, size.stored / size.sent
    what = f"store ÷ exported JSON, {size.events:,} events ({size.stored:.0f} ÷ {size.exported:.0f} bytes)"
    return [
        Row(what, f"{by_export:.2f}", "", f"≤ {LIMIT:g}", by_export <= LIMIT),
        Row(f"store ÷ JSON as it was sent ({size.sent:.0f} bytes)", f"{by_wire:.2f}"),
    ]


def _sent_bytes(templates: Sequence[RenewedTemplate]) -> int:
    stamps = Stamps()
    return sum(len(template.render(stamps).partition(b"\r\n\r\n")[2]) for template in templates)
