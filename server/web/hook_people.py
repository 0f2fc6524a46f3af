"""Whom the notices of a webhook are about: the site's users where they can be told, else a visitor of their own.

A visitor stands for an address or number; without one for an id that nobody vouches for, or one of the vendor's. What
names nobody at all could never be erased.

Shape:  a notice names a user or a visitor, never both, so that no webhook joins the two: whoever types another's
        address into a vendor's form is told about under that address and becomes nobody.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress

from server.dialects.hooks.notice import Notice, Whom
from server.errors import EventRejected, Unavailable
from server.identity.contact_history import contacts_of
from server.identity.contacts import claim_visitor_id, contact_visitor_id, find_user, named_visitor_id
from server.identity.people_file import PEOPLE_FILE
from server.identity.person import Person
from server.ingest.pipeline import check_user_id
from server.sites import Site
from server.web.parts import Parts
from server.web.queries import people_of

RETRY_AFTER_S = 10

Identity = dict[str, str]


def find_people(parts: Parts, site: Site, notices: Sequence[Notice]) -> list[Identity]:
    """Return the fields that say whom each notice is about; blocks shortly.

    Errors: Unavailable when the file of people cannot be read now, or may hold who was erased; the vendor sends again.
    """
    known: dict[Whom, Identity] = {}
    unknown = [whom for whom in {notice.whom for notice in notices} if not _keep_told(known, whom)]
    if unknown and (parts.settings.data_dir / PEOPLE_FILE).exists():  # a process that only receives may be the first
        try:
            with people_of(parts) as people:
                for whom in unknown:
                    user_id = find_user(people, site.key, email=whom.email, phone=whom.phone)
                    if user_id is not None:
                        known[whom] = {"user_id": user_id}
        except sqlite3.Error as error:
            raise Unavailable(
                "people_unavailable", "Users cannot be told now.", "Send again.", retry_after_s=RETRY_AFTER_S
            ) from error
    return [known.get(notice.whom) or _visitor(parts, site, notice.whom) for notice in notices]


def contact_visitors(parts: Parts, site: Site, person: Person) -> list[str]:
    """Return the visitors under whom webhooks have told of a user's addresses and numbers when these were nobody's.

    Shape:  of all that the user has or had; of what another user has or had as well, none: it may be the other's.
    """
    if not person.user_ids:
        return []
    with people_of(parts) as people:
        contacts = sorted(contacts_of(people, site.key, person.node))
    found = []
    for key, contact in contacts:
        email, phone = (contact, None) if key == "$email" else (None, contact)
        found.append(contact_visitor_id(parts.keys.cookie_key, site.key, email=email, phone=phone))
    return [visitor_id for visitor_id in found if visitor_id is not None]


def claim_visitors(parts: Parts, site: Site, user_ids: Iterable[str]) -> list[str]:
    """Return the visitors under whom came together what names these users, and nobody else, without a proof."""
    return [claim_visitor_id(parts.keys.cookie_key, site.key, each) for each in user_ids]


def _keep_told(known: dict[Whom, Identity], whom: Whom) -> bool:
    """Note the user whom the site itself has named to the vendor; return whether nobody has to be looked for."""
    if whom.user_id is not None:
        try:
            known[whom] = {"user_id": check_user_id(whom.user_id)}
        except EventRejected:  # what programs say for nobody
            return not (whom.email or whom.phone)
        return True
    return not (whom.email or whom.phone)


def _visitor(parts: Parts, site: Site, whom: Whom) -> Identity:
    key = parts.keys.cookie_key
    visitor_id = contact_visitor_id(key, site.key, email=whom.email, phone=whom.phone)
    if visitor_id is None and whom.claimed_id is not None:
        with suppress(EventRejected):  # what programs say for nobody
            visitor_id = claim_visitor_id(key, site.key, check_user_id(whom.claimed_id))
    if visitor_id is None and whom.vendor_ids:
        visitor_id = named_visitor_id(key, site.key, *whom.vendor_ids[0])
    return {} if visitor_id is None else {"visitor_id": visitor_id}
