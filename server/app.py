"""The application: makes the parts, starts and stops them, turns errors into answers.

`create_app(settings)` runs alone under any ASGI server, or mounted in another application
(`app.mount("/t", create_app(settings))`): frameworks do not start mounted applications, so this one starts
itself with its first request then.
"""

import asyncio
import logging
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple, cast

import duckdb
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Message, Receive, Scope, Send

from server.background import Repeated
from server.clock import Clock, now_ms
from server.enrich.geo import Geo
from server.enrich.public_suffix import load_suffixes
from server.errors import FootfallError, SettingsError
from server.events.catalogue import load_catalogue
from server.identity.people_file import PEOPLE_FILE
from server.ingest.accounts import Accounts
from server.ingest.erasure import erasure_state
from server.ingest.limits import Limits
from server.ingest.live import Live
from server.ingest.origins import Origins
from server.ingest.owed import Owed
from server.ingest.people import People
from server.ingest.pipeline import Pipeline
from server.ingest.queue import Queue
from server.ingest.queue_file import QUEUE_FILE
from server.ingest.receive import Receiver
from server.ingest.repeats import Repeats
from server.ingest.tally import go_on_from, tell
from server.ingest.telling import Followers
from server.ingest.writer import Writer
from server.outgoing.outbox import Outbox
from server.outgoing.outbox_file import OUTBOX_FILE
from server.outgoing.sender import Chances, Sender
from server.outgoing.target import Guard
from server.restoring import finish_restore, folder_shared
from server.routes import create_routes
from server.settings import Settings, read_settings
from server.storage.base import Store
from server.storage.duckdb import DuckDBStore
from server.storage.duckdb_file import STORE_FILE
from server.storage.export_files import remove_exports
from server.storage.folder import make_folder, tighten_files
from server.storage.migrations import SchemaError
from server.web.answers import error_answer, fault_answer, http_error_answer
from server.web.auth import Auth
from server.web.collect import Answer, Collect, take_batch
from server.web.hooks import unusable_keys
from server.web.keys import complete_sites, is_password_shown, keep_password, open_keys
from server.web.parts import Parts
from server.web.script import Script
from server.web.shares import Shares

GEO_CHECK_S = 30.0
TELL_S = 0.5

log = logging.getLogger("footfall")


class Application(Starlette):
    """The application, which starts with its first request where nobody started it before.

    The path that receives events is answered in front of the framework's middleware and routing, which cost
    as much as the whole pipeline (measured: 22 µs a request).
    """

    def __init__(
        self, settings: Settings, clock: Clock, shares: Shares | None = None, *, logs_password: bool = True
    ) -> None:
        self._settings = settings
        self._logs_password = logs_password
        self._shares = shares
        self._clock = clock
        self._parts: Parts | None = None  # those of the state, which takes 2 µs to ask
        self._held = ExitStack()
        self._collect = Collect()
        self._collect_paths = frozenset({settings.collect_path, settings.collect_path + "/"})
        if settings.role == "app":
            self._collect_paths = frozenset()
        self.express_targets = frozenset(path.encode() for path in self._collect_paths)
        super().__init__(
            routes=create_routes(settings, shares),
            lifespan=_lifespan,
            exception_handlers={
                FootfallError: _answer_error,
                HTTPException: _answer_http_error,
                Exception: _answer_fault,
            },
        )
        # a redirect would lose a preflighted request; both spellings are routes
        self.router.redirect_slashes = False

    def start(self) -> Parts:
        """Make the parts unless they are there. Errors: SettingsError."""
        if self._parts is None:
            if not hasattr(self.state, "parts"):
                with ExitStack() as held:
                    _share_folder(self._settings, held)
                    self.state.parts = create_parts(self._settings, self._clock, self._shares)
                    self._held = held.pop_all()  # under any ASGI server: a restore would replace what is open here
                if self._logs_password:
                    _log_password(self.state.parts)
            self._parts = cast("Parts", self.state.parts)
        return self._parts

    def forget_parts(self) -> None:
        """Let go of parts that were closed."""
        del self.state.parts
        self._parts = None
        self._held.close()

    @property
    def counts_answers(self) -> bool:
        """Return whether answers are counted in this process: what is passed on is counted where it came in."""
        return self._shares is None or self._shares.slot is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            parts = self.start()
            if scope["path"].removeprefix(scope.get("root_path", "")) in self._collect_paths:
                await self._collect(parts, scope, receive, send)
                return
            if self.counts_answers:
                send = _counting(parts.accounts.answers, send)
        await super().__call__(scope, receive, send)

    def take_express(self, scope: dict[str, Any], body: bytes, loop: asyncio.AbstractEventLoop, answer: Answer) -> None:
        """Answer the body of a POST to `/collect` that came whole, see `express.py`."""
        take_batch(self.start(), scope, body, loop, answer)


