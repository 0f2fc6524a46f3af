"""What web reads of a request before anything else: headers, a capped body, the client's address."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import Receive, Scope

from server.errors import TooLarge
from server.events.wire import MAX_WIRE_BYTES, unpack


class ClientGone(Exception):
    """The client closed the connection before its body was complete: there is nobody to answer."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """The headers of a request. Shape: names lower-case; a repeated header's lines stand in `lines`."""

    headers: Mapping[str, str]
    pairs: tuple[tuple[bytes, bytes], ...]

    def get(self, name: str) -> str | None:
        """Return a header's value."""
        return self.headers.get(name)

    def lines(self, name: str) -> list[str]:
        """Return all lines of a header, in order."""
        wanted = name.encode()
        return [value.decode("latin-1") for key, value in self.pairs if key == wanted]


def read_head(scope: Scope) -> RequestHead:
    """Return the headers of a request."""
    pairs = scope["headers"]
    return RequestHead({key.decode("latin-1"): value.decode("latin-1") for key, value in pairs}, pairs)


async def read_body(head: RequestHead, receive: Receive, limit: int = MAX_WIRE_BYTES) -> bytes:
    """Return the body, unpacked.

    Errors: TooLarge as soon as more than `limit` bytes are announced or have arrived; BadRequest or TooLarge
            from unpacking; ClientGone.
    """
    announced = head.get("content-length")
    if announced is not None and announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    if not message.get("more_body", False):  # nearly always: one message holds it all
        body: bytes = message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        return unpack(body)
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
    return unpack(b"".join(chunks))


def _too_large(limit: int) -> TooLarge:
    return TooLarge("body_too_large", f"The body is larger than {limit} bytes.", "Send fewer events in each request.")
