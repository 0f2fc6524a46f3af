"""Which ids mean a visitor where nothing says whether a visitor or a user is meant.

A page may choose any visitor's id. Were a guessed one, the `42` of a user to come, taken for a visitor, a stranger who
chose it before would have what the site says about that user.
"""

import re

# a UUID, as the tracker and Segment's clients make them, or what contacts.py makes
_DRAWN = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|contact-[0-9a-f]{32}", re.IGNORECASE)


def is_drawn(visitor_id: str) -> bool:
    """Return whether an id is one that nobody guesses."""
    return _DRAWN.fullmatch(visitor_id) is not None
