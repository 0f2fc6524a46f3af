"""The dashboard as its browser asks: its cookie, its connections, its requests.

Called by bench/dashboard.py. The requests are those of server/web/static/dashboard/js: tests/bench/test_browser.py
compares them.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPResponse, RemoteDisconnected
from queue import SimpleQueue
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson

from bench.contestants import PASSWORD
from server.reports.overview import CARDS

CONNECTIONS = 5
"""A browser has six for one host; the live stream keeps one."""
PAGE, ROWS, MOST = 50, 8, 100
ONLY = {"traffic_source": "$session_start"}
TIMEOUT_S = 60.0


class Question(NamedTuple):
    """One request. Shape: what names it in the tables."""

    what: str
    path: str
    query: Mapping[str, Any]


class Answer(NamedTuple):
    """Units: seconds from when the page asks, so that waiting for a free connection counts."""

    what: str
    seconds: float
    body: Any


def counts() -> Question:
    """Return what the totals and the cards ask: the last 24 hours, every ten seconds while events arrive."""
    return Question("totals and cards of 24 hours", "overview", {"since": _ago(24), "limit": ROWS})


def wide_counts(days: float) -> list[Question]:
    """Return what the dashboard does not ask but others may: visitors of a long period, by what it shows."""
    query = {"metrics": "events,visitors", "since": _ago(24 * days), "limit": ROWS}
    by_card = [
        Question(f"counts by {card}, {days:g} days", "stats", {**query, "dimensions": card, "name": ONLY.get(card)})
        for card in CARDS
    ]
    return [Question(f"totals, {days:g} days", "stats", query), *by_card]


def _ago(hours: float) -> str:
    instant = datetime.now(UTC) - timedelta(hours=hours)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def history(**chosen: Any) -> list[Question]:
    """Return what the stream asks for a page: the events, and the rejected ones until there are no more."""
    filtered = " and ".join(sorted(chosen)) or "newest"
    events = Question(f"events, {filtered}", "events", {"limit": PAGE, **chosen})
    if "cursor" in chosen:
        return [events]
    return [events, Question("rejected events", "rejected", {"limit": PAGE})]


def yesterdays() -> Question:
    """Return the question for one event of the day before: of a visitor with few events, whom others do not hide."""
    return Question("an event of yesterday", "events", {"limit": 1, "until": _ago(24)})


def finding(text: str) -> Question:
    """Return what is asked when somebody looks for a visitor or user by a text that is not on the screen."""
    return Question("people, by a text", "users", {"kind": "all", "q": text, "limit": MOST})


NAMES = Question("names of events", "events/names", {"bots": "include"})


class Browser:
    """Somebody who is signed in. Errors: RuntimeError for an answer other than 200."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._cookie = _sign_in(port)
        self._free: SimpleQueue[HTTPConnection] = SimpleQueue()
        for _ in range(CONNECTIONS):
            self._free.put(HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S))
        self._threads = ThreadPoolExecutor(CONNECTIONS)

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Ask all of them at once, over the connections that a browser has."""
        asked = time.perf_counter()
        return list(self._threads.map(lambda question: self._ask(question, asked), questions))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Have the live stream open meanwhile; what comes is read and dropped."""
        connection = socket.create_connection(("127.0.0.1", self._port))
        head = f"GET /api/live HTTP/1.1\r\nhost: 127.0.0.1\r\ncookie: {self._cookie}\r\n\r\n"
        connection.sendall(head.encode())
        reader = threading.Thread(target=_drain, args=(connection,), daemon=True)
        reader.start()
        try:
            yield
        finally:
            connection.shutdown(socket.SHUT_RDWR)
            reader.join()
            connection.close()

    def close(self) -> None:
        """Close the connections."""
        self._threads.shutdown()
        while not self._free.empty():
            self._free.get().close()

    def _ask(self, question: Question, asked: float) -> Answer:
        connection = self._free.get()
        try:
            query = urlencode({name: value for name, value in question.query.items() if value})
            headers = {"accept": "application/json", "cookie": self._cookie}
            answer = _get(connection, f"/api/{question.path}?{query}", headers)
            body = answer.read()
        finally:
            self._free.put(connection)
        if answer.status != 200:
            raise RuntimeError(f"{question.what}: {answer.status} {body[:300]!r}")
        return Answer(question.what, time.perf_counter() - asked, orjson.loads(body))


def _sign_in(port: int) -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    connection.request("POST", "/login", urlencode({"password": PASSWORD}))
    answer = connection.getresponse()
    cookie = answer.getheader("set-cookie")
    connection.close()
    if cookie is None:
        raise RuntimeError(f"no way in: {answer.status}")
    return cookie.partition(";")[0]


def _get(connection: HTTPConnection, target: str, headers: dict[str, str]) -> HTTPResponse:
    """Return the answer; where the server has closed a connection for want of use, ask on a new one as browsers do."""
    for _ in range(2):
        connection.request("GET", target, headers=headers)
        try:
            return connection.getresponse()
        except RemoteDisconnected:
            connection.close()
    raise RuntimeError(f"no answer to {target}")


def _drain(connection: socket.socket) -> None:
    with contextlib.suppress(ConnectionResetError):  # what is unread when it is shut
        while connection.recv(65_536):
            pass
