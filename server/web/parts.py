"""The running parts of one application, passed in and never global: web finds them at `app.state.parts`."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from server.background import Repeated
from server.clock import Clock
from server.enrich.geo import Geo
from server.events.catalogue import Catalogue
from server.ingest.accounts import Accounts
from server.ingest.live import Live
from server.ingest.owed import Owed
from server.ingest.queue import Queue
from server.ingest.receive import Receiver
from server.ingest.repeats import Repeats
from server.ingest.writer import Writer
from server.outgoing.outbox import Outbox
from server.outgoing.sender import Sender
from server.settings import Settings
from server.sites import Site
from server.storage.base import Store
from server.web.auth import Auth
from server.web.keys import Keys
from server.web.script import Script
from server.web.shares import Shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything a request may need.

    Shape:  store, writer, outbox, sender and owed are None in the role `collect`; shares and telling are where one
            process does all; stopping is set as soon as the server is told to stop.
    """

    settings: Settings
    clock: Clock
    catalogue: Catalogue
    keys: Keys
    sites: Mapping[str, Site]
    auth: Auth
    script: Script
    geo: Geo
    accounts: Accounts
    live: Live
    queue: Queue
    receiver: Receiver
    repeats: Repeats
    store: Store | None
    writer: Writer | None
    outbox: Outbox | None
    sender: Sender | None
    owed: Owed | None
    geo_watch: Repeated | None
    shares: Shares | None = None
    telling: Repeated | None = None
    stopping: threading.Event = field(default_factory=threading.Event)
