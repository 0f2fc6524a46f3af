"""One webhook on its way: pinned, verified, never redirected, within its time."""

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.outgoing import courier as module
from server.outgoing.courier import Courier
from server.outgoing.settling import Outcome
from server.outgoing.target import Guard, read_target
from server.proxies import parse_networks
from tests.conftest import StandingClock
from tests.webhook_receiver import Receiver, Reply

LOOPBACK = parse_networks(["127.0.0.0/8"])
HEADERS = {"webhook-id": "id-1"}
BODY = b'{"specversion":"1.0"}'
PEM = Path(__file__).parent / "hooks.example.pem"
Listen = Callable[..., Receiver]


@pytest.fixture
def listen() -> Iterator[Listen]:
    started: list[Receiver] = []

    def start(*deck: Reply, **choices: object) -> Receiver:
        started.append(Receiver(deck or (Reply.OK,), **choices))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def courier(clock: StandingClock) -> Iterator[Courier]:
    made = Courier(Guard(networks=LOOPBACK), clock)
    yield made
    made.close()


def url(receiver: Receiver, path: str = "/") -> str:
    return f"http://127.0.0.1:{receiver.port}{path}"


def test_carries_headers_and_body_as_they_are(courier: Courier, listen: Listen) -> None:
    receiver = listen()
    outcome = courier.carry(url(receiver, "/a?b=c"), HEADERS, BODY)
    (met,) = receiver.met
    assert (outcome.has_arrived, outcome.status) == (True, 204)
    assert (met.path, met.body, met.headers["webhook-id"]) == ("/a?b=c", BODY, "id-1")
    assert met.headers["content-type"] == "application/cloudevents+json"
    assert met.headers["host"] == f"127.0.0.1:{receiver.port}"


def test_a_connection_is_used_again_and_made_anew_when_the_target_has_closed_it(
    courier: Courier, listen: Listen
) -> None:
    receiver = listen(Reply.OK, Reply.OK, Reply.LOSE_ANSWER, Reply.OK)
    outcomes = [courier.carry(url(receiver), HEADERS, BODY) for _ in range(3)]
    assert all(each.has_arrived for each in outcomes)
    assert [each.connection for each in receiver.met] == [1, 1, 1, 2]


@pytest.mark.parametrize("reply", [Reply.BUSY, Reply.REFUSE, Reply.GONE])
def test_tells_what_the_target_answered(courier: Courier, listen: Listen, reply: Reply) -> None:
    outcome = courier.carry(url(listen(reply, headers={"retry-after": "7"})), HEADERS, BODY)
    assert (outcome.has_arrived, outcome.status, outcome.retry_after_s) == (False, int(reply), 7.0)


def test_an_answer_that_comes_before_all_was_sent_is_read(courier: Courier, listen: Listen) -> None:
    receiver = listen(max_bytes=1_000)
    outcomes = [courier.carry(url(receiver), HEADERS, body) for body in (BODY, b"x" * 20_000_000, BODY)]
    assert [each.status for each in outcomes] == [204, 413, 204]
    assert [each.connection for each in receiver.met] == [1, 2], "no other follows the half of one"


def test_interim_answers_are_passed_over_within_bounds(courier: Courier, listen: Listen) -> None:
    receiver = listen(interim=[100, 102, 103, 103])
    assert [courier.carry(url(receiver), HEADERS, BODY).status for _ in range(2)] == [204, 204]
    assert [each.connection for each in receiver.met] == [1, 1]
    for statuses, told in (([101], 101), ([103] * 100, 103)):
        assert courier.carry(url(listen(interim=statuses)), HEADERS, BODY).status == told


def test_a_redirect_is_a_failure_and_is_not_followed(courier: Courier, listen: Listen) -> None:
    other = listen()
    first = listen(Reply.REDIRECT, headers={"location": url(other)})
    outcome = courier.carry(url(first), HEADERS, BODY)
    assert (outcome.has_arrived, outcome.status) == (False, 302)
    assert (len(first.met), other.met) == (1, [])


def test_faults_of_the_network_are_told_and_raise_nothing(courier: Courier, listen: Listen) -> None:
    for reply in (Reply.RESET, Reply.LOSE_ANSWER):
        outcome = courier.carry(url(listen(reply)), HEADERS, BODY)
        assert (outcome.has_arrived, outcome.status) == (False, None)
        assert outcome.error
    gone = listen()
    gone.close()
    assert courier.carry(url(gone), HEADERS, BODY).error == "Connection refused"
    assert courier.carry("nonsense", HEADERS, BODY).error == "url begins with https:// and names a host."


