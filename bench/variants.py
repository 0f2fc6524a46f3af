"""What Footfall is measured against: other ways to answer, made of Footfall's own parts on the same HTTP stack.

`python -m bench.variants NAME` serves one of VARIANTS with the settings of the environment. None of them is for
use: some lose events on purpose, which the tests of the promises rely on to show that they can see a loss.
"""

import sys
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Any, cast

from starlette.types import Receive, Scope, Send

from server import serving
from server.app import Application, create_app, create_parts
from server.enrich import referrer
from server.enrich.client_ip import ClientIp
from server.enrich.hints import Hints
from server.events.head import read_heads
from server.ingest import pipeline
from server.ingest.queue import Queue
from server.ingest.queue_file import OnEnd, Submission
from server.settings import Settings, read_settings
from server.storage.base import Store
from server.web import beacons
from server.web.parts import Parts

FLUSH_S = 10.0


class Bare:
    """The HTTP stack alone: the body is read and answered with 204. All else is the application's."""

    def __init__(self, app: Application) -> None:
        self.state = app.state
        self.start = app.start
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        while (await receive()).get("more_body", False):
            pass
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})


def create_bare(settings: Settings) -> Bare:
    """Return the HTTP stack alone."""
    return Bare(create_app(settings))


def create_discarding(settings: Settings) -> Application:
    """Return the whole pipeline without a queue behind it: events are encoded, then thrown away."""
    return _create_with(settings, lambda _: _Discarding())


def create_unenriched(settings: Settings) -> Application:
    """Return the discarding pipeline without enrichment, to tell what enrichment costs."""
    enriching = {pipeline.add_origin, pipeline.add_browser, pipeline.add_place}
    no_hints = Hints()
    _replace(pipeline, "STEPS", tuple(step for step in pipeline.STEPS if step not in enriching))
    _replace(referrer, "referrer_domain", lambda _referrer, _own_host, _own_origins: None)
    _replace(beacons, "hints_of", lambda _head, _context: no_hints)
    _replace(beacons, "client_ip_of", lambda _scope, _head, _settings: ClientIp(None, "not asked"))
    return create_discarding(settings)


def create_memory(settings: Settings) -> Application:
    """Return a server that acknowledges from memory and writes every FLUSH_S seconds: a crash loses events."""
    return _create_with(settings, lambda parts: _InMemory(_store_of(parts)))


def create_one_by_one(settings: Settings) -> Application:
    """Return the durable queue without group commit: one transaction, and one fsync, for each request."""

    def limit(parts: Parts) -> Queue:
        queue = parts.queue
        take_all = queue._take  # noqa: SLF001 - the one place that decides how much a transaction holds

        def take_one() -> list[Submission]:
            taken = list(islice(take_all(), 1))
            if queue._pending:  # noqa: SLF001 - what was left has no other call than this one
                queue._wake.set()  # noqa: SLF001 - as above
            return taken

        _replace(queue, "_take", take_one)
        return queue

    return _create_with(settings, limit)


VARIANTS: dict[str, Callable[[Settings], Application | Bare]] = {
    "bare": create_bare,
    "discarding": create_discarding,
    "unenriched": create_unenriched,
    "memory": create_memory,
    "one-by-one": create_one_by_one,
}


def _create_with(settings: Settings, queue_of: Callable[[Parts], Any]) -> Application:
    """Return the product's application with another queue behind its pipeline."""
    app = create_app(settings)
    parts = create_parts(settings)
    receiver = replace(parts.receiver, queue=cast("Queue", queue_of(parts)))
    app.state.parts = replace(parts, receiver=receiver)
    return app


def _replace(owner: Any, name: str, value: Any) -> None:
    """Replace a part inside this process, which serves nothing but the variant."""
    if not hasattr(owner, name):
        raise AttributeError(f"{owner} has no {name} any more: the variant measures something else than it says")
    setattr(owner, name, value)


def _store_of(parts: Parts) -> Store:
    if parts.store is None:
        raise ValueError("this variant needs a store; set FOOTFALL_ROLE to all")
    return parts.store


class _Discarding:
    """Stands in for the queue and keeps nothing."""

    def submit_soon(self, submission: Submission, _loop: AbstractEventLoop, on_end: OnEnd) -> None:
        """Say that everything is new."""
        submission.is_new = [True] * len(submission.records)
        on_end(None)


class _InMemory:
    """Stands in for the queue: a list, written into the store now and then."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lines: list[bytes] = []
        self._written = 0
        threading.Thread(target=self._run, name="flusher", daemon=True).start()

    def submit_soon(self, submission: Submission, _loop: AbstractEventLoop, on_end: OnEnd) -> None:
        """Say that everything is new, before any of it is on disk."""
        self._lines += [record.event for record in submission.records]
        submission.is_new = [True] * len(submission.records)
        on_end(None)

    def _run(self) -> None:
        while not threading.Event().wait(FLUSH_S):
            lines, self._lines = self._lines, []
            if lines:
                events = read_heads(enumerate(lines, self._written + 1))
                self._written += len(lines)
                self._store.append(events, "memory", self._written)


def main(name: str) -> int:
    """Serve one variant until told to stop, as the product is served; return the exit status."""
    create = VARIANTS[name]
    _replace(serving, "create_app", lambda settings, **_: create(settings))
    return serving.serve(read_settings(), shows_demo=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
