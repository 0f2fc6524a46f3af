"""The collecting end, which keeps every byte that reaches it and hands everything on to the real server.

Shape:  pages and tracker come from one socket under two names: `localhost` is the customer's site, `127.0.0.1` the
        tracker's, so they are of two sites. Only what goes to the tracker is kept.
"""

import gzip
import http.client
import json
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_HOP = {"transfer-encoding", "connection", "date", "server", "content-length"}
_GZIP = b"\x1f\x8b"


class Wire:
    """Owns the socket and its threads. Shape: extra is JavaScript that is added to the tracker's."""

    def __init__(self, server_url: str, extra: str = "") -> None:
        self._server = urlsplit(server_url).netloc
        self._extra = extra.encode()
        self._pages: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._received: list[tuple[bytes, bytes]] = []
        self._http = _Http(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._thread.start()
        self.page_url = f"http://localhost:{self._http.server_port}"
        self.tracker_url = f"http://127.0.0.1:{self._http.server_port}"

    def put_page(self, path: str, html: str) -> str:
        """Serve a page and return its address."""
        self._pages[path] = html.encode()
        return self.page_url + path

    def texts(self) -> Iterator[str]:
        """Yield every request as text: its head and its body, unzipped where it is zipped, and its strings decoded."""
        with self._lock:
            received = list(self._received)
        for head, body in received:
            unzipped = _unzip(body)
            yield f"{head.decode('utf-8', 'replace')}\n{unzipped.decode('utf-8', 'replace')}"
            if b"\\" in unzipped and (beacon := _parse(unzipped)):
                yield "\n".join(strings(beacon))

    def beacons(self) -> list[dict[str, Any]]:
        """Return what was posted to be collected."""
        with self._lock:
            received = list(self._received)
        parsed = (_parse(_unzip(body)) for head, body in received if head.startswith(b"POST"))
        return [beacon for beacon in parsed if beacon]

    def close(self) -> None:
        """Free the port."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        wire = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def do_OPTIONS(self) -> None:
                self._answer()

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                if self.headers["host"].startswith("127.0.0.1"):
                    head = f"{self.requestline}\r\n{self.headers}".encode("utf-8", "replace")
                    status, headers, answer = wire._pass_on(self.command, self.path, head, dict(self.headers), body)
                else:
                    found = wire._pages.get(urlsplit(self.path).path)
                    status, headers, answer = 200, {"content-type": "text/html; charset=utf-8"}, found or b""
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                """Say nothing: the tests' own output is enough."""

        return Handler

    def _pass_on(
        self, method: str, path: str, head: bytes, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        with self._lock:
            self._received.append((head, body))
        asked = {
            name: value for name, value in headers.items() if name.lower() not in {"accept-encoding", "connection"}
        }
        connection = http.client.HTTPConnection(self._server, timeout=20)
        try:
            connection.request(method, path, body or None, asked)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        kept = {name: value for name, value in response.getheaders() if name.lower() not in _HOP}
        if urlsplit(path).path == "/tracker.js":
            answer += b"\n" + self._extra
        return response.status, kept, answer


def strings(value: Any) -> Iterator[str]:
    """Yield all strings of a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from strings(each)


def _unzip(body: bytes) -> bytes:
    if not body.startswith(_GZIP):
        return body
    try:
        return gzip.decompress(body)
    except (OSError, zlib.error, EOFError):
        return body


def _parse(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Say nothing: a browser that closes its connection early is no failure."""
