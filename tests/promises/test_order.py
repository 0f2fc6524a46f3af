"""No byte of an answer leaves before the sync that covers its event: read from the system calls, not from the program.

Many connections at once, so that commits are shared; accepted, rejected and repeated events.
"""

import itertools
import json
import threading
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.promises.conftest import StartServer
from tests.promises.figures import Trial, note
from tests.promises.order_trace import Findings, examine, strace_of, wait_for_end, why_no_strace
from tests.real_server import SERVE, RealServer

CONNECTIONS = 16
REQUESTS = 1_000
MANY_REQUESTS = 10_000
REQUESTS_OF_THE_FORGETFUL = 50

pytestmark = [pytest.mark.promise, pytest.mark.timeout(600)]


def ask(server: RealServer, count: int) -> None:
    """Have so many events answered with 200; one of seven is rejected, one of eleven comes twice."""
    numbers = itertools.count()
    faults: list[str] = []

    def run() -> None:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        while (number := next(numbers)) < count:
            name = "" if number % 7 == 0 else "Ordered"
            event = {"id": f"order-{number:06d}-end", "name": name, "props": {"place": number}}
            body = json.dumps({"site": "default", "visitor_id": "v", "events": [event]})
            for _ in range(2 if number % 11 == 0 else 1):
                connection.request("POST", "/collect", body)
                answer = connection.getresponse()
                if answer.status != 200:
                    faults.append(f"{answer.status} {answer.read()!r}")
                answer.read()
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def traced(start: StartServer, folder: Path, count: int, command: Sequence[str] = SERVE) -> Findings:
    if problem := why_no_strace(folder):
        pytest.skip(problem)
    trace = folder / "calls"
    server = start(wrapper=strace_of(trace), command=command)
    ask(server, count)
    server.stop()
    assert wait_for_end(trace)
    return examine(trace)


@pytest.mark.parametrize("count", [REQUESTS, pytest.param(MANY_REQUESTS, marks=pytest.mark.long)])
def test_no_answer_leaves_before_the_sync_that_covers_it(start: StartServer, tmp_path: Path, count: int) -> None:
    findings = traced(start, tmp_path, count)
    early = len(findings.early)
    note(Trial("system calls: an answer that left before the sync of its event", "answers", findings.answers, early))

    assert findings.early == []
    assert findings.answers >= count
    assert findings.syncs < findings.answers, "commits were shared, or the test has not seen the hard case"


def test_the_early_answer_is_seen_when_a_server_acknowledges_from_memory(start: StartServer, tmp_path: Path) -> None:
    """The same look at a server that writes later: were nothing early here, the test above would prove nothing."""
    findings = traced(start, tmp_path, REQUESTS_OF_THE_FORGETFUL, ("-m", "bench.variants", "memory"))

    assert len(findings.early) == findings.answers >= REQUESTS_OF_THE_FORGETFUL
