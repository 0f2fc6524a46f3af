"""What is kept of addresses, wherever one could be kept. The setting is FOOTFALL_IP; called by pipeline and receive.

Places are looked up before. What a page writes into its own properties, titles and URLs is the page's.
"""

import re
from itertools import islice

from server.enrich.client_ip import parse_ip, truncate_ip
from server.settings import IpPolicy

MAX_FIELDS = 100  # of one payload; what has more is no event but an attack, and is cut there
# The fields in which clients hand over an address; a payload may be cut in the middle of one.
_FIELD = re.compile(
    rb'([iI][pP](?<=["$]..)(?:_?[aA]ddress)?"\s*:\s*)"((?:[^"\\]|\\.)*)(?:"|\\?$)'  # begins with letters: found fast
)


def keep_ip(ip: str | None, policy: IpPolicy) -> str | None:
    """Return what may be stored of an address: all, its network, or None."""
    if ip is None or policy == "none":
        return None
    return ip if policy == "full" else truncate_ip(ip) or None


def scrub_payload(payload: bytes, client_ip: str | None, policy: IpPolicy) -> bytes:
    """Return a rejected payload without what the policy does not keep.

    Shape:  fields named ip hold what may be kept, or an empty text; so does the client's own address, wherever it
            stands. Everything else stays as it was sent, so that it can be read, mended and sent again.
    """
    if policy == "full":
        return payload
    fields = list(islice(_FIELD.finditer(payload), MAX_FIELDS + 1))
    if len(fields) > MAX_FIELDS:
        payload = payload[: fields.pop().start()]
    payload = _FIELD.sub(lambda field: field[1] + b'"' + _kept_bytes(field[2], policy) + b'"', payload)
    if client_ip is None or client_ip.encode() not in payload.lower():
        return payload
    text = re.escape(client_ip.encode())
    before = rb"[0-9a-f.:]" if ":" in client_ip else rb"[0-9.]"  # then it is part of another address
    own = re.compile(text + rb"(?<!" + before + text + rb")(?![0-9a-f])", re.IGNORECASE)
    return own.sub(_kept_bytes(client_ip.encode(), policy), payload)


def _kept_bytes(text: bytes, policy: IpPolicy) -> bytes:
    return (keep_ip(parse_ip(text.decode(errors="replace")), policy) or "").encode()
