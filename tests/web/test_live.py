"""The live stream, read as a browser would."""

import asyncio
from contextlib import aclosing, suppress

import orjson
import pytest

from server.app import close_parts, create_parts
from server.ingest.live import MAX_WAITING, Live
from server.ingest.live_wire import MAX_DATAGRAM_BYTES, MISSED, LiveWire
from server.settings import Settings
from server.web.live import _frames
from tests.factories import make_beacon, make_event


async def collect(live: Live, site: str | None, found: list[bytes]) -> None:
    async for frame in _frames(live, site):
        found.append(frame)  # noqa: PERF401 - the test looks at the list while it grows


@pytest.mark.parametrize(("site", "count"), [(None, 3), ("default", 3), ("other", 0)])
async def test_verdicts_are_told_to_those_who_may_see_them(settings: Settings, site: str | None, count: int) -> None:
    parts = create_parts(settings)
    found: list[bytes] = []
    watching = asyncio.create_task(collect(parts.live, site, found))
    await asyncio.sleep(0)
    same = make_event(props={"a": "line\nbreak"}, time="2100-01-01T00:00:00Z")
    hidden = make_event(name="$identify", props={"operations": []})
    await parts.receiver.receive(make_beacon(), [same, same, make_event(name=""), hidden])
    await asyncio.sleep(0)
    await asyncio.to_thread(close_parts, parts)
    await asyncio.wait_for(watching, 5)
    assert found[0] == b"retry: 2000\n\n"
    assert len(found) == 1 + count
    if count:
        verdicts = [frame.split(b"\n")[0] for frame in found[1:]]
        assert verdicts == [b"event: accepted", b"event: duplicate", b"event: rejected"]
        _, data, *end = found[1].split(b"\n")
        assert end == [b"", b""], "one line of data: a line break in an event cannot end the frame"
        told = orjson.loads(data.removeprefix(b"data: "))
        assert told["event"]["id"] == same["id"]
        assert told["event"]["received_at"].endswith("Z")
        assert [each["code"] for each in told["warnings"]] == ["time_in_future"]
        refused = orjson.loads(found[3].split(b"\n")[1].removeprefix(b"data: "))
        assert (refused["code"], refused["rejected_id"]) == ("bad_name", 1)


async def test_a_slow_watcher_loses_the_oldest_and_slows_nobody() -> None:
    live = Live()
    stream = live.listen()
    first = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    live._tell(("accepted", "default", str(number).encode()) for number in range(MAX_WAITING + 10))
    assert await first == MISSED, "it knows that it must ask"
    assert [await anext(stream) for _ in range(2)] == [("accepted", "default", each) for each in (b"10", b"11")]
    await stream.aclose()
    assert not live.has_listeners()


async def test_a_watcher_of_one_site_is_told_what_it_missed_too() -> None:
    live = Live()
    found: list[bytes] = []
    watching = asyncio.create_task(collect(live, "default", found))
    await asyncio.sleep(0)
    live._tell(("accepted", "other", b"{}") for _ in range(MAX_WAITING + 1))
    live.close()
    await asyncio.wait_for(watching, 5)
    assert found[1:] == [b"event: missed\ndata: {}\n\n"]


def test_the_wire_tells_that_it_lost_something() -> None:
    wire = LiveWire()
    message = ("accepted", "default", b"x" * 10_000)
    wire.send([message] * 1000)
    *received, last = wire.receive()
    assert 0 < len(received) < 1000
    assert received[-1] == message
    assert last == MISSED
    wire.send([message, ("accepted", "default", b"x" * (MAX_DATAGRAM_BYTES + 1))])
    assert list(wire.receive()) == [message, MISSED]
    wire.send([message])
    assert list(wire.receive()) == [message]
    for end in (wire._sender, wire._receiver):
        end.close()


async def test_a_watcher_that_leaves_is_forgotten() -> None:
    live = Live()
    watching = asyncio.create_task(collect(live, None, []))
    await asyncio.sleep(0)
    assert live.has_listeners()
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    await asyncio.sleep(0)
    assert not live.has_listeners()


async def test_a_watcher_hears_something_when_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.ingest.live.HEARTBEAT_S", 0.01)
    async with asyncio.timeout(5), aclosing(_frames(Live(), None)) as frames:
        found = [await anext(frames) for _ in range(3)]
    assert found[1:] == [b"event: alive\ndata: {}\n\n"] * 2, "no comment: a page must see that it is connected"


async def test_nobody_begins_to_watch_after_the_end() -> None:
    """A stop waits for open answers, and would have waited for this one until its patience was over."""
    live = Live()
    live.close()
    found: list[bytes] = []
    await asyncio.wait_for(collect(live, None, found), 5)
    assert found == [b"retry: 2000\n\n"]
