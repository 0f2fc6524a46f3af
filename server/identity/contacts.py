"""Whose an e-mail address or a phone number is, for what other services tell of it; and who stands for nobody's.

Only users count, whom the site knows by an id of its own: what an anonymous browser says of itself is nobody's address.
An address that two users have is neither's. To be told about is no sign-in: nothing of the user changes.
"""

import hashlib
import hmac
import re
import sqlite3

from server.events.wire import MAX_SAFE_INTEGER
from server.identity.people_file import PLAIN_EMAIL

_UPPER = re.compile("[A-Z]+")
_NO_DIGIT = re.compile(r"\D+")
_PREFIX = "contact-"
_ID_DIGITS = 32
_TWO = 2

# word by word as in the indexes of people_file.py; named, because the planner would rather read all users of the site
_BY_EMAIL = f"""
select id from people indexed by users_by_stripped_email where site = ? and kind = 'user'
and {PLAIN_EMAIL} = ? limit 2
"""  # noqa: S608 - a constant of the program
_BY_PHONE = """
select id from people indexed by users_by_phone where site = ? and kind = 'user'
and json_extract(cast(properties as text), '$."$phone"') in (?, ?, ?, ?) limit 2
"""


def find_user(database: sqlite3.Connection, site: str, *, email: str | None, phone: str | None) -> str | None:
    """Return the id of the one user who has this address, or else this number; None where it is nobody's or two's."""
    found: list[str] = []
    if email:
        found = [row[0] for row in database.execute(_BY_EMAIL, (site, plain_email(email)))]
    if not found and phone and (digits := plain_phone(phone)):
        found = [row[0] for row in database.execute(_BY_PHONE, (site, phone, digits, f"+{digits}", _number_of(digits)))]
    return found[0] if 0 < len(found) < _TWO else None


def contact_visitor_id(key: str, site: str, *, email: str | None, phone: str | None) -> str | None:
    """Return the visitor id under which what is told of an unknown address or number comes together.

    Shape:  as `named_visitor_id`; None without either.
    """
    if email and (plain := plain_email(email)):
        return named_visitor_id(key, site, "email", plain)
    if phone and (plain := plain_phone(phone)):
        return named_visitor_id(key, site, "phone", plain)
    return None


def claim_visitor_id(key: str, site: str, user_id: str) -> str:
    """Return the visitor id under which comes together what names this user, and nothing else, without a proof.

    Shape:  as `named_visitor_id`. It is not the user: only erasing the user reaches it.
    """
    return named_visitor_id(key, site, "claim", user_id)


def named_visitor_id(key: str, site: str, kind: str, name: str) -> str:
    """Return the visitor id that stands for a name.

    Shape:  kind says whose name it is, without a line's end. The id follows from it under the installation's own key: a
            stranger who knows the name cannot tell the id, and so cannot have its history.
    """
    message = f"contact\n{site}\n{kind}\n{name}".encode("utf-8", "replace")
    return _PREFIX + hmac.new(key.encode(), message, hashlib.sha256).hexdigest()[:_ID_DIGITS]


def _number_of(digits: str) -> int | None:
    """Return the number that a site may have said instead of these digits; None where no number is written so."""
    is_number = digits.isascii() and digits[0] != "0" and len(digits) <= len(str(MAX_SAFE_INTEGER))
    return int(digits) if is_number else None


def plain_email(email: str) -> str:
    """Return an address as it is compared: as `PLAIN_EMAIL` has it; SQLite's `lower` knows only ASCII."""
    return _UPPER.sub(lambda letters: letters[0].lower(), email.strip())


def plain_phone(phone: str) -> str:
    """Return the digits of a number."""
    return _NO_DIGIT.sub("", phone)
