"""What web reads of a request before anything else: headers, a capped body, the client's address."""

from typing import Any

from starlette.requests import Request
from starlette.types import Receive, Scope

from server.errors import BadRequest, TooLarge
from server.events.wire import MAX_WIRE_BYTES, decode, unpack

_MAX_DIGITS = 20  # of a Content-Length: beyond 64 bits


class ClientGone(Exception):
    """The client closed the connection before its body was complete: there is nobody to answer."""


class RequestHead:
    """The headers of a request, decoded when asked for: an ingest request carries three times what it needs."""

    __slots__ = ("_last", "_pairs")

    def __init__(self, scope: Scope) -> None:
        self._pairs: list[tuple[bytes, bytes]] = scope["headers"]
        self._last = dict(self._pairs)

    def get(self, name: bytes) -> str | None:
        """Return a header's value; the name in lower case. Of a repeated header the last line counts."""
        value = self._last.get(name)
        return None if value is None else value.decode("latin-1")

    def lines(self, name: bytes) -> list[str]:
        """Return all lines of a header, in order."""
        if len(self._last) < len(self._pairs):  # some header came twice
            return [value.decode("latin-1") for key, value in self._pairs if key == name]
        value = self._last.get(name)
        return [] if value is None else [value.decode("latin-1")]


async def read_json(request: Request) -> Any:
    """Return the body's value, of requests that are not events.

    Errors: those of `read_body`; BadRequest for what is no JSON, and for the odd values that `decode` lets in: with
            events they cost one of many; here there is one, and nothing it says should be guessed.
    """
    value, is_odd = decode(await read_body(RequestHead(request.scope), request.receive))
    if is_odd:
        raise BadRequest(
            "invalid_json", "The body holds NaN, infinity, NUL, half a surrogate pair, broken UTF-8 or endless depth."
        )
    return value


async def read_body(head: RequestHead, receive: Receive, limit: int = MAX_WIRE_BYTES) -> bytes:
    """Return the body, unpacked. Errors: those of `read_sent_body`; BadRequest or TooLarge from unpacking."""
    return unpack(await read_sent_body(head, receive, limit))


async def read_sent_body(head: RequestHead, receive: Receive, limit: int = MAX_WIRE_BYTES) -> bytes:
    """Return the body as it was sent.

    Errors: TooLarge as soon as more than `limit` bytes are announced or have arrived; ClientGone.
    """
    announced = head.get(b"content-length")
    # the length first: thousands of digits are an error of their own
    if announced is not None and announced.isdecimal() and (len(announced) > _MAX_DIGITS or int(announced) > limit):
        raise _too_large(limit)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    if not message.get("more_body", False):  # nearly always: one message holds it all
        body: bytes = message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        return body
    chunks = [message.get("body", b"")]
    size = len(chunks[0])
    while message.get("more_body", False):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise _too_large(limit)
    return b"".join(chunks)


def _too_large(limit: int) -> TooLarge:
    return TooLarge("body_too_large", f"The body is larger than {limit} bytes.", "Send fewer events in each request.")
