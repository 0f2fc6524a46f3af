"""Serves the pages that stand beside the tests, from an origin of their own.

Shape:  `/<story>/<page>.html` is that file, with %SERVER% replaced by the tracker's address, %STUB% by the snippet's
        inline part and %WATCH% by a script that notes errors in `noise`; `/held/tracker.js` is the tracker's script,
        which the test may hold back.
"""

import threading
import urllib.request
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

FOLDER = Path(__file__).resolve().parent
WATCH = FOLDER / "watch.js"
STUB = FOLDER.parent / "server" / "web" / "static" / "stub.js"
HELD_SCRIPT = "/held/tracker.js"
_HOLD_TIMEOUT_S = 20.0


class PageServer:
    """Owns the socket and its thread.

    Shape: base_url is of another site than the tracker's 127.0.0.1; asked are the paths that were asked for.
    """

    def __init__(self, tracker_url: str) -> None:
        self._tracker_url = tracker_url
        self._may_load = threading.Event()
        self._may_load.set()
        self.asked: list[str] = []
        self._http = _Http(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._thread.start()
        self.base_url = f"http://localhost:{self._http.server_port}"

    def url(self, path: str) -> str:
        """Return the address of a page, `<story>/<page>`, with a query where there is one."""
        name, _, query = path.partition("?")
        return f"{self.base_url}/{name}.html" + (f"?{query}" if query else "")

    def hold_script(self) -> None:
        """Keep requests for the held script waiting."""
        self._may_load.clear()

    def release_script(self) -> None:
        """Answer them."""
        self._may_load.set()

    def close(self) -> None:
        """Free the port."""
        self._may_load.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _read(self, path: str) -> tuple[str, bytes] | None:
        if path == HELD_SCRIPT:
            self._may_load.wait(_HOLD_TIMEOUT_S)
            with urllib.request.urlopen(f"{self._tracker_url}/tracker.js") as answer:  # noqa: S310 - our own server
                return "text/javascript", answer.read()
        file = (FOLDER / path.lstrip("/")).resolve()
        if file.suffix != ".html" or FOLDER not in file.parents or not file.is_file():
            return None
        text = file.read_text(encoding="utf-8").replace("%SERVER%", self._tracker_url)
        for place, script in (("%STUB%", STUB), ("%WATCH%", WATCH)):
            text = text.replace(place, script.read_text(encoding="utf-8").strip())
        return "text/html; charset=utf-8", text.encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        read, asked = self._read, self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = urlsplit(self.path).path
                asked.append(path)
                found = read(path)
                # browsers ask for an icon of their own accord; its absence is no fault of the page
                missing = HTTPStatus.NO_CONTENT if path == "/favicon.ico" else HTTPStatus.NOT_FOUND
                # without a text Chromium shows a page of its own, of no origin
                content_type, body = found or ("text/plain", b"" if missing == HTTPStatus.NO_CONTENT else b"not here")
                self.send_response(HTTPStatus.OK if found else missing)
                self.send_header("Content-Type", content_type)
                # not `no-store`: Firefox would not keep the page in its back-forward cache
                self.send_header("Cache-Control", "no-cache")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing: the tests' own output is enough."""

        return Handler


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Say nothing: a browser that closes its connection early is no failure."""
