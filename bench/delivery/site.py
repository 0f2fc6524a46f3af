"""The customer's site, any number of hosts: its page, and the journal in which its pages note what they have tracked.

Shape:  `http://<profile>.localhost:<port>/page` is the page, at each host a site and so a visitor of its own;
        `POST /journal` takes a list of {"ids"?, "isReady"?, "isDone"?, "noise", "isHidden"} and belongs to the host.
"""

import json
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

FOLDER = Path(__file__).resolve().parent
STUB = FOLDER.parent.parent / "server" / "web" / "static" / "stub.js"
_POLL_S = 0.02


@dataclass(slots=True)
class Journal:
    """What the pages of one profile have said. Shape: the counters are of pages, noise is the latest page's."""

    ids: list[str] = field(default_factory=list)
    ready: int = 0
    done: int = 0
    entries: int = 0
    noise: list[str] = field(default_factory=list)
    hidden: int = 0


class Site:
    """Owns the socket and its threads."""

    def __init__(self, tracker_url: str) -> None:
        self.journals: dict[str, Journal] = defaultdict(Journal)
        stub = STUB.read_text(encoding="utf-8").strip()
        page = (FOLDER / "page.html").read_text(encoding="utf-8")
        self._pages = {
            "/page": page.replace("%SERVER%", tracker_url).replace("%STUB%", stub),
            "/hub": (FOLDER / "hub.html").read_text(encoding="utf-8"),
        }
        self._lock = threading.Lock()
        self._http = _Http(("127.0.0.1", 0), self._handler())
        self._port = self._http.server_port
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._thread.start()

    def url(self, profile: str, path: str) -> str:
        """Return an address of the profile's site."""
        return f"http://{profile}:{self._port}/{path}"

    def wait_for(self, what: str, profiles: list[str], count: int, timeout_s: float) -> None:
        """Return once each profile's counter has come to `count`. Errors: TimeoutError, which names the others."""
        end = time.monotonic() + timeout_s
        while missing := [name for name in profiles if getattr(self.journals[name], what) < count]:
            if time.monotonic() > end:
                raise TimeoutError(f"not {what}: {', '.join(missing)}")
            time.sleep(_POLL_S)

    def close(self) -> None:
        """Free the port."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _note(self, host: str, entries: list[dict[str, Any]]) -> None:
        with self._lock:
            for entry in entries:
                self._enter(self.journals[host], entry)

    @staticmethod
    def _enter(journal: Journal, entry: dict[str, Any]) -> None:
        journal.ids += entry.get("ids", [])
        journal.ready += bool(entry.get("isReady"))
        journal.done += bool(entry.get("isDone"))
        journal.hidden += bool(entry["isHidden"])
        journal.noise = entry["noise"]
        journal.entries += 1

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        pages, note = self._pages, self._note

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                text = pages.get(urlsplit(self.path).path)
                self._answer(204 if text is None else 200, (text or "").encode())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                note(self.headers["Host"].split(":")[0], json.loads(body))
                self._answer(204, b"")

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Cache-Control", "no-store")
                if status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Say nothing: a browser that closes its connection early is no failure."""
