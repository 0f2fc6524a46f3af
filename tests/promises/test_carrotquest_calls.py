"""Carrot quest's calls, as a customer's program makes and repeats them, through a failing network: each done once."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from tests.fault_proxy import Fate, FaultProxy
from tests.real_server import RealServer

pytestmark = [pytest.mark.promise, pytest.mark.timeout(120)]
COUNT = 12


@pytest.fixture
def server(start: Callable[..., RealServer]) -> RealServer:
    """Return a running server."""
    return start()


@pytest.fixture
def proxy(server: RealServer) -> Iterator[FaultProxy]:
    """Return the failing network in front of it."""
    running = FaultProxy(server.port)
    yield running
    running.close()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """Return what sends again whatever may be sent again, as its documentation shows."""
    policy = Retry(total=10, backoff_factor=0.05, status_forcelist=(429, 503), allowed_methods=None)
    with requests.Session() as running:
        running.trust_env = False  # a developer's proxy knows no loopback
        running.mount("http://", HTTPAdapter(max_retries=policy))
        yield running


@pytest.mark.parametrize("way", ["_nonce", "Idempotency-Key"])
def test_calls_that_name_themselves_are_done_once(
    server: RealServer, proxy: FaultProxy, session: requests.Session, way: str
) -> None:
    def call(path: str, number: int, **parameters: Any) -> Any:
        name = f"{path}-{number}"
        body = {"auth_token": server.secret_key, "by_user_id": "true", **parameters}
        headers = {}
        if way == "_nonce":
            body["_nonce"] = name
        else:
            headers["Idempotency-Key"] = name
        answer = session.post(f"{proxy.base_url}/v1/users/42/{path}", data=body, headers=headers, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    done = 0
    for number in range(COUNT):
        told = call("events", number, event="Step", params=f'{{"number": {number}}}')
        done += told["meta"].get("already_done", False)
        call("props", number, operations='[{"op": "add", "key": "steps", "value": 1}]')
    assert {fate for fate in Fate if proxy.met[fate]} == set(Fate), "each fault happened"
    assert done > 0, "some answers were lost"

    server.wait_until_stored()
    events = server.get("/api/events?name=Step&limit=1000").json()["events"]
    assert Counter(each["props"]["number"] for each in events) == Counter(range(COUNT))
    assert server.get("/api/users/42").json()["properties"]["steps"] == COUNT
