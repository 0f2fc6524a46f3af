"""Which events a question is about: the filters of the API as one `where` clause with named parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from server.events.model import OPERATIONS
from server.identity.person import Person

Sql = tuple[str, dict[str, Any]]

# a visitor's spans do not overlap: only the last that begins before an event can have it. A clause for each span was
# looked through for each event (measured: 20,000 of them 5 s with no event at all)
_IN_SPANS = """
select event from (
    select rowid as event, visitor_id, time from events
    where user_id is null and visitor_id in (select unnest(${prefix}_shared::varchar[]))
) as seen asof join (
    select unnest(${prefix}_shared::varchar[]) as visitor_id,
           coalesce(epoch_ms(unnest(${prefix}_since::bigint[])), '-infinity') as since,
           coalesce(epoch_ms(unnest(${prefix}_until::bigint[])), 'infinity') as until
) as span on seen.visitor_id = span.visitor_id and seen.time >= span.since
where seen.time < span.until
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What is asked for; None means any.

    Shape:  a person has the events of all their ids. people, by site, are those whom the user's id leads to: there it
            stands for the person, elsewhere for itself.
    Units:  since_ms (inclusive) and until_ms (exclusive) are milliseconds, UTC.
    """

    site: str | None = None
    name: str | None = None
    visitor_id: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    person: Person | None = None
    people: Mapping[str, Person] = field(default_factory=dict)
    since_ms: int | None = None
    until_ms: int | None = None
    with_bots: bool = True

    def where(self) -> Sql:
        """Return the clause (without the word `where`) and its parameters; operations are never shown."""
        clauses = [f"name not in ({', '.join(repr(name) for name in OPERATIONS)})"]
        parameters: dict[str, Any] = {}
        for column in ("site", "name", "visitor_id", "session_id"):
            value = getattr(self, column)
            if value is not None:
                clauses.append(f"{column} = ${column}")
                parameters[column] = value
        if self.user_id is not None:
            clause, more = _of_user(self.user_id, self.people)
            clauses.append(clause)
            parameters |= more
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


def _of_user(user_id: str, people: Mapping[str, Person]) -> Sql:
    """Return the clause for what a user did on each site: the person's events where the site knows one by the id."""
    parameters: dict[str, Any] = {"user_id": user_id}
    itself, persons = ["user_id = $user_id"], []
    for number, (site, person) in enumerate(people.items()):
        name = f"person{number}"
        clause, more = _of_person(person, name)
        parameters |= {f"{name}_site": site, **more}
        itself.append(f"site <> ${name}_site")
        persons.append(f"site = ${name}_site and {clause}")
    return f"({' or '.join(f'({each})' for each in (' and '.join(itself), *persons))})", parameters


def _of_person(person: Person, prefix: str = "person") -> Sql:
    """Return the clause for one person's events: what names them, and what their browsers did while theirs.

    Shape:  the names of the parameters begin with prefix.
    """
    whole, spans = [], []
    for visitor_id, since, until in person.visitors:
        if since is None and until is None:
            whole.append(visitor_id)
        elif since is None or until is None or since < until:
            spans.append((visitor_id, since, until))
    parameters: dict[str, Any] = {f"{prefix}_users": list(person.user_ids), f"{prefix}_visitors": whole}
    visited = f"visitor_id in (select unnest(${prefix}_visitors::varchar[]))"
    if spans:
        for number, name in enumerate(("shared", "since", "until")):
            parameters[f"{prefix}_{name}"] = [span[number] for span in spans]
        visited += f" or rowid in ({_IN_SPANS.format(prefix=prefix)})"
    users = f"user_id in (select unnest(${prefix}_users::varchar[]))"
    return f"({users} or (user_id is null and ({visited})))", parameters
