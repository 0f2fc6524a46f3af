"""A TCP proxy before the real server, which does to each beacon what the row's deck says and keeps count.

Shape:  a beacon belongs to the profile whose page sent it: the host of its `Origin`. The row is the part of the host
        before the first "-". All else (the tracker's script, the health check) passes untouched. Every answer ends its
        connection: browsers repeat by themselves what fails on a connection that was used before, and would so hide
        half of the faults.
"""

import asyncio
import re
import socket
import struct
import threading
import time
from collections import defaultdict
from dataclasses import dataclass

from bench.delivery.deck import Draw, Fate, always

RETRY_AFTER_S = 2
_LENGTH = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)
_ORIGIN = re.compile(rb"^origin: *(\S+)", re.IGNORECASE | re.MULTILINE)
_CONNECTION = re.compile(rb"^connection:[^\r\n]*\r\n", re.IGNORECASE | re.MULTILINE)
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_STATUS = {
    Fate.BUSY: b"503 Service Unavailable",
    Fate.BARE_BUSY: b"503 Service Unavailable",
    Fate.LIMITED: b"429 Too Many Requests",
}


@dataclass(frozen=True, slots=True)
class Beacon:
    """One request to /collect as the wire showed it. Units: at_s is monotonic; body_bytes are those of the body."""

    profile: str
    at_s: float
    body_bytes: int
    fate: Fate
    is_preflight: bool


class Proxy:
    """Owns the socket, the thread and its event loop."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._draws: dict[str, Draw] = {}
        self._beacons: dict[str, list[Beacon]] = defaultdict(list)
        self._loop = asyncio.new_event_loop()
        listening = socket.create_server(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, sock=listening))
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def deal(self, row: str, draw: Draw | None) -> None:
        """Let the row's beacons meet what is drawn from now on, or nothing."""
        self._draws[row] = draw or always(Fate.PASS)

    def beacons(self, row: str) -> list[Beacon]:
        """Return what the row's pages have sent until now."""
        return list(self._beacons[row])

    def close(self) -> None:
        """Free the port."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            fate = self._judge(head, body)
            answer = b""
            if fate in {Fate.PASS, Fate.LOSE_ANSWER}:
                answer = await self._ask_server(head, body)
            elif fate in _STATUS:
                answer = _refusal(fate, head)
            if not answer or fate is Fate.LOSE_ANSWER:
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            else:
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the browser opened a connection in advance, or has gone
        finally:
            writer.close()

    def _judge(self, head: bytes, body: bytes) -> Fate:
        line, origin = head.split(b"\r\n", 1)[0], _ORIGIN.search(head)
        if b" /collect" not in line or origin is None:
            return Fate.PASS
        profile = origin[1].decode().split("//")[-1].split(":")[0]
        row = profile.split("-")[0]
        fate = self._draws.get(row, always(Fate.PASS))()
        self._beacons[row].append(Beacon(profile, time.monotonic(), len(body), fate, line.startswith(b"OPTIONS")))
        return fate

    async def _ask_server(self, head: bytes, body: bytes) -> bytes:
        """Return the whole answer, or nothing when the server is away."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._server_port)
            try:
                asked = _CONNECTION.sub(b"", head)[:-2] + b"Connection: close\r\n\r\n"
                writer.write(asked + body)
                await writer.drain()
                return await reader.read()
            finally:
                writer.close()
        except ConnectionError:
            return b""


def _refusal(fate: Fate, head: bytes) -> bytes:
    """Return an answer of the server's kind, or one that lacks the permission for scripts to read it."""
    lines = [b"HTTP/1.1 " + _STATUS[fate], b"Connection: close", b"Content-Length: 2"]
    origin = _ORIGIN.search(head)
    if fate is not Fate.BARE_BUSY and origin is not None:
        lines += [b"Access-Control-Allow-Origin: " + origin[1], b"Access-Control-Allow-Credentials: true"]
        lines += [b"Access-Control-Expose-Headers: Retry-After", b"Vary: Origin"]
    if fate is Fate.LIMITED:
        lines.append(b"Retry-After: %d" % RETRY_AFTER_S)
    return b"\r\n".join([*lines, b"", b"{}"])
