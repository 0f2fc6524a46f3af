"""What could not be accepted: one event, or one whole request, with its reason and original payload."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

REJECTED_KEPT_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedEvent:
    """One rejection.

    Shape:  payload is the original JSON (cut at 64 KiB), as it was sent; context is what its request told beside it
            (see replay_context.py), None where it cannot be replayed or needs none.
    Units:  received_ms is milliseconds since the epoch, UTC.
    """

    received_ms: int
    site: str | None
    event_id: str | None
    source: str
    code: str
    message: str
    payload: bytes
    context: bytes | None = None

    def row(self) -> tuple[Any, ...]:
        """Return the columns of the table `rejected`, without its number."""
        return (
            self.received_ms,
            self.site,
            self.event_id,
            self.source,
            self.code,
            self.message,
            self.payload,
            self.context,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedFilter:
    """Which rejected events. None means any.

    Shape:  ids are numbers (`rejected_id`) or event ids; before is the number to go on from; the site `default` also
            sees what named no known site.
    Units:  since_ms (inclusive) and until_ms (exclusive) are about the receipt, in milliseconds, UTC.
    """

    site: str | None = None
    code: str | None = None
    ids: Sequence[str | int] | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    before: int | None = None


def select_rejected(database: sqlite3.Connection, wanted: RejectedFilter, limit: int) -> list[dict[str, Any]]:
    """Return rows by column, newest first. Errors: sqlite3.Error."""
    conditions: dict[str, tuple[str | int, ...] | None] = {
        "(site = ? or (site is null and ? = 'default'))": None if wanted.site is None else (wanted.site,) * 2,
        "code = ?": None if wanted.code is None else (wanted.code,),
        "received_at >= ?": None if wanted.since_ms is None else (wanted.since_ms,),
        "received_at < ?": None if wanted.until_ms is None else (wanted.until_ms,),
        "seq < ?": None if wanted.before is None else (wanted.before,),
    }
    if wanted.ids is not None:
        marks = ", ".join("?" * len(wanted.ids)) or "null"
        conditions[f"(seq in ({marks}) or event_id in ({marks}))"] = (*wanted.ids, *wanted.ids)
    chosen = {clause: values for clause, values in conditions.items() if values is not None}
    where = " and ".join(chosen) or "true"
    sql = f"select * from rejected where {where} order by seq desc limit ?"  # noqa: S608 - the texts above
    database.row_factory = sqlite3.Row
    rows = database.execute(sql, [*(value for values in chosen.values() for value in values), limit])
    return [dict(row) for row in rows]
