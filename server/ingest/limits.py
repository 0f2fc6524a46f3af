"""How much strangers may send: events a minute for each network and for each site. Called by the receiver.

A limit is a bucket that holds a minute's events and fills up evenly. A request is taken while its bucket is not empty,
and its events are then taken out, which may leave a debt: so a batch larger than the limit passes once and is paid for,
instead of never passing. A network is a /24, or a /48 of IPv6, as in `FOOTFALL_IP=truncated`: one household or tenant
has up to 2^80 addresses there, so that limits on single ones would limit nobody.
Only what comes with a public key is limited: it is the one thing that anybody can send. Each process counts for itself.
"""

from collections import OrderedDict
from math import ceil

from server.enrich.client_ip import truncate_ip
from server.errors import TooManyRequests
from server.ingest.beacon import Beacon

MINUTE_MS = 60_000
MAX_BUCKETS = 16_384
MAX_RETRY_AFTER_S = 300


class Buckets:
    """The buckets of one limit, by name. Shape: at most `size` names; the one that was used longest ago goes first.

    Whoever was quiet for a minute has a full bucket, which is the same as none: forgetting it forgives nothing.
    """

    def __init__(self, per_minute: int, size: int = MAX_BUCKETS) -> None:
        self._per_minute = per_minute
        self._size = size
        self._levels: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, name: str, events: int, at_ms: int) -> int:
        """Take events out of a bucket and return 0, or leave it and return in how many seconds to come again."""
        level, seen_ms = self._levels.get(name, (float(self._per_minute), at_ms))
        # a clock that was set back gives nothing
        level = min(self._per_minute, level + max(0, at_ms - seen_ms) * self._per_minute / MINUTE_MS)
        refused = level < 1
        self._levels[name] = (level if refused else level - events, at_ms)
        self._levels.move_to_end(name)
        if len(self._levels) > self._size:
            self._levels.popitem(last=False)
        if not refused:
            return 0
        return min(MAX_RETRY_AFTER_S, max(1, ceil((1 - level) * MINUTE_MS / self._per_minute / 1000)))

    def __len__(self) -> int:
        return len(self._levels)


class Limits:
    """Both limits. Shape: None is no limit."""

    def __init__(self, per_network: int | None = None, per_site: int | None = None) -> None:
        self._networks = None if per_network is None else Buckets(per_network)
        self._sites = None if per_site is None else Buckets(per_site)

    def take(self, beacon: Beacon, events: int) -> None:
        """Count a request's events against the limits that it falls under. Errors: TooManyRequests."""
        if beacon.is_trusted:
            return
        # the network first: what one of them sends too much must not use up what all share
        self.take_unread(beacon.ip, beacon.received_ms, events)
        if self._sites is not None:
            _refuse(self._sites.take(beacon.site.key, max(events, 1), beacon.received_ms), "site")

    def take_unread(self, ip: str | None, at_ms: int, events: int = 1) -> None:
        """Count a request of which nothing but its sender is known. Errors: TooManyRequests."""
        if self._networks is not None and ip is not None:
            _refuse(self._networks.take(truncate_ip(ip), max(events, 1), at_ms), "network")


def _refuse(retry_after_s: int, whose: str) -> None:
    if retry_after_s:
        raise TooManyRequests(
            f"too_many_events_of_{whose}",
            f"More events than one {whose} may send in a minute.",
            "Send again later: nothing was stored.",
            retry_after_s=retry_after_s,
        )
