"""`GET /api/live`: what arrives now, with its verdict, as server-sent events."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from server.errors import Unavailable
from server.ingest.live import Live
from server.ingest.live_wire import MISSED
from server.web.queries import parts_of

RECONNECT_MS = 2_000


async def get_live(request: Request) -> Response:
    """Stream verdicts until the client leaves or the server stops."""
    parts = parts_of(request)
    site = parts.auth.readable_site(request)
    if parts.live.is_full():
        raise Unavailable("too_many_watchers", "Too many live streams are open.", retry_after_s=10)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_frames(parts.live, site), media_type="text/event-stream", headers=headers)


async def _frames(live: Live, site: str | None) -> AsyncGenerator[bytes]:
    yield f"retry: {RECONNECT_MS}\n\n".encode()
    async with aclosing(live.listen()) as messages:  # also when the client has left, which is noticed while it is sent
        async for message in messages:
            if message is None:
                yield b"event: alive\ndata: {}\n\n"  # no comment: scripts would not see it
                continue
            verdict, message_site, data = message
            if site is None or site == message_site or message == MISSED:
                yield b"event: " + verdict.encode() + b"\ndata: " + data + b"\n\n"
