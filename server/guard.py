"""What strangers' connections may cost: how long to wait for each, how many, how many bytes. Called by serving.

`connections.py` asks and acts for each connection; here are the limits, and what all connections share.
"""

import asyncio
import logging
import resource
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Literal, Protocol

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from server.settings import Settings
from server.web.answers import cors_headers

Phase = Literal["idle", "head", "body", "busy", "answer"]
"""Where a connection is: between requests, within a head or body, its request being worked on, its answer not taken."""

Refused = Callable[[str, int], None]
"""Is told the code and status of each request that is refused before any application sees it; 0 without an answer."""

SWEEP_S = 0.5
TURN_S = 1.0
"""How long a request waits for its turn. A refusal costs nearly what an answer costs, and who is refused at once comes
again at once: answered without a wait, ten times the load left a quarter of the goodput."""
TURN_STEP_S = 0.005
CROWDED_SHARE = 0.75
CROWDED_HEAD_S = 2.0
HEAD_SHARE = 1 / 3  # of the time that a body has: nobody needs ten seconds for a few lines
ANSWER_S = 30.0
IDLE_S = 130
"""How long a connection is kept for its next request; on the ASGI way uvicorn has a timer of its own for that. Longer
than proxies keep theirs (nginx 60 s, Traefik 90 s, Caddy 120 s by default): a POST that meets a connection which was
closed at this moment is not sent again by all of them."""
RETRY_AFTER_S = 1
MAX_UNFINISHED_BYTES = 64 * 1024 * 1024
RESERVED_FILES = 256
"""Descriptors that are kept free for files."""

log = logging.getLogger("footfall")

_BUSY = orjson.dumps(
    {"error": {"code": "busy", "message": "More is asked than can be done.", "hint": "Send again: nothing was stored."}}
)


class Watched(Protocol):
    """A connection that is looked at now and then."""

    def look(self, now_s: float, *, is_crowded: bool) -> None:
        """Close the connection when it has been in one place for too long. Units: seconds of the loop's clock."""


@dataclass(slots=True)
class Guard:
    """The limits of one server and what its connections share. Shape: unfinished_bytes are those of all bodies."""

    refused: Refused
    max_connections: int
    max_requests: int
    head_s: float
    body_s: float
    unfinished_bytes: int = 0
    waiting: deque[tuple[asyncio.Future[bool], float]] = field(default_factory=deque)

    def patience_s(self, phase: Phase, *, is_crowded: bool) -> float:
        """Return how long a connection may stay in a phase; in a crowd those who hold a place for nothing go first."""
        return {
            "idle": 0.0 if is_crowded else IDLE_S,
            "head": min(self.head_s, CROWDED_HEAD_S) if is_crowded else self.head_s,
            "body": min(self.body_s, self.head_s) if is_crowded else self.body_s,
            "busy": float("inf"),
            "answer": ANSWER_S,
        }[phase]

    def is_crowded(self, connections: int) -> bool:
        """Return whether places are running out."""
        return connections > self.max_connections * CROWDED_SHARE

    async def watch(self, connections: Collection[Watched]) -> None:
        """Look at all connections every SWEEP_S seconds until cancelled: so ordinary requests need no timers."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_S)
            is_crowded = self.is_crowded(len(connections))
            for connection in list(connections):
                try:
                    connection.look(loop.time(), is_crowded=is_crowded)
                except Exception:  # one connection's fault must not let all others wait for ever
                    log.exception("a fault while looking at a connection")

    async def answer_in_turn(
        self, application: ASGIApp, tasks: Collection[object], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Have a request answered when enough of the others are, first come, first served; 503 after TURN_S seconds.

        Shape:  tasks are all requests that are worked on or wait.
        """
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        if not self.waiting:
            loop.call_later(TURN_STEP_S, self._give_turns, loop, tasks)
        self.waiting.append((turn, loop.time() + TURN_S))
        await (application if await turn else self.answer_busy)(scope, receive, send)

    def _give_turns(self, loop: asyncio.AbstractEventLoop, tasks: Collection[object]) -> None:
        free = self.max_requests - (len(tasks) - len(self.waiting))
        while self.waiting:
            turn, end_s = self.waiting[0]
            if free <= 0 and loop.time() < end_s and not turn.done():
                loop.call_later(TURN_STEP_S, self._give_turns, loop, tasks)
                break
            self.waiting.popleft()
            if not turn.done():  # done: its task was cancelled
                turn.set_result(free > 0)
                free -= 1

    async def answer_late(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 503 to one connection too many, after as long a wait as others have."""
        await asyncio.sleep(TURN_S)
        await self.answer_busy(scope, receive, send)

    async def answer_busy(self, scope: Scope, _: Receive, send: Send) -> None:
        """Answer 503 without reading the body."""
        self.refused("busy", 503)
        origin = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"), None)
        told = {"content-type": "application/json", "retry-after": str(RETRY_AFTER_S), **cors_headers(origin)}
        headers = [(name.encode(), value.encode("latin-1")) for name, value in told.items()]
        headers.append((b"content-length", str(len(_BUSY)).encode()))
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": _BUSY})


def create_guard(settings: Settings, refused: Refused) -> Guard:
    """Return the guard that the settings describe, as far as this process may open files."""
    return Guard(
        refused,
        max_connections=min(settings.max_connections, most_connections()),
        max_requests=settings.max_requests,
        head_s=settings.request_timeout_s * HEAD_SHARE,
        body_s=settings.request_timeout_s,
    )


def most_connections() -> int:
    """Return for how many connections there are descriptors: twice as many are held while they are refused."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the soft limit is for programs that use select(2)
    if hard == resource.RLIM_INFINITY:
        return 2**31
    return max(1, (hard - RESERVED_FILES) // 2)
