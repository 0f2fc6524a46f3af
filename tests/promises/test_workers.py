"""`footfall serve --workers N`: whichever process dies, nothing is lost or doubled, the service goes on."""

import http.client
import json
import os
import random
import re
import signal
import sys
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from server.app import TELL_S
from tests.promises.clients import Target, finish_clients, start_clients
from tests.promises.conftest import StartServer
from tests.promises.killing import count_stored
from tests.real_server import SERVE, RealServer, fetch

WORKERS = (*SERVE, "--workers", "2")
KILLS = 8
TRIES = 3
REFUSED = 12
PATIENCE_S = 30.0

pytestmark = [
    pytest.mark.promise,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are found through /proc"),
]


def children(server: RealServer) -> tuple[list[int], list[int]]:
    """Return (collectors, the one that answers, which has the store open), each as process ids."""
    collectors: list[int] = []
    answering: list[int] = []
    pid = server.process.pid
    for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        try:
            files = {str(each.readlink()) for each in Path(f"/proc/{child}/fd").iterdir()}
        except OSError:  # it has just died, or closed a file
            continue
        is_answering = any(file.endswith("events.duckdb") for file in files)
        (answering if is_answering else collectors).append(child)
    return collectors, answering


def wait_for_all(server: RealServer) -> tuple[list[int], list[int]]:
    """Return the children once all are there and the service is ready."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        collectors, answering = children(server)
        if (len(collectors), len(answering)) == (2, 1):
            try:
                if server.get("/health/ready").status == 200:
                    return collectors, answering
            except OSError:
                pass
        time.sleep(0.05)
    raise TimeoutError(server.log()[-3000:])


@pytest.mark.timeout(300)
def test_kills_of_any_process_under_load_lose_nothing_and_double_nothing(
    start: StartServer, source: random.Random
) -> None:
    """Collectors and the one that answers are killed in turn; what is under way at one of them is sent again."""
    server = start(command=WORKERS)
    target = Target()
    clients = start_clients(target, source, count=4)
    target.move(server.port, server.secret_key)
    for number in range(KILLS):
        collectors, answering = wait_for_all(server)
        acknowledged = sum(len(client.journal.acknowledged) for client in clients)
        time.sleep(source.uniform(0.05, 0.4))
        victim = source.choice(collectors) if number % 2 else answering[0]
        os.kill(victim, signal.SIGKILL)
        target.move(server.port, server.secret_key)
        end = time.monotonic() + PATIENCE_S
        while sum(len(client.journal.acknowledged) for client in clients) <= acknowledged:
            assert time.monotonic() < end, "events are accepted again"
            time.sleep(0.01)
    wait_for_all(server)
    target.move(server.port, server.secret_key)
    journal = finish_clients(clients)
    stored = count_stored(server)
    text = server.get("/metrics").body.decode()

    assert journal.oddities == []
    assert stored == Counter(journal.sent)
    assert server.metric("footfall_events_accepted_total") == len(journal.sent)
    answers = float(re.findall(r'^footfall_http_answers_total{status="200"} (\S+)$', text, re.MULTILINE)[0])
    assert answers > journal.replays, "counts of all processes are added up"
    assert server.stop() == 0


def test_a_stop_under_load_keeps_everything_and_a_dead_supervisor_takes_its_children_along(
    start: StartServer, source: random.Random
) -> None:
    target = Target()
    clients = start_clients(target, source, count=3)
    server = start(command=WORKERS)
    target.move(server.port, server.secret_key)
    time.sleep(1)
    assert server.stop() == 0
    acknowledged = set().union(*(client.journal.acknowledged for client in clients))

    server = start(command=WORKERS)
    assert acknowledged <= count_stored(server).keys()
    collectors, answering = wait_for_all(server)
    target.move(server.port, server.secret_key)
    time.sleep(0.5)
    server.kill()
    end = time.monotonic() + PATIENCE_S
    while any(Path(f"/proc/{pid}/cwd").exists() for pid in (*collectors, *answering)):
        assert time.monotonic() < end, "children outlive their supervisor"
        time.sleep(0.05)

    server = start()
    target.move(server.port, server.secret_key)
    journal = finish_clients(clients)
    assert journal.oddities == []
    assert count_stored(server) == Counter(journal.sent)


def test_one_that_served_and_cannot_be_started_for_a_time_ends_no_other(start: StartServer) -> None:
    server = start(command=WORKERS)
    _, answering = wait_for_all(server)
    store = server.data_dir / "events.duckdb"
    away = store.with_name("away.duckdb")
    store.rename(away)
    store.mkdir()  # no store can be opened here, as on a full disk
    os.kill(answering[0], signal.SIGKILL)
    end = time.monotonic() + PATIENCE_S
    while server.log().count("answering has died and is started again") < TRIES:
        assert server.is_running(), server.log()[-3000:]
        assert time.monotonic() < end, server.log()[-3000:]
        time.sleep(0.05)
    body = json.dumps({"site": "default", "events": [{"id": "meanwhile", "name": "Seen"}]}).encode()
    assert fetch(f"{server.base_url}/collect", body=body).json()["accepted"] == 1
    store.rmdir()
    away.rename(store)
    wait_for_all(server)
    server.wait_until_stored()
    assert server.stored_ids() == ["meanwhile"]
    assert server.stop() == 0


def test_what_is_killed_leaves_no_temporary_folder(start: StartServer, tmp_path: Path) -> None:
    """The one that answers removes it after the supervisor's death, the next start after everybody's."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    choices = {"command": WORKERS, "environment": {"TMPDIR": str(folder)}}
    server = start(**choices)
    wait_for_all(server)
    assert len(list(folder.iterdir())) == 1
    server.kill()
    end = time.monotonic() + PATIENCE_S
    while list(folder.iterdir()):
        assert time.monotonic() < end, "it stays"
        time.sleep(0.05)

    server = start(**choices)
    collectors, answering = wait_for_all(server)
    os.kill(server.process.pid, signal.SIGSTOP)  # it shall start nobody again
    for pid in (*answering, *collectors):
        os.kill(pid, signal.SIGKILL)
    server.kill()
    left = list(folder.iterdir())
    assert len(left) == 1
    server = start(**choices)
    wait_for_all(server)
    assert not left[0].exists()
    assert server.stop() == 0
    assert list(folder.iterdir()) == []