def _share_folder(settings: Settings, held: ExitStack) -> None:
    """Keep a restore away until the stack is closed. Errors: SettingsError."""
    try:
        held.enter_context(folder_shared(settings.data_dir))
    except (OSError, FootfallError) as error:
        raise SettingsError([f"FOOTFALL_DATA_DIR: {settings.data_dir} cannot be used: {error}"]) from error


def _counting(answers: Counter[int], send: Send) -> Send:
    """Return a `send` that counts answers by status."""

    async def count_and_send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answers[message["status"]] += 1
        await send(message)

    return count_and_send


def _log_password(parts: Parts) -> None:
    """Tell a password that was made where no command greets anybody, then keep it."""
    if not is_password_shown(parts.settings, parts.keys):
        log.warning("The dashboard's password, shown only now and kept as a hash: %s", parts.keys.new_password)
        keep_password(parts.settings, parts.keys)


def create_app(
    settings: Settings | None = None,
    *,
    clock: Clock = now_ms,
    shares: Shares | None = None,
    logs_password: bool = True,
) -> Application:
    """Return the application. Errors: SettingsError when the settings are wrong, or at start the data folder.

    Shape:  shares are given where several processes do the work together, see `supervising.py`; a password that is
            made goes to the log `footfall` once, unless the caller shows and keeps it.
    """
    return Application(settings or read_settings(), clock, shares, logs_password=logs_password)


@asynccontextmanager
async def _lifespan(app: Application) -> AsyncIterator[None]:
    app.start()
    try:
        yield
    finally:
        parts: Parts = app.state.parts
        await run_in_threadpool(close_parts, parts)
        app.forget_parts()  # not before: a late request would start others


def create_parts(
    settings: Settings, clock: Clock = now_ms, shares: Shares | None = None, *, is_serving: bool = True
) -> Parts:
    """Return the running parts: files open, threads started.

    Shape:  where nobody serves, what waits is moved into the store and nothing else happens by itself: no webhook is
            sent, and nothing goes for its age.
    """
    try:
        make_folder(settings.data_dir)
        finish_restore(settings.data_dir)
        keys = shares.keys if shares is not None else open_keys(settings)
        sites = complete_sites(settings, keys)
        if problems := unusable_keys(list(sites.values())):
            raise SettingsError(problems)
        is_shared = settings.role != "all"
        queue = Queue(settings.data_dir / QUEUE_FILE, is_shared=is_shared, clock=clock)
    except (OSError, sqlite3.Error, SchemaError) as error:
        raise SettingsError([f"FOOTFALL_DATA_DIR: {settings.data_dir} cannot be used: {error}"]) from error
    catalogue = load_catalogue()
    geo = Geo(settings.geoip, settings.data_dir)
    load_suffixes()
    accounts, live = Accounts(), Live(shares.live_wire if shares is not None else None)
    origins = Origins(queue.find_origin, is_shared=is_shared, erasures=partial(erasure_state, settings.data_dir))
    pipeline = Pipeline(catalogue=catalogue, geo=geo, origins=origins, ip_policy=settings.ip)
    keeps_store = settings.role != "collect"
    moving = _open_store(settings, queue, clock, is_serving=is_serving) if keeps_store else _NOTHING_MOVES
    tighten_files(settings.data_dir)  # also those of an older version, and where a host application's umask is looser
    return Parts(
        settings=settings,
        clock=clock,
        catalogue=catalogue,
        keys=keys,
        sites=sites,
        auth=Auth(settings, keys, sites),
        script=Script(settings),
        geo=geo,
        accounts=accounts,
        live=live,
        queue=queue,
        receiver=Receiver(pipeline=pipeline, queue=queue, accounts=accounts, live=live, limits=_limits(settings)),
        repeats=Repeats(queue, clock),
        store=moving.store,
        writer=moving.writer,
        outbox=moving.outbox,
        sender=moving.sender,
        owed=moving.owed,
        geo_watch=Repeated(geo.reload_if_changed, GEO_CHECK_S, "geo") if settings.geoip else None,
        shares=shares,
        telling=_tell_others(shares, accounts, queue),
    )


