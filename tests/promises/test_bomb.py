"""A bomb, 1 MiB that unpacks into 1 GiB, costs no more than a MiB of events; likewise what only looks like JSON."""

import gzip
import struct
import sys
import zlib
from functools import cache

import orjson
import pytest

from tests.factories import make_batch, make_event
from tests.promises.conftest import StartServer
from tests.promises.figures import Measured, note
from tests.promises.process_cost import memory_bytes, processor_s
from tests.real_server import RealServer, fetch

MIB = 1024 * 1024
TIMES = 10
MOST = 2.0

pytestmark = [
    pytest.mark.promise,
    pytest.mark.skipif(sys.platform != "linux", reason="costs are read from Linux's /proc"),
]


@cache
def bomb() -> bytes:
    """Return gzip of 1 GiB of blanks, less than 1 MiB long: one packed piece, repeated."""
    piece = b" " * (8 * MIB)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)  # depends on nothing before it
    check = 0
    for _ in range(128):
        check = zlib.crc32(piece, check)
    end = b"\x03\x00" + struct.pack("<II", check, 1024 * MIB)
    found = b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + packed * 128 + end
    assert len(found) < MIB
    return found


def valid_mib() -> bytes:
    """Return a batch of just under 1 MiB."""
    events = [make_event(props={"text": f"{number:04d}" * 209}) for number in range(1000)]
    body = orjson.dumps(make_batch(*events))
    assert 0.95 * MIB < len(body) < MIB
    return body


def deep() -> bytes:
    return b'{"site":"default","events":[' + b'[{"a":' * 170_000


@cache
def hostile_bodies() -> dict[str, tuple[bytes, int]]:
    """Return each body and the status that it gets."""
    return {
        "bomb": (bomb(), 413),
        "bomb within a bomb": (gzip.compress(bomb()), 400),
        "open brackets": (deep()[:MIB], 413),  # whether it is JSON is not found out, which would take too long
        "quotes": ((b'{"site":"default","events":["' + b'\\"' * MIB)[:MIB], 400),
        "numbers": ((b'{"site":"default","events":[' + b"9" * MIB)[:MIB], 400),
    }


def cost_of(server: RealServer, bodies: list[bytes], status: int) -> float:
    """Return the processor time of one body; the first, which also warms up, is not counted."""
    started = 0.0
    for number, body in enumerate(bodies):
        assert fetch(f"{server.base_url}/collect", body=body).status == status
        if number == 0:
            started = processor_s(server)
    return (processor_s(server) - started) / (len(bodies) - 1)


@pytest.mark.parametrize("name", ["bomb", "bomb within a bomb", "open brackets", "quotes", "numbers"])
def test_a_bomb_costs_at_most_twice_a_valid_mib(start: StartServer, name: str) -> None:
    body, status = hostile_bodies()[name]
    honest = start()
    honest_s = cost_of(honest, [valid_mib() for _ in range(TIMES)], 200)
    honest_bytes = memory_bytes(honest, "VmHWM")
    honest.stop()
    bombed = start()
    hostile_s = cost_of(bombed, [body] * TIMES, status)
    hostile_bytes = memory_bytes(bombed, "VmHWM")
    note(
        Measured(f"{name}: processor time ÷ that of a valid MiB", hostile_s / honest_s, f"≤ {MOST:g}"),
        Measured(f"{name}: memory at most ÷ that for a valid MiB", hostile_bytes / honest_bytes, f"≤ {MOST:g}"),
    )

    assert hostile_s <= MOST * honest_s
    assert hostile_bytes <= MOST * honest_bytes
    assert bombed.get("/health/live").status == 200