def test_all_processes_are_one_server(start: StartServer) -> None:
    """Answers, live events, a session's campaign and the visitor's address, whichever process a request meets."""
    server = start(command=WORKERS, environment={"FOOTFALL_TRUSTED_PROXIES": "127.0.0.0/8"})
    assert server.log().count("shown only now") == 1, "all use the one new password"
    watcher = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    watcher.request("GET", "/api/live", headers={"authorization": f"Bearer {server.secret_key}"})
    stream = watcher.getresponse()
    assert stream.readline().startswith(b"retry")
    ids = [str(uuid.uuid4()) for _ in range(12)]
    for number, each in enumerate(ids):  # a connection for each: the kernel deals them out
        url = "https://shop.example/" + ("" if number != 1 else "?utm_source=news&utm_medium=email")
        event = {"id": each, "name": "Seen", "session_id": "s-1", "page": {"url": url}}
        body = json.dumps({"site": "default", "visitor_id": "v-1", "events": [event]}).encode()
        headers = {"x-forwarded-for": "203.0.113.7", "x-footfall-peer": "198.51.100.1 1"}
        assert fetch(f"{server.base_url}/collect", headers=headers, body=body).json()["accepted"] == 1
    seen: set[str] = set()
    while seen != set(ids):
        line = stream.readline()
        assert line, "the stream goes on"
        if line.startswith(b"data: "):
            seen.add(json.loads(line[6:])["event"]["id"])
    watcher.close()

    server.wait_until_stored()
    stored = {each["id"]: each for each in server.get("/api/events?limit=100").json()["events"]}
    assert [stored[each]["utm_source"] for each in ids] == [None, *["news"] * 11]
    assert {each["ip"] for each in stored.values()} == {"203.0.113.7"}
    forged = {"authorization": f"Bearer {server.secret_key}", "x-footfall-peer": "198.51.100.1 1"}
    assert fetch(f"{server.base_url}/api/stats?metrics=events", headers=forged).status == 200
    assert server.post("/api/events", {"name": "Paid", "id": "paid-1"}).json()["accepted"] == 1
    assert server.post("/api/events", {"name": "Paid", "id": "paid-1"}).json()["duplicate"] == 1
    assert fetch(f"{server.base_url}/nowhere").status == 404
    assert_relayed_answers_count_once(server)
    assert server.stop() == 0


def test_what_the_one_that_answers_refuses_counts_once(start: StartServer) -> None:
    """A collector passes it on and counts the answer: the one that answers must not count it as well."""
    server = start(command=WORKERS, environment={"FOOTFALL_MAX_REQUESTS": "1"})
    wait_for_all(server)
    watcher = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    watcher.request("GET", "/api/live", headers={"authorization": f"Bearer {server.secret_key}"})
    assert watcher.getresponse().readline().startswith(b"retry")
    with ThreadPoolExecutor(REFUSED) as asking:  # the kernel deals them out: not all go to the watcher's collector
        statuses = [each.status for each in asking.map(server.get, ["/api/events"] * REFUSED)]
    assert statuses == [503] * REFUSED, "the watcher takes the only place of the one that answers"
    watcher.close()
    end = time.monotonic() + PATIENCE_S
    while (asked := server.get("/metrics")).status != 200:  # it has not noticed yet that its place is free
        assert time.monotonic() < end, asked.body
        time.sleep(0.05)
    time.sleep(3 * TELL_S)  # now all have told
    refused = server.metric('footfall_requests_refused_total{code="busy"}')
    assert refused == server.metric('footfall_http_answers_total{status="503"}') >= REFUSED


def assert_relayed_answers_count_once(server: RealServer) -> None:
    """Ask one collector for what it passes on, and then for what it answers: it tells its counts of both at once."""
    collector = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    statuses = []
    for method, path, body in (("GET", "/api/events", None), ("POST", "/collect", b"{")):
        collector.request(method, path, body)
        answer = collector.getresponse()
        answer.read()
        statuses.append(answer.status)
    collector.close()
    assert statuses == [401, 400]
    end = time.monotonic() + PATIENCE_S
    while b'footfall_http_answers_total{status="400"} 1.0' not in server.get("/metrics").body:
        assert time.monotonic() < end, "the collector tells nothing"
        time.sleep(0.05)
    assert server.metric('footfall_http_answers_total{status="401"}') == 1
