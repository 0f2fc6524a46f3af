"""Every address and number that users have ever had, by what was recorded of them. Called when somebody is erased.

Who had what is found by applying a world's facts one after another, as they made its people: what a browser had said of
itself goes to the user who took its history over, and to nobody who signed in there later.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from server.identity.contacts import plain_email, plain_phone
from server.identity.merges import Node, World, in_order
from server.identity.people_file import find_worlds, load_facts

Contact = tuple[str, str]
"""`$email` or `$phone`, and the address or number in the form in which it is compared."""

_PLAIN = {"$email": plain_email, "$phone": plain_phone}
_SETTING = frozenset({"update_or_create", "set_once"})
# a site's facts are read in one go: to erase somebody takes the store's whole length anyway
_WITH_CONTACTS = "select world, body from facts where site = ? and (instr(body, ?) or instr(body, ?))"


def contacts_of(database: sqlite3.Connection, site: str, user: Node) -> set[Contact]:
    """Return what this user has or had, and no other user has or had. Errors: sqlite3.Error.

    Shape:  a user is whom the id of one leads to: also a visitor into whom one was merged.
    """
    worlds = find_worlds(database, site, [user])
    if not worlds:
        return set()
    world = worlds[0]
    had = _had_in(database, world)
    own = had.pop(user, set())
    for number in _worlds_with(database, site, own) - {world}:
        had |= _had_in(database, number)  # no two worlds have anybody in common
    return own.difference(*had.values())


def _worlds_with(database: sqlite3.Connection, site: str, contacts: set[Contact]) -> set[int]:
    """Return the worlds in which any of these was said of somebody."""
    keys = [orjson.dumps(key) for key in _PLAIN]
    rows = database.execute(_WITH_CONTACTS, (site, *keys)) if contacts else ()
    return {world for world, body in rows if not contacts.isdisjoint(_contacts_in(orjson.loads(body)[-1]))}


def _had_in(database: sqlite3.Connection, number: int) -> dict[Node, set[Contact]]:
    """Return what the users of a world have or had."""
    world = World()
    had: dict[Node, set[Contact]] = defaultdict(set)
    for fact in in_order(load_facts(database, number)):
        before = {world.person_of(node) for node in fact.nodes()}
        person = world.apply(fact).person
        for gone in before - world.people.keys():
            if gone in had:
                had[world.person_of(gone)] |= had.pop(gone)
        had[person].update(_contacts_in(fact.operations))
    users = {person for node, person in world.belongings().items() if node.kind == "user"}
    return {person: contacts for person, contacts in had.items() if person in users}


def _contacts_in(operations: Iterable[Any]) -> Iterator[Contact]:
    """Yield what operations set; one that could not be carried out sets nothing that can be compared."""
    for each in operations:
        if not isinstance(each, Mapping) or each.get("op") not in _SETTING:
            continue
        key = each.get("key")
        if key in _PLAIN and (plain := _PLAIN[key](_text_of(each.get("value")))):
            yield key, plain


def _text_of(value: Any) -> str:
    """Return a text or number as text, nothing for anything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
