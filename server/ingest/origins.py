"""What brought each session: campaign and channel, remembered so that all its events carry them.

The first event of a session that tells a campaign or a channel other than direct decides; later ones do not
change it. Kept in memory for the sessions seen last, and in the queue's database (same commit as the event)
for restarts and for other processes. When somebody is erased, memory is emptied: it may hold what brought them.
What could not be committed is forgotten (`forget_unkept`): the event that brought it comes again, and brings it again.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import orjson

from server.enrich.campaign import UTM_NAMES
from server.ingest.queue_file import NewOrigin

MAX_SESSIONS_IN_MEMORY = 20_000
DIRECT = "direct"
LOOK_MS = 100

OriginKey = tuple[str, str]
Find = Callable[[OriginKey], bytes | None]
ErasureState = tuple[object, bool]


@dataclass(frozen=True, slots=True)
class Origin:
    """What brought a session. Shape: columns are `channel` and those of utm_source … utm_term that are known."""

    columns: Mapping[str, str]

    def is_known(self) -> bool:
        """Return whether it tells more than that nothing is known."""
        return len(self.columns) > 1 or self.columns["channel"] != DIRECT

    def encode(self) -> bytes:
        """Return the stored form."""
        return orjson.dumps(self.columns)


def decode_origin(encoded: bytes) -> Origin:
    """Return an origin from its stored form."""
    columns = orjson.loads(encoded)
    return Origin({name: columns[name] for name in ("channel", *UTM_NAMES) if name in columns})


class Origins:
    """The sessions' origins. Owns the memory; `find` looks into the queue's database.

    `remembered` collects what is new, for the commit of the event that brought it: take it with `take_new`.

    Shape:  is_shared says that other processes take in events of the same sessions: then what is not known yet is not
            remembered either, but looked for each time, because another process may learn it. erasures returns what
            changes with each erasure, and whether one is under way: what is found meanwhile is not remembered.
    """

    def __init__(
        self, find: Find, *, is_shared: bool = False, erasures: Callable[[], ErasureState] = lambda: (None, False)
    ) -> None:
        self._find = find
        self._is_shared = is_shared
        self._erasures = erasures
        self._erasure_state = erasures()
        self._looked_ms = 0
        self._known: OrderedDict[OriginKey, Origin] = OrderedDict()
        self._new: dict[OriginKey, Origin] = {}

    def heed_erasures(self, now_ms: int) -> None:
        """Forget everybody if somebody was erased since the last call; looks at most every LOOK_MS."""
        if 0 <= now_ms - self._looked_ms < LOOK_MS:
            return
        self._looked_ms = now_ms
        state = self._erasures()
        if state != self._erasure_state:
            self._erasure_state = state
            self._known.clear()

    def known(self, site: str, session_id: str | None) -> Origin | None:
        """Return a session's origin where it is in memory and cannot change any more, else None."""
        found = self._known.get((site, session_id)) if session_id is not None else None
        return found if found is not None and found.is_known() else None

    def of_session(self, site: str, session_id: str | None, own: Origin) -> Origin:
        """Return the session's origin, which is the event's own where the session has none yet."""
        if session_id is None:
            return own
        key = (site, session_id)
        known = self._known.get(key)
        if known is None and (found := self._find(key)) is not None:
            known = decode_origin(found)
        elif known is None or (own.is_known() and not known.is_known()):
            known = own
            if own.is_known():
                self._new[key] = own
        else:
            return known
        _, is_erasing = self._erasure_state
        if is_erasing or (self._is_shared and not known.is_known()):
            return known
        self._known[key] = known
        if len(self._known) > MAX_SESSIONS_IN_MEMORY:
            self._known.popitem(last=False)
        return known

    def take_new(self) -> list[tuple[str, str, bytes]]:
        """Return and forget what has to be committed: (site, session id, encoded origin)."""
        if not self._new:
            return []
        rows = [(site, session_id, origin.encode()) for (site, session_id), origin in self._new.items()]
        self._new.clear()
        return rows

    def forget_unkept(self, rows: Iterable[NewOrigin] = ()) -> None:
        """Forget what was not committed: these rows, and what is new and was not taken.

        Remembered, it would be on later events and never in the file: gone with a restart, unknown to other processes.
        """
        for key in (*((site, session_id) for site, session_id, *_ in rows), *self._new):
            self._known.pop(key, None)
        self._new.clear()
