"""Event ids made by the server for senders that made none. UUID version 7: sortable by time (RFC 9562)."""

import secrets

_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62


def uuid7(time_ms: int) -> str:
    """Return a new UUID version 7 for an instant. Units: milliseconds since the epoch."""
    random = secrets.randbits(74)
    number = (time_ms & (2**48 - 1)) << 80 | _VERSION | (random >> 62) << 64 | _VARIANT | random & (2**62 - 1)
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
