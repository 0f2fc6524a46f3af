"""What is kept of addresses, wherever one could be kept. The setting is FOOTFALL_IP; called by pipeline and receive.

Places are looked up before. What a page writes into its own properties, titles and URLs is the page's.
"""

import re

from server.enrich.client_ip import parse_ip, truncate_ip
from server.settings import IpPolicy

# The fields in which clients hand over an address; a payload may be cut in the middle of one.
_FIELD = re.compile(rb'("\$?ip(?:_?address)?"\s*:\s*)"((?:[^"\\]|\\.)*)(?:"|\\?$)', re.IGNORECASE)


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
    payload = _FIELD.sub(lambda found: found[1] + b'"' + _kept_bytes(found[2], policy) + b'"', payload)
    if client_ip is None:
        return payload
    before = rb"(?<![0-9a-f.:])" if ":" in client_ip else rb"(?<![0-9.])"  # not part of another address
    own = re.compile(before + re.escape(client_ip.encode()) + rb"(?![0-9a-f])", re.IGNORECASE)
    return own.sub(_kept_bytes(client_ip.encode(), policy), payload)


def _kept_bytes(text: bytes, policy: IpPolicy) -> bytes:
    return (keep_ip(parse_ip(text.decode(errors="replace")), policy) or "").encode()
