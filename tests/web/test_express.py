"""The express lane answers as the ASGI way does, one connection's requests in order, whichever way each goes."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
import uvicorn
from uvicorn.server import ServerState

from server.app import Application, close_parts, create_app
from server.connections import GuardedProtocol, guarded
from server.guard import IDLE_S, Guard
from server.ingest.queue_file import Submission
from server.settings import Settings
from server.web import collect
from server.web.express import express_protocol
from tests.conftest import StandingClock
from tests.factories import make_id

PATIENCE_S = 10.0
HEAD_S = 2.0


class Wire(asyncio.Transport):
    """What a connection writes to; remembers each write."""

    def __init__(self) -> None:
        super().__init__({"peername": ("203.0.113.7", 4711), "sockname": ("127.0.0.1", 8000)})
        self.writes: list[bytes] = []
        self.is_closed = False
        self.changed = asyncio.Event()

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))
        self.changed.set()

    def close(self) -> None:
        self.is_closed = True
        self.changed.set()

    def is_closing(self) -> bool:
        return self.is_closed

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        """Nobody reads."""

    def resume_reading(self) -> None:
        """Nobody reads."""

    async def answers(self, count: int) -> list[tuple[bytes, bytes]]:
        """Return (head, body) of so many answers, once they are written."""
        async with asyncio.timeout(PATIENCE_S):
            while len(found := _split(b"".join(self.writes))) < count:
                self.changed.clear()
                await self.changed.wait()
        return found


def _split(text: bytes) -> list[tuple[bytes, bytes]]:
    found = []
    while b"\r\n\r\n" in text:
        head, _, rest = text.partition(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
        if len(rest) < length:
            break
        found.append((head, rest[:length]))
        text = rest[length:]
    return found


@pytest_asyncio.fixture
async def app(settings: Settings, clock: StandingClock) -> AsyncIterator[Application]:
    running = create_app(settings, clock=clock)
    parts = running.start()
    yield running
    await asyncio.to_thread(close_parts, parts)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest_asyncio.fixture
async def connect(app: Application) -> Callable[[Wire], GuardedProtocol]:
    config = uvicorn.Config(app, http=express_protocol(app), ws="none", lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    state.default_headers = [(b"date", b"now")]
    loop = asyncio.get_running_loop()

    def make(wire: Wire) -> GuardedProtocol:
        guard = Guard(lambda *_: None, max_connections=10, max_requests=10, head_s=HEAD_S, body_s=20)
        made = guarded(guard, express_protocol(app))(config, state, {}, loop)
        made.connection_made(wire)
        return made

    return make


@pytest.fixture
def connection(connect: Callable[[Wire], GuardedProtocol], wire: Wire) -> GuardedProtocol:
    return connect(wire)


def post(body: object, *headers: str, target: str = "/collect") -> bytes:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"POST {target} HTTP/1.1", "Host: t", "Origin: https://shop.example", *headers]
    return ("\r\n".join(lines) + f"\r\nContent-Length: {len(encoded)}\r\n\r\n").encode() + encoded


def batch(*names: str, site: str = "default") -> dict[str, Any]:
    return {"site": site, "events": [{"id": make_id(), "name": name} for name in names]}


def lines_of(head: bytes) -> list[bytes]:
    return sorted(head.lower().split(b"\r\n"))


async def test_a_whole_request_is_answered_in_one_write(connection: GuardedProtocol, wire: Wire) -> None:
    connection.data_received(post(batch("Bought")))
    ((head, body),) = await wire.answers(1)
    assert (head.split(b"\r\n")[0], json.loads(body)["accepted"]) == (b"HTTP/1.1 200 OK", 1)
    assert (len(wire.writes), wire.is_closed) == (1, False)
    assert b"date: now" in head
    assert not connection.tasks, "no task was made for it"


@pytest.mark.parametrize(
    "request_bytes",
    [
        post(batch("Bought", "")),
        post(batch("Bought", site="nobody")),
        post(b"no json"),
        post({"site": "default", "events": 7}),
        post({"site": "default", "events": [{}] * 1001}),
        post(b"\x1f\x8bbroken"),
        post(batch("Bought"), "Connection: close"),
        post(gzip.compress(json.dumps(batch("Bought")).encode())),
    ],
    ids=["mixed", "unknown site", "no json", "no list", "too many", "broken gzip", "close", "gzip"],
)
async def test_both_ways_give_the_same_answer(connect: Callable[[Wire], GuardedProtocol], request_bytes: bytes) -> None:
    wire, other = Wire(), Wire()
    connect(wire).data_received(request_bytes)
    (express,) = await wire.answers(1)
    connection = connect(other)
    connection.data_received(request_bytes[:-3])  # what comes in two reads goes the ASGI way
    assert connection.tasks
    connection.data_received(request_bytes[-3:])
    (plain,) = await other.answers(1)
    assert lines_of(express[0]) == lines_of(plain[0])
    told, told_again = json.loads(express[1]), json.loads(plain[1])
    if "accepted" in told:  # the same events again
        assert told["accepted"] == told_again["duplicate"]
        told["accepted"], told["duplicate"] = told["duplicate"], told["accepted"]
    assert told == told_again
    assert wire.is_closed == other.is_closed == (b"connection: close" in express[0].lower())


async def test_requests_of_one_read_are_answered_in_order(connection: GuardedProtocol, wire: Wire) -> None:
    """The second cannot go before the first has its answer, whichever way they go."""
    live = b"GET /health/live HTTP/1.1\r\nHost: t\r\n\r\n"
    connection.data_received(post(batch("a")) + post(batch("b", "c")) + live + post(batch("d", "e", "f")))
    answers = await wire.answers(4)
    told = [json.loads(body) for _, body in answers]
    assert [each.get("accepted") for each in told] == [1, 2, None, 3]
    connection.data_received(post(batch("g")))
    assert json.loads((await wire.answers(5))[4][1])["accepted"] == 1


@pytest.mark.parametrize(
    "request_bytes",
    [
        post(batch("Bought"), target="/collect?site=default"),
        post(batch("Bought"), "Expect: 100-continue"),
        post(batch("Bought")).replace(b"HTTP/1.1", b"HTTP/1.0"),
        b"OPTIONS /collect HTTP/1.1\r\nHost: t\r\n\r\n",
    ],
    ids=["query", "expect", "old version", "preflight"],
)
async def test_what_asks_for_anything_special_goes_the_asgi_way(
    connection: GuardedProtocol, wire: Wire, request_bytes: bytes
) -> None:
    connection.data_received(request_bytes)
    assert connection.tasks
    async with asyncio.timeout(PATIENCE_S):
        while connection.tasks:
            await asyncio.gather(*connection.tasks)
    assert wire.writes


async def test_a_stop_lets_the_answer_go_out_and_closes(connection: GuardedProtocol, wire: Wire) -> None:
    connection.data_received(post(batch("Bought")))
    connection.shutdown()
    assert not wire.is_closed, "its event is being committed"
    ((head, body),) = await wire.answers(1)
    assert json.loads(body)["accepted"] == 1
    assert b"connection: close" in head
    assert wire.is_closed


async def test_a_connection_is_kept_for_its_next_request_and_no_longer(connection: GuardedProtocol, wire: Wire) -> None:
    for number in range(2):
        connection.data_received(post(batch("Bought")))
        await wire.answers(number + 1)
        connection.look(number * IDLE_S, is_crowded=False)
        connection.look((number + 1) * IDLE_S - 0.1, is_crowded=False)
        assert not wire.is_closing()
    connection.look(2 * IDLE_S, is_crowded=False)
    assert wire.is_closing()


async def test_a_next_request_that_never_ends_is_a_head_and_not_idle(connection: GuardedProtocol, wire: Wire) -> None:
    connection.data_received(post(batch("Bought")))
    await wire.answers(1)
    connection.data_received(b"POST /collect HTTP/1.1\r\n")
    connection.look(0, is_crowded=False)
    connection.look(HEAD_S - 0.1, is_crowded=False)
    assert not wire.is_closing()
    connection.look(HEAD_S, is_crowded=False)
    assert wire.is_closing()
    assert b"408" in wire.writes[-1]


async def test_who_is_gone_gets_no_answer_and_is_kept_all_the_same(
    connection: GuardedProtocol, wire: Wire, app: Application
) -> None:
    connection.data_received(post(batch("Bought")))
    wire.close()
    connection.connection_lost(None)
    await app.state.parts.queue.submit(Submission(()))  # what is submitted later ends later
    assert app.state.parts.accounts.answers[200] == 1
    assert wire.writes == []
    assert app.state.parts.queue.counts().accepted == 1


async def test_thousands_of_upgrades_in_one_read_are_answered_one_after_another(
    connection: GuardedProtocol, wire: Wire
) -> None:
    """One within the other would be as deep as they are many, and each would hold all that is behind it."""
    connection.data_received(post(b"\x1f\x8b", "Connection: upgrade", "Upgrade: h2c") * 2_000)
    assert len(await wire.answers(2_000)) == 2_000
    assert not wire.is_closed


@pytest.mark.parametrize("pieces", [1, 2])
async def test_trailers_are_none_of_the_headers_on_either_way(
    connection: GuardedProtocol, wire: Wire, app: Application, pieces: int
) -> None:
    body = json.dumps(batch("Bought")).encode()
    head, end = (
        b"POST /collect HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body),
        b"\r\n0\r\n",
    )
    sent = head + body + end + b"Origin: https://elsewhere.example\r\n\r\n"
    cut = len(head) + 5 if pieces > 1 else 0
    connection.data_received(sent[:cut])
    connection.data_received(sent[cut:])
    ((answer, told),) = await wire.answers(1)
    assert json.loads(told)["accepted"] == 1
    assert b"elsewhere" not in answer
    assert app.state.parts.accounts.answers[200] == 1


async def test_no_origin_can_write_lines_into_the_answer(connection: GuardedProtocol, wire: Wire) -> None:
    connection.data_received(post(batch("Bought")).replace(b"https://shop.example", b"https://shop\x0bX-Evil: 1"))
    ((head, _),) = await wire.answers(1)
    assert b"evil" not in head.lower()


async def test_who_does_not_read_answers_waits_for_his_next_one(connection: GuardedProtocol, wire: Wire) -> None:
    connection.pause_writing()
    connection.data_received(post(batch("Bought")) * 3)
    assert connection.tasks, "the ASGI way waits until the client reads"
    connection.resume_writing()
    assert len(await wire.answers(3)) == 3


async def test_no_huge_origin_is_remembered(connection: GuardedProtocol, wire: Wire) -> None:
    origin = b"https://" + b"a" * collect.MAX_REMEMBERED_ORIGIN
    before = collect._remember_accepted_head.cache_info().misses
    connection.data_received(post(batch("Bought")).replace(b"https://shop.example", origin))
    ((head, _),) = await wire.answers(1)
    assert origin in head
    assert collect._remember_accepted_head.cache_info().misses == before