@pytest.mark.parametrize("reply", [Reply.HANG, Reply.DRIP])
def test_an_exchange_ends_however_slowly_its_bytes_come(
    courier: Courier, listen: Listen, reply: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EXCHANGE_TIMEOUT_S", 0.5)
    started = time.monotonic()
    outcome = courier.carry(url(listen(reply)), HEADERS, BODY)
    assert (outcome.status, outcome.error) == (None, "no answer in time")
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("is_dead", [True, False])
def test_time_that_ends_while_connecting_is_over_for_all_addresses(
    clock: StandingClock, listen: Listen, monkeypatch: pytest.MonkeyPatch, is_dead: bool
) -> None:
    receiver = listen(Reply.DRIP)
    connect = socket.create_connection

    def connect_late(address: tuple[str, int], timeout_s: float) -> socket.socket:
        if address[0] == "127.0.0.1":
            return connect(address, timeout_s)
        receiver.stopping.wait(0.2)  # longer than the whole exchange may take
        if is_dead:
            raise TimeoutError
        return connect(("127.0.0.1", address[1]), timeout_s)

    monkeypatch.setattr(module, "EXCHANGE_TIMEOUT_S", 0.1)
    monkeypatch.setattr(socket, "create_connection", connect_late)
    guard = Guard(networks=LOOPBACK, resolve=lambda _host, _port: ["127.0.0.2", "127.0.0.3", "127.0.0.1"])
    outcome = Courier(guard, clock).carry(f"http://slow.example:{receiver.port}/", HEADERS, BODY)
    assert (outcome.status, outcome.error) == (None, "no answer in time")
    assert receiver.met == []


def test_an_endless_answer_is_read_to_its_bound_and_thrown_away(courier: Courier, listen: Listen) -> None:
    receiver = listen(Reply.FLOOD, Reply.OK)
    assert courier.carry(url(receiver), HEADERS, BODY).has_arrived
    assert courier.carry(url(receiver), HEADERS, BODY).has_arrived
    assert [each.connection for each in receiver.met] == [1, 2], "the rest is not waited for"


def test_private_targets_are_refused_without_the_setting(clock: StandingClock, listen: Listen) -> None:
    receiver = listen()
    outcome = Courier(Guard(), clock).carry(url(receiver), HEADERS, BODY)
    assert outcome.error
    assert "not on the public network" in outcome.error
    assert receiver.met == []


def test_a_name_that_answers_otherwise_the_second_time_is_refused(clock: StandingClock, listen: Listen) -> None:
    """DNS rebinding: what was checked is connected to, and each new connection is checked."""
    receiver = listen()
    answers = iter([["93.184.215.14"], ["127.0.0.1"], ["93.184.215.14", "127.0.0.1"]])
    guard = Guard(resolve=lambda _host, _port: next(answers))
    target = f"https://rebind.example:{receiver.port}/"
    pinned = guard.pin(read_target(target))
    assert pinned == ["93.184.215.14"]
    for _ in range(2):
        outcome = Courier(guard, clock).carry(target, HEADERS, BODY)
        assert outcome.error == "rebind.example is not on the public network; FOOTFALL_WEBHOOK_PRIVATE allows others."
    assert receiver.met == []


class TestTls:
    """https to a pinned address: the name is checked, not the address."""

    @pytest.fixture
    def told(self) -> list[str | None]:
        return []

    @pytest.fixture
    def receiver(self, listen: Listen, told: list[str | None]) -> Receiver:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(PEM)
        context.sni_callback = lambda _socket, name, _context: told.append(name)
        return listen(tls=context)

    @staticmethod
    def carry(receiver: Receiver, host: str, clock: StandingClock, trusted: Path | None, body: bytes = BODY) -> Outcome:
        context = ssl.create_default_context(cafile=trusted)
        guard = Guard(networks=LOOPBACK, resolve=lambda _host, _port: ["127.0.0.1"])
        made = Courier(guard, clock, context)
        try:
            return made.carry(f"https://{host}:{receiver.port}/", HEADERS, body)
        finally:
            made.close()

    def test_host_and_server_name_are_the_urls(
        self, receiver: Receiver, clock: StandingClock, told: list[str | None]
    ) -> None:
        assert self.carry(receiver, "hooks.example", clock, PEM).has_arrived
        assert told == ["hooks.example"]
        assert receiver.met[0].headers["host"] == f"hooks.example:{receiver.port}"

    def test_an_answer_that_comes_before_all_was_sent_is_read(self, receiver: Receiver, clock: StandingClock) -> None:
        receiver.max_bytes = 1_000
        assert self.carry(receiver, "hooks.example", clock, PEM, b"x" * 20_000_000).status == 413

    def test_another_name_is_refused(self, receiver: Receiver, clock: StandingClock) -> None:
        outcome = self.carry(receiver, "other.example", clock, PEM)
        assert "certificate is not trusted" in (outcome.error or "")
        assert receiver.met == []

    def test_an_unknown_authority_is_refused(self, receiver: Receiver, clock: StandingClock) -> None:
        outcome = self.carry(receiver, "hooks.example", clock, None)
        assert "certificate is not trusted" in (outcome.error or "")
        assert receiver.met == []
