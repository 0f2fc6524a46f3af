"""No header makes the server believe an address that no trusted proxy vouches for: the whole table, real servers."""

import http.client
import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.promises.conftest import StartServer
from tests.real_server import RealServer

pytestmark = pytest.mark.promise

FORGED = "6.6.6.6"
VISITOR = "203.0.113.7"
PROXY = "127.0.0.2"
STRANGER = "127.0.0.9"
# Everything a visitor may send in the hope that somebody believes it.
FORGERIES = [
    ("X-Forwarded-For", FORGED),
    ("X-Forwarded-For", f"{FORGED}, {PROXY}"),
    ("Forwarded", f"for={FORGED}"),
    ("Forwarded", f'for="{FORGED}, for={VISITOR}'),
    ("X-Real-IP", FORGED),
    ("CF-Connecting-IP", FORGED),
    ("True-Client-IP", FORGED),
    ("Fly-Client-IP", FORGED),
    ("Fastly-Client-IP", FORGED),
    ("X-Client-IP", FORGED),
    ("X-Cluster-Client-IP", FORGED),
    ("X-Forwarded", f"for={FORGED}"),
    ("X-ProxyUser-Ip", FORGED),
]
Headers = Sequence[tuple[str, str]]


def through_proxy(configured: str, forged: tuple[str, str]) -> list[tuple[str, str]]:
    """Return the headers as a proxy passes them on: it appends to the lists and overwrites the single ones."""
    name, value = forged
    if name.lower() == configured == "x-forwarded-for":
        return [(name, f"{value}, {VISITOR}")]
    if name.lower() == configured == "forwarded":
        return [(name, f"{value}, for={VISITOR};proto=https")]
    truth = f"for={VISITOR}" if configured == "forwarded" else VISITOR
    return [(configured, truth)] if name.lower() == configured else [forged, (configured, truth)]


def post(server: RealServer, path: str, peer: str, headers: Headers, body: Any) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10, source_address=(peer, 0))
    connection.putrequest("POST", path)
    content = json.dumps(body).encode()
    for name, value in [*headers, ("content-length", str(len(content)))]:
        connection.putheader(name, value)
    connection.endheaders(content)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    assert json.loads(answer.read())["accepted"] == 1
    connection.close()


def believed(server: RealServer) -> dict[str, str | None]:
    """Return the stored address of every event by its name."""
    server.wait_until_stored()
    lines = server.get("/api/export?format=ndjson").body.splitlines()
    return {event["name"]: event["ip"] for event in map(json.loads, lines)}


@pytest.mark.parametrize("configured", ["x-forwarded-for", "forwarded", "cf-connecting-ip", "x-real-ip"])
def test_no_forged_header_is_believed(start: StartServer, configured: str) -> None:
    """13 forgeries, by a trusted and an untrusted peer, with either key, for each header that may be configured."""
    server = start(
        environment={"FOOTFALL_TRUSTED_PROXIES": f"{PROXY}, 10.0.0.0/8", "FOOTFALL_PROXY_HEADER": configured}
    )
    key = ("authorization", f"Bearer {server.secret_key}")
    expected: dict[str, str | None] = {}
    for number, forgery in enumerate(FORGERIES):
        for peer, headers in ((STRANGER, [forgery]), (PROXY, through_proxy(configured, forgery))):
            name = f"{number} {forgery[0]} from {peer}"
            batch = {"site": "default", "events": [{"name": f"{name}, public"}]}
            post(server, "/collect", peer, headers, batch)
            expected[f"{name}, public"] = STRANGER if peer == STRANGER else VISITOR
            post(server, "/api/events", peer, [key, *headers], {"name": f"{name}, secret"})
            expected[f"{name}, secret"] = None  # the site's server speaks of others: its own address is nobody's
            post(server, "/api/events", peer, [key, *headers], {"name": f"{name}, given", "ip": "198.51.100.4"})
            expected[f"{name}, given"] = "198.51.100.4"
    assert len(expected) == 13 * 2 * 3
    assert believed(server) == expected


def test_no_header_is_believed_when_no_proxy_is_trusted(start: StartServer) -> None:
    server = start()
    for number, forgery in enumerate(FORGERIES):
        post(server, "/collect", PROXY, [forgery], {"site": "default", "events": [{"name": str(number)}]})
    assert believed(server) == {str(number): PROXY for number in range(13)}
