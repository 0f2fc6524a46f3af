"""Slow, greedy and too many connections: each has an end, is told so, and is in nobody's way."""

import contextlib
import time

import pytest

from tests.conftest import wait_until
from tests.promises.conftest import StartServer
from tests.promises.raw_client import BEACON, RawClient, head_of, many_clients, request_of
from tests.real_server import RealServer

ORIGIN = "origin: https://shop.example"

pytestmark = pytest.mark.promise


def start_impatient(start: StartServer, **settings: int) -> RealServer:
    chosen = {"request_timeout_s": 3, **settings}
    return start(environment={f"FOOTFALL_{name.upper()}": str(value) for name, value in chosen.items()})


def refusals(server: RealServer, code: str) -> float:
    return server.metric(f'footfall_requests_refused_total{{code="{code}"}}')


def test_heads_and_bodies_that_never_end_are_told_and_closed(start: StartServer) -> None:
    """What is in time is not harmed, also when it comes in pieces."""
    server = start_impatient(start)
    with many_clients(server.port, 6) as (silent, slow_head, slow_body, drip, half, second):
        slow_head.send(b"POST /collect HTTP/1.1\r\nhost: x\r\n")
        slow_body.send(head_of(len(BEACON)) + BEACON[:10])
        half.send(request_of()[:40])
        second.send(request_of())
        assert second.read_answer()[0] == 200
        second.send(b"POST /coll")  # the same, with an answered request before it
        half.send(request_of()[40:90])
        half.send(request_of()[90:])
        assert half.read_answer()[0] == 200
        drip.send(head_of(len(BEACON)))
        for number in range(45):  # a byte now and then is no progress
            try:
                drip.send(BEACON[number : number + 1])
            except OSError:
                break
            time.sleep(0.1)
        assert not drip.is_open()
        assert silent.read_to_end() == b""
        answers = [client.read_to_end() for client in (slow_head, slow_body, second)]
        assert [answer.split(b"\r\n")[0] for answer in answers] == [b"HTTP/1.1 408 Request Timeout"] * 3
        assert b'"code":"slow_head"' in answers[0]
        assert b'"code":"slow_body"' in answers[1]
    assert refusals(server, "slow_head") == 2
    assert refusals(server, "slow_body") == 2
    assert server.metric('footfall_http_answers_total{status="408"}') == 4


@pytest.mark.parametrize("piece", [b"x-filler: 123456789\r\n", b"y" * 100], ids=["many-lines", "one-line"])
def test_a_head_without_end_costs_no_memory(start: StartServer, piece: bytes) -> None:
    server = start_impatient(start, request_timeout_s=90)
    with RawClient(server.port) as client:
        client.send(b"GET /collect HTTP/1.1\r\nx-long: ")
        with contextlib.suppress(OSError):  # or the kernel takes all of it, before a busy machine's server reads any
            for _ in range(2_000_000 // len(piece)):
                client.send(piece)
        wait_until(lambda: not client.is_open())
    wait_until(lambda: refusals(server, "head_too_large") == 1)


def test_requests_beyond_what_is_worked_on_at_once_are_503_with_retry_after(start: StartServer) -> None:
    server = start_impatient(start, max_requests=3, request_timeout_s=90)
    with many_clients(server.port, 3) as slow, RawClient(server.port) as other:
        for client in slow:
            client.send(head_of(len(BEACON)))
        wait_until(lambda: server.get("/api/catalogue").status == 503)
        other.send(head_of(len(BEACON), ORIGIN))
        time.sleep(0.1)  # in two pieces, so that it takes the way of those that are counted
        other.send(BEACON)
        status, headers, body = other.read_answer()
        assert (status, int(headers["retry-after"]) >= 1, b'"busy"' in body) == (503, True, True)
        assert headers["access-control-allow-origin"] == "https://shop.example"
        assert (server.get("/health/live").status, server.get("/health/ready").status) == (200, 200)
        for client in slow:
            client.send(BEACON)
        assert [client.read_answer()[0] for client in slow] == [200] * 3
        other.send(request_of())
        assert other.read_answer()[0] == 200, "the refused connection is as good as any"


def test_connections_beyond_the_limit_are_503_and_those_that_idle_make_room(start: StartServer) -> None:
    server = start_impatient(start, max_connections=8, request_timeout_s=90)
    with many_clients(server.port, 8) as idle, many_clients(server.port, 3) as late:
        for client in (*idle[:4], *late):
            client.send(request_of())
        assert [client.read_answer()[0] for client in idle[:4]] == [200] * 4
        answers = [client.read_answer() for client in late]
        assert [status for status, _, _ in answers] == [503] * 3
        assert all(headers["retry-after"] for _, headers, _ in answers)
        wait_until(lambda: sum(client.is_open() for client in idle) <= 6)  # long before their time is over
        with RawClient(server.port) as client:
            client.send(request_of())
            assert client.read_answer()[0] == 200


def test_far_more_connections_than_places_are_told_before_they_ask(start: StartServer) -> None:
    server = start_impatient(start, max_connections=4, request_timeout_s=90)
    with many_clients(server.port, 8), RawClient(server.port) as late:
        status, headers, _ = late.read_answer()
    assert (status, headers["retry-after"]) == (503, "1")


def test_whoever_sends_too_large_a_body_can_read_why(start: StartServer) -> None:
    server = start_impatient(start, request_timeout_s=90)
    with RawClient(server.port) as client:
        client.send(head_of(5_000_000) + b" " * 5_000_000)
        assert client.read_answer()[0] == 413
        client.send(request_of())
        assert client.read_answer()[0] == 200
