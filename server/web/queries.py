"""What GET requests of the API say in their query: filters, numbers, instants. Wrong ones are errors, not guesses."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from starlette.requests import Request

from server.errors import BadRequest, Unavailable
from server.events.wire import read_instant
from server.identity.people_file import PEOPLE_FILE, read_people
from server.identity.person import Person, find_person
from server.reports.filters import Filter
from server.storage.base import Store
from server.web.parts import Parts

MAX_POSITION = 2**63 - 1  # SQLite's largest number


def parts_of(request: Request) -> Parts:
    """Return the running parts of the application that answers."""
    parts: Parts = request.app.state.parts
    return parts


def store_of(request: Request) -> Store:
    """Return the store that answers questions. Errors: Unavailable while it may hold who was erased."""
    parts = parts_of(request)
    store = parts.store
    if store is None:  # the routes that ask are not mounted in the role `collect`
        raise RuntimeError("this process has no store")
    require_paid(parts)
    return store


@contextmanager
def people_of(parts: Parts) -> Iterator[sqlite3.Connection]:
    """Return the file of people for one question. Errors: Unavailable as of `store_of`, sqlite3.Error."""
    require_paid(parts)
    with read_people(parts.settings.data_dir / PEOPLE_FILE) as people:
        yield people


def require_paid(parts: Parts) -> None:
    """Let nobody see who was erased. Errors: Unavailable while that may be possible."""
    if parts.owed is not None and not parts.owed.is_paid:
        raise Unavailable("erasing", "Who was erased is being removed.", retry_after_s=1)


def read_filter(request: Request, *, with_bots: bool = True, sees_all: bool = False) -> Filter:
    """Return the filter of a question. Errors: NotAuthorised, BadRequest.

    Shape:  a site's secret key sees its own site only; asking for another is an error of `Auth`. sees_all says that
            whoever asks has shown that they may read every site.
    """
    own_site = None if sees_all else parts_of(request).auth.readable_site(request)
    query = request.query_params
    return Filter(
        site=own_site or query.get("site") or None,
        name=query.get("name") or None,
        visitor_id=query.get("visitor_id") or None,
        user_id=query.get("user_id") or None,
        session_id=query.get("session_id") or None,
        since_ms=read_time(query, "since"),
        until_ms=read_time(query, "until"),
        with_bots=with_bots,
    )


def read_with_bots(request: Request) -> bool:
    """Return whether `bots` asks for the events of bots too. Errors: BadRequest."""
    bots = request.query_params.get("bots", "")
    if bots not in {"", "include"}:
        raise BadRequest("bad_bots", "bots is `include`, or left out.")
    return bots == "include"


def person_of(request: Request, site: str, person_id: str) -> Person | None:
    """Return whom an id belongs to; blocks shortly. Errors: Unavailable as of `store_of`."""
    with people_of(parts_of(request)) as people:
        return find_person(people, site, person_id)


def with_person(request: Request, wanted: Filter) -> Filter:
    """Return a filter in which a user's id stands for all events of that person, on each site that is asked about.

    An id that a site does not know so far stands for itself there. Blocks shortly.
    """
    user_id = wanted.user_id
    if user_id is None:
        return wanted
    sites = parts_of(request).sites if wanted.site is None else [wanted.site]
    with people_of(parts_of(request)) as people:
        found = {site: find_person(people, site, user_id) for site in sites}
    return replace(wanted, people={site: each for site, each in found.items() if each and user_id in each.user_ids})


def read_time(query: Mapping[str, str], name: str) -> int | None:
    """Return an instant of the query, in milliseconds. Errors: BadRequest."""
    text = query.get(name)
    if not text:
        return None
    found = read_instant(float(text) if text.isdecimal() else text)
    if found is None:
        raise BadRequest(f"bad_{name}", f"{name} is no instant.", "Use RFC 3339, for example 2026-11-23T14:00:00Z.")
    return found


def read_whole(text: str, largest: int) -> int | None:
    """Return a whole number from 0 to the largest, None for anything else, however long it is.

    The length is looked at first: reading thousands of digits takes long, and is an error of its own.
    """
    if len(text) > len(str(largest)) or not text.isascii() or not text.isdecimal():
        return None
    found = int(text)
    return found if found <= largest else None


def read_position(cursor: str) -> int:
    """Return the number that a cursor is, of questions that go on from one. Errors: BadRequest."""
    found = read_whole(cursor, MAX_POSITION)
    if found is None:
        raise BadRequest("bad_cursor", "cursor is not one of this API's.", "Use `next` of an earlier answer as it is.")
    return found


def read_limit(query: Mapping[str, str], default: int, largest: int) -> int:
    """Return `limit`. Errors: BadRequest."""
    found = read_whole(query.get("limit", str(default)), largest)
    if not found:
        raise BadRequest("bad_limit", f"limit is a whole number from 1 to {largest}.")
    return found


def read_names(query: Mapping[str, str], name: str, default: str) -> list[str]:
    """Return a list of names that commas separate."""
    return [each.strip() for each in query.get(name, default).split(",") if each.strip()]
