"""The application: makes the parts, starts and stops them, turns errors into answers.

`create_app(settings)` runs alone under any ASGI server, or mounted in another application
(`app.mount("/t", create_app(settings))`): frameworks do not start mounted applications, so this one starts
itself with its first request then.
"""

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import duckdb
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from server.background import Repeated
from server.clock import Clock, now_ms
from server.enrich.geo import Geo
from server.enrich.public_suffix import load_suffixes
from server.errors import FootfallError, SettingsError
from server.events.catalogue import load_catalogue
from server.identity.people_file import PEOPLE_FILE
from server.ingest.accounts import Accounts
from server.ingest.limits import Limits
from server.ingest.live import Live
from server.ingest.origins import Origins
from server.ingest.people import People
from server.ingest.pipeline import Pipeline
from server.ingest.queue import Queue
from server.ingest.receive import Receiver
from server.ingest.writer import Writer
from server.restoring import finish_restore
from server.routes import create_routes
from server.settings import Settings, read_settings
from server.storage.base import Store
from server.storage.duckdb import DuckDBStore
from server.storage.migrations import SchemaError
from server.web.answers import error_answer, fault_answer, http_error_answer
from server.web.auth import Auth
from server.web.collect import Collect
from server.web.keys import complete_sites, open_keys
from server.web.parts import Parts
from server.web.script import Script

GEO_CHECK_S = 30.0


class Application(Starlette):
    """The application, which starts with its first request where nobody started it before.

    The path that receives events is answered in front of the framework's middleware and routing, which cost
    as much as the whole pipeline (measured: 22 µs a request).
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._collect = Collect()
        self._collect_paths = frozenset({settings.collect_path, settings.collect_path + "/"})
        if settings.role == "app":
            self._collect_paths = frozenset()
        super().__init__(
            routes=create_routes(settings),
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
        if not hasattr(self.state, "parts"):
            self.state.parts = create_parts(self._settings, self._clock)
        parts: Parts = self.state.parts
        return parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            parts = self.start()
            if scope["path"].removeprefix(scope.get("root_path", "")) in self._collect_paths:
                await self._collect(parts, scope, receive, send)
                return
            send = _counting(parts.accounts.answers, send)
        await super().__call__(scope, receive, send)


def _counting(answers: Counter[int], send: Send) -> Send:
    """Return a `send` that counts answers by status."""

    async def count_and_send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answers[message["status"]] += 1
        await send(message)

    return count_and_send


def create_app(settings: Settings | None = None, *, clock: Clock = now_ms) -> Application:
    """Return the application. Errors: SettingsError when the settings are wrong, or at start the data folder."""
    return Application(settings or read_settings(), clock)


@asynccontextmanager
async def _lifespan(app: Application) -> AsyncIterator[None]:
    app.start()
    try:
        yield
    finally:
        parts: Parts = app.state.parts
        del app.state.parts
        await run_in_threadpool(close_parts, parts)


def create_parts(settings: Settings, clock: Clock = now_ms) -> Parts:
    """Return the running parts: files open, threads started."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        finish_restore(settings.data_dir)
        keys = open_keys(settings)
        sites = complete_sites(settings, keys)
        path = settings.data_dir / "queue.sqlite"
        queue = Queue(path, clock=clock)
    except (OSError, sqlite3.Error, SchemaError) as error:
        raise SettingsError([f"FOOTFALL_DATA_DIR: {settings.data_dir} cannot be used: {error}"]) from error
    catalogue = load_catalogue()
    geo = Geo(settings.geoip, settings.data_dir)
    load_suffixes()
    accounts, live = Accounts(), Live()
    pipeline = Pipeline(catalogue=catalogue, geo=geo, origins=Origins(queue.find_origin), ip_policy=settings.ip)
    store, writer = _open_store(settings, queue, path, clock) if settings.role != "collect" else (None, None)
    return Parts(
        settings=settings,
        clock=clock,
        catalogue=catalogue,
        keys=keys,
        sites=sites,
        auth=Auth(keys, sites),
        script=Script(settings),
        geo=geo,
        accounts=accounts,
        live=live,
        queue=queue,
        receiver=Receiver(pipeline=pipeline, queue=queue, accounts=accounts, live=live, limits=_limits(settings)),
        store=store,
        writer=writer,
        geo_watch=Repeated(geo.reload_if_changed, GEO_CHECK_S, "geo") if settings.geoip else None,
    )


def _limits(settings: Settings) -> Limits:
    return Limits(settings.network_events_per_minute, settings.site_events_per_minute)


def _open_store(settings: Settings, queue: Queue, path: Path, clock: Clock) -> tuple[Store, Writer]:
    try:
        store = DuckDBStore(settings.data_dir / "events.duckdb")
    except (OSError, duckdb.Error, SchemaError) as error:
        queue.close()
        raise SettingsError([f"the store in {settings.data_dir} cannot be opened: {error}"]) from error
    people = People(settings.data_dir / PEOPLE_FILE, queue.put)
    writer = Writer(queue, path, store, people=people, retention_days=settings.retention_days, clock=clock)
    writer.start()
    return store, writer


def close_parts(parts: Parts) -> None:
    """Drain the queue into the store and close everything; blocks until done."""
    parts.live.close()
    if parts.geo_watch is not None:
        parts.geo_watch.close()
    if parts.writer is not None:
        parts.writer.close()
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
    return http_error_answer(error, request.url.path)


async def _answer_fault(_request: Request, _error: Exception) -> Response:
    return fault_answer()
