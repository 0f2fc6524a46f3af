"""Which events a question is about: the filters of the API as one `where` clause with named parameters."""

from dataclasses import dataclass
from typing import Any

from server.events.model import OPERATIONS
from server.identity.person import Person

Sql = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Shape: None means any; a person has the events of all their ids.

    Units: since_ms (inclusive) and until_ms (exclusive) are milliseconds, UTC.
    """

    site: str | None = None
    name: str | None = None
    visitor_id: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    person: Person | None = None
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
        if self.person is not None:
            clause, more = _of_person(self.person)
            clauses.append(clause)
            parameters |= more
        if self.since_ms is not None:
            clauses.append("time >= epoch_ms($since_ms)")
            parameters["since_ms"] = self.since_ms
        if self.until_ms is not None:
            clauses.append("time < epoch_ms($until_ms)")
            parameters["until_ms"] = self.until_ms
        if not self.with_bots:
            clauses.append("bot is null")
        return " and ".join(clauses), parameters


def _of_person(person: Person) -> Sql:
    """Return the clause for one person's events: what names them, and what their browsers did while theirs."""
    whole = [visitor_id for visitor_id, since, until in person.visitors if since is None and until is None]
    parameters: dict[str, Any] = {"person_users": list(person.user_ids), "person_visitors": whole}
    visited = ["visitor_id in (select unnest($person_visitors::varchar[]))"]
    for number, (visitor_id, since, until) in enumerate(person.visitors):
        if since is None and until is None:
            continue
        parameters[f"visitor{number}"] = visitor_id
        span = [f"visitor_id = $visitor{number}"]
        if since is not None:
            span.append(f"time >= epoch_ms($visitor{number}_since)")
            parameters[f"visitor{number}_since"] = since
        if until is not None:
            span.append(f"time < epoch_ms($visitor{number}_until)")
            parameters[f"visitor{number}_until"] = until
        visited.append(f"({' and '.join(span)})")
    users = "user_id in (select unnest($person_users::varchar[]))"
    return f"({users} or (user_id is null and ({' or '.join(visited)})))", parameters
