"""One connection on its own, with a transport that only notes: what real sockets would take long to show."""

import asyncio
from collections import Counter
from functools import partial
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from server import connections, guard
from server.connections import MAX_HEAD_BYTES, GuardedProtocol, guarded
from server.guard import ANSWER_S, CROWDED_HEAD_S, MAX_UNFINISHED_BYTES, Guard

HEAD = b"POST /collect HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"


class NotingTransport(asyncio.Transport):
    """Takes everything and notes it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.unread = 0
        self.ended = ""

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        self.ended = self.ended or "aborted"

    def is_closing(self) -> bool:
        return bool(self.ended)

    def get_write_buffer_size(self) -> int:
        return self.unread

    def pause_reading(self) -> None:
        """Take note of nothing."""

    def resume_reading(self) -> None:
        """Take note of nothing."""


class Server:
    """Makes connections that share a guard.

    Shape:  the application answers when `answering` is set; asked is what it has read: method, body, header names.
    """

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self.asked: list[tuple[str, bytes, list[bytes]]] = []
        self.left = 0
        self.answering = asyncio.Event()
        self.guard = Guard(self._note, max_connections=10, max_requests=10, head_s=5, body_s=20)
        self._state = ServerState()
        self._config = Config(self._answer, log_config=None, lifespan="off", ws="none", interface="asgi3")
        self._config.load()
        self._connect = partial(guarded(self.guard), self._config, self._state, {})

    def connect(self) -> tuple[GuardedProtocol, NotingTransport]:
        protocol, transport = self._connect(asyncio.get_running_loop()), NotingTransport()
        protocol.connection_made(transport)
        return protocol, transport

    def _note(self, code: str, _: int) -> None:
        self.refused[code] += 1

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.answering.wait()
        if scope["path"] == "/asked":
            await self._read(scope, receive)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def _read(self, scope: Scope, receive: Receive) -> None:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left += 1
                return
            body += message["body"]
            if not message["more_body"]:
                break
        self.asked.append((scope["method"], body, [name for name, _ in scope["headers"]]))


@pytest.fixture
async def server() -> Server:
    return Server()


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LAST_REQUEST_S", 0.0)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_an_answer_that_nobody_takes_is_given_up(server: Server) -> None:
    protocol, transport = server.connect()
    protocol.pause_writing()
    protocol.look(0, is_crowded=False)
    protocol.look(ANSWER_S - 1, is_crowded=False)
    protocol.resume_writing()
    protocol.pause_writing()  # some of it was taken: another wait
    protocol.look(ANSWER_S, is_crowded=False)
    protocol.look(2 * ANSWER_S - 1, is_crowded=False)
    assert transport.ended == ""
    protocol.look(2 * ANSWER_S, is_crowded=False)
    assert (transport.ended, server.refused) == ("aborted", {"slow_reader": 1})


@pytest.mark.parametrize(
    ("sent", "calm_s", "crowded_s", "code"),
    [
        (b"POST / HTTP/1.1\r\n", 5, CROWDED_HEAD_S, "slow_head"),
        (HEAD % 2 + b"{", 20, 5, "slow_body"),
    ],
    ids=["head", "body"],
)
async def test_who_is_slow_has_less_time_in_a_crowd(
    server: Server, sent: bytes, calm_s: float, crowded_s: float, code: str
) -> None:
    """In the head of a request as long as anybody needs, in its body as long as others have for a head."""
    for is_crowded, patience_s in ((False, calm_s), (True, crowded_s)):
        connection, transport = server.connect()
        connection.data_received(sent)
        connection.look(0, is_crowded=is_crowded)
        connection.look(patience_s - 0.1, is_crowded=is_crowded)
        assert transport.ended == ""
        connection.look(patience_s, is_crowded=is_crowded)
        assert transport.ended == "closed"
    assert server.refused == {code: 2}


async def test_a_request_that_is_worked_on_has_all_the_time_it_needs(server: Server) -> None:
    protocol, transport = server.connect()
    protocol.data_received(HEAD % 2 + b"{}")
    for now_s in range(0, 10_000, 100):
        protocol.look(now_s, is_crowded=True)
    assert transport.ended == ""
    server.answering.set()
    await settle()
    assert transport.written.startswith(b"HTTP/1.1 204")


async def test_a_second_head_behind_a_request_under_way_is_bounded_and_spoils_no_answer(server: Server) -> None:
    protocol, transport = server.connect()
    protocol.data_received(HEAD % 2 + b"{}")
    protocol.data_received(b"GET / HTTP/1.1\r\nx: ")
    protocol.data_received(b"y" * MAX_HEAD_BYTES)
    assert (transport.written, transport.ended, server.refused) == (b"", "closed", {"head_too_large": 1})


async def test_all_unfinished_bodies_together_are_bounded_and_finished_ones_are_given_back(server: Server) -> None:
    bodies = [server.connect() for _ in range(4)]
    size = MAX_UNFINISHED_BYTES // 5
    for protocol, _ in bodies:
        protocol.data_received(HEAD % (10 * size))
        protocol.data_received(b"x" * (size - 1000))
    one_more, transport = server.connect()
    one_more.data_received(HEAD % (10 * size))
    one_more.data_received(b"x" * size)
    one_more.data_received(b"x" * 10_000)
    assert transport.written.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 1\r\n" in transport.written
    for protocol, _ in (*bodies, (one_more, transport)):
        protocol.connection_lost(ConnectionResetError())
    assert server.guard.unfinished_bytes == 0


async def test_a_body_in_pieces_is_counted_until_it_is_whole(server: Server) -> None:
    server.answering.set()
    protocol, transport = server.connect()
    for _ in range(3):
        protocol.data_received(HEAD % 300_000 + b"x" * 100_000)
        protocol.data_received(b"x" * 100_000)
        assert server.guard.unfinished_bytes >= 200_000
        protocol.data_received(b"x" * 100_000)
        assert server.guard.unfinished_bytes == 0
        await settle()
    assert (transport.written.count(b"HTTP/1.1 204"), transport.ended) == (3, "")


async def test_a_stop_ends_a_busy_connection_with_its_answer(server: Server) -> None:
    protocol, transport = server.connect()
    protocol.data_received(HEAD % 2 + b"{}")
    protocol.shutdown()
    server.answering.set()
    await settle()
    assert b"connection: close" in transport.written
    assert transport.ended == "closed"


async def test_a_stop_takes_the_request_that_was_on_its_way(server: Server) -> None:
    """What the client sent before it could know is answered; a connection closed at once would have lost it."""
    server.answering.set()
    protocol, transport = server.connect()
    protocol.data_received(HEAD % 2 + b"{}")
    await settle()
    protocol.shutdown()
    assert transport.ended == ""
    protocol.data_received(HEAD % 2 + b"{}")
    await settle()
    first, second = transport.written.split(b"HTTP/1.1 ")[1:]
    assert b"connection: close" not in first
    assert b"connection: close" in second
    assert transport.ended == "closed"


@pytest.mark.usefixtures("_soon")
async def test_a_stop_closes_what_stays_idle(server: Server) -> None:
    protocol, transport = server.connect()
    protocol.shutdown()
    await asyncio.sleep(0.01)
    assert transport.ended == "closed"


async def test_a_head_behind_a_body_that_was_refused_is_bounded_as_any_other(server: Server) -> None:
    protocol, transport = server.connect()
    size = 2 * MAX_HEAD_BYTES
    server.answering.set()
    protocol.data_received(HEAD % size)
    await settle()
    assert transport.written.startswith(b"HTTP/1.1 204"), "answered before its body"
    protocol.data_received(b"y" * (size - 1))
    protocol.data_received(b"yGET / HTTP/1.1\r\nx: ")
    protocol.data_received(b"y" * MAX_HEAD_BYTES)
    assert server.refused == {}, "the body's bytes are not the head's"
    protocol.data_received(b"y")
    assert (transport.ended, server.refused) == ("closed", {"head_too_large": 1})


UPGRADE = (
    b"POST /asked HTTP/1.1\r\nhost: x\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: %s\r\n"
    b"http2-settings: AAEAAEAA\r\ncontent-length: %d\r\n\r\n%s"
)
SMUGGLED = b"GET /asked?smuggled HTTP/1.1\r\nhost: x\r\n\r\n"
BEHIND = b"GET /asked HTTP/1.1\r\nhost: x\r\n\r\n"


async def answered(server: Server) -> tuple[GuardedProtocol, NotingTransport]:
    """Return a connection whose request was answered."""
    server.answering.set()
    connection, transport = server.connect()
    connection.data_received(BEHIND)
    await settle()
    return connection, transport


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket", b"h2c, websocket"])
@pytest.mark.parametrize("at", [0, 20, 100, 165, 180, 200, 230, 260])
async def test_a_request_that_asks_for_an_upgrade_is_answered_as_any_other(
    server: Server, protocol: bytes, at: int
) -> None:
    """Its body is its own, in however many pieces it comes: taken for the next request it would smuggle one in."""
    server.answering.set()
    connection, transport = server.connect()
    sent = UPGRADE % (protocol, len(SMUGGLED), SMUGGLED) + BEHIND
    for part in (sent[:at], sent[at:]):
        connection.data_received(part)
        await settle()
    await settle()
    assert [asked[:2] for asked in server.asked] == [("POST", SMUGGLED), ("GET", b"")]
    assert not {b"upgrade", b"http2-settings"} & set(server.asked[0][2])
    assert (transport.written.count(b"HTTP/1.1 204"), transport.ended) == (2, "")


async def test_an_upgrade_that_ends_with_its_answer_does_so(server: Server) -> None:
    server.answering.set()
    connection, transport = server.connect()
    connection.data_received(b"GET /asked HTTP/1.1\r\nhost: x\r\nconnection: upgrade, close\r\nupgrade: h2c\r\n\r\n")
    await settle()
    assert (transport.written.count(b"HTTP/1.1 204"), transport.ended) == (1, "closed")


async def test_a_tunnel_is_refused(server: Server) -> None:
    connection, transport = server.connect()
    connection.data_received(b"CONNECT shop.example:443 HTTP/1.1\r\nhost: shop.example\r\n\r\n")
    assert transport.written.startswith(b"HTTP/1.1 400")
    assert (transport.ended, server.refused) == ("closed", {"bad_request": 1})


async def test_garbage_behind_a_request_is_not_the_answer_to_it(server: Server) -> None:
    connection, transport = server.connect()
    connection.data_received(HEAD % 2 + b"{}")
    connection.data_received(b"\x00\x01 garbage\r\n\r\n")
    assert (transport.written, transport.ended, server.refused) == (b"", "closed", {"bad_request": 1})


async def test_requests_behind_one_that_is_not_answered_are_bounded(server: Server) -> None:
    server.answering.set()
    patient, answers = server.connect()
    patient.data_received(BEHIND * (1 + connections.MAX_PIPELINED))
    for _ in range(1 + connections.MAX_PIPELINED):
        await settle()
    assert (answers.written.count(b"HTTP/1.1 204"), answers.ended) == (1 + connections.MAX_PIPELINED, "")
    greedy, nothing = server.connect()
    greedy.data_received(BEHIND * (2 + connections.MAX_PIPELINED))
    assert (nothing.written, nothing.ended) == (b"", "closed")


async def test_a_little_that_nobody_reads_holds_no_place_either(server: Server) -> None:
    """Less than makes the transport pause the writer: the connection looked idle, and closing waits for the reader."""
    connection, transport = await answered(server)
    transport.unread = 1
    connection.look(0, is_crowded=True)
    connection.look(ANSWER_S - 1, is_crowded=True)
    assert transport.ended == ""
    connection.look(ANSWER_S, is_crowded=True)
    assert (transport.ended, server.refused) == ("aborted", {"slow_reader": 1})


async def test_whoever_is_answering_is_told_that_the_client_has_left(server: Server) -> None:
    """Also when another request has come behind: uvicorn tells the newest alone."""
    connection, _ = server.connect()
    connection.data_received(UPGRADE % (b"h2c", 2, b"{"))
    connection.connection_lost(ConnectionResetError())
    queued, transport = server.connect()
    queued.data_received(BEHIND * 2)
    await settle()
    queued.connection_lost(ConnectionResetError())
    server.answering.set()
    await settle()
    assert (server.left, server.asked, transport.written) == (2, [], b"")


async def test_trailers_are_none_of_the_headers(server: Server) -> None:
    """Behind what a proxy wrote, a trailer of the same name would be believed."""
    server.answering.set()
    connection, _ = server.connect()
    head = b"POST /asked HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    connection.data_received(head + b"2\r\n{}\r\n0\r\nx-forwarded-for: 8.8.8.8\r\n\r\n")
    await settle()
    assert server.asked == [("POST", b"{}", [b"host", b"transfer-encoding"])]


async def test_a_fault_at_one_connection_leaves_the_others_watched(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(guard, "SWEEP_S", 0.001)
    looked = asyncio.Event()

    class Looked:
        def __init__(self, *, is_sound: bool) -> None:
            self._is_sound = is_sound

        def look(self, now_s: float, *, is_crowded: bool) -> None:
            if not self._is_sound:
                raise RuntimeError(f"nobody foresaw it at {now_s}, crowded: {is_crowded}")
            looked.set()

    watching = asyncio.create_task(server.guard.watch([Looked(is_sound=False), Looked(is_sound=True)]))
    async with asyncio.timeout(10):
        await looked.wait()
    watching.cancel()
    assert "nobody foresaw it" in caplog.text


async def test_trailers_are_not_kept(server: Server) -> None:
    """As pairs of objects they would take twenty times what was counted of them."""
    connection, _ = server.connect()
    connection.data_received(b"POST /asked HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n")
    connection.data_received(b"aa:bb\r\n" * 1_000)
    assert connection.headers == []


@pytest.mark.usefixtures("_soon")
async def test_a_stop_closes_a_connection_whose_answer_is_not_taken_yet(server: Server) -> None:
    """Closing waits until it is; asked only once, it must not be passed over."""
    connection, transport = await answered(server)
    transport.unread = 100
    connection.shutdown()
    await asyncio.sleep(0.01)
    assert transport.ended == "closed"


async def test_who_takes_an_answer_slowly_gets_all_of_it(server: Server) -> None:
    connection, transport = await answered(server)
    for step in range(4):
        transport.unread = 60_000 - 15_000 * step
        connection.look(step * (ANSWER_S - 1), is_crowded=False)
    assert transport.ended == ""
    for second in range(5):
        transport.unread -= 1  # a byte now and then is not taking it
        connection.look(4 * ANSWER_S + second * ANSWER_S / 4, is_crowded=False)
    assert transport.ended == "aborted"
