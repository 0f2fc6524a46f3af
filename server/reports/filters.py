"""Which events a question is about: the filters of the API as one `where` clause with named parameters."""

from dataclasses import dataclass
from typing import Any

from server.events.model import OPERATIONS

Sql = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Shape: None means any. Units: since_ms (inclusive) and until_ms (exclusive) are milliseconds, UTC."""

    site: str | None = None
    name: str | None = None
    visitor_id: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    with_bots: bool = True

    def where(self) -> Sql:
        """Return the clause (without the word `where`) and its parameters; operations are never shown."""
        clauses = [f"name not in ({', '.join(repr(name) for name in OPERATIONS)})"]
        parameters: dict[str, Any] = {}
        for column in ("site", "name", "visitor_id", "user_id", "session_id"):
            value = getattr(self, column)
            if value is not None:
                clauses.append(f"{column} = ${column}")
                parameters[column] = value
        if self.since_ms is not None:
            clauses.append("time >= epoch_ms($since_ms)")
            parameters["since_ms"] = self.since_ms
        if self.until_ms is not None:
            clauses.append("time < epoch_ms($until_ms)")
            parameters["until_ms"] = self.until_ms
        if not self.with_bots:
            clauses.append("bot is null")
        return " and ".join(clauses), parameters