def _limits(settings: Settings) -> Limits:
    return Limits(settings.network_events_per_minute, settings.site_events_per_minute)


class _Moving(NamedTuple):
    """What moves events on from the queue."""

    store: Store | None = None
    writer: Writer | None = None
    outbox: Outbox | None = None
    sender: Sender | None = None
    owed: Owed | None = None


_NOTHING_MOVES = _Moving()


def _tell_others(shares: Shares | None, accounts: Accounts, queue: Queue) -> Repeated | None:
    """Have a collector's counts told to the process that answers for all, from where its predecessor ended."""
    if shares is None or shares.slot is None:
        return None
    slot, tallies = shares.slot, shares.tallies
    if (told := tallies.read(slot)) is not None:
        go_on_from(told, accounts, queue)
    return Repeated(lambda: tallies.write(slot, tell(accounts, queue)), TELL_S, "telling")


def _open_store(settings: Settings, queue: Queue, clock: Clock, *, is_serving: bool) -> _Moving:
    with ExitStack() as opened:
        opened.callback(queue.close)
        try:
            store = DuckDBStore(settings.data_dir / STORE_FILE)
            opened.callback(store.close)
            remove_exports(settings.data_dir)  # not before: the store is open for one process only, which writes them
            outbox = Outbox(settings.data_dir / OUTBOX_FILE, clock=clock)
            people = People(settings.data_dir / PEOPLE_FILE, queue.put)
        except (OSError, duckdb.Error, sqlite3.Error, SchemaError) as error:
            raise SettingsError([f"the store in {settings.data_dir} cannot be opened: {error}"]) from error
        opened.pop_all()  # nothing of it is to be closed: all is well
    followers = Followers(people=people, outbox=outbox)
    path = settings.data_dir / QUEUE_FILE
    owed = Owed(settings.data_dir, store)
    owed.try_to_pay(queue, followers)
    retention_days = settings.retention_days if is_serving else None
    writer = Writer(queue, path, store, followers=followers, retention_days=retention_days, clock=clock)
    writer.start()
    if not is_serving:
        return _Moving(store, writer, outbox, None, owed)
    sender = Sender(outbox, Guard(networks=settings.webhook_private), Chances(clock=clock), owed.is_due)
    sender.start()
    return _Moving(store, writer, outbox, sender, owed)


def close_parts(parts: Parts) -> None:
    """Drain the queue into the store and close everything; blocks until done."""
    parts.live.close()
    for repeated in (parts.geo_watch, parts.telling):
        if repeated is not None:
            repeated.close()
    if parts.sender is not None:
        parts.sender.close()
    if parts.writer is not None:
        parts.writer.close()
    if parts.outbox is not None:
        parts.outbox.close()
    parts.queue.close()
    if parts.store is not None:
        parts.store.close()
    parts.geo.close()


async def _answer_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, FootfallError):  # the framework calls it for nothing else
        raise error
    return error_answer(error)


async def _answer_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):  # as above
        raise error
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and (allowed := _allowed_methods(request)):
        error.headers = {**(error.headers or {}), "Allow": ", ".join(sorted(allowed))}
    return http_error_answer(error, request.url.path)


def _allowed_methods(request: Request) -> set[str]:
    """Return the methods of all routes of a path; none where one took it. The framework names those of the first."""
    allowed: set[str] = set()
    for route in request.app.routes:
        match, _ = route.matches(request.scope)
        if match == Match.FULL:
            return set()
        if match == Match.PARTIAL:
            allowed |= getattr(route, "methods", None) or set()
    return allowed


async def _answer_fault(_request: Request, _error: Exception) -> Response:
    return fault_answer()
