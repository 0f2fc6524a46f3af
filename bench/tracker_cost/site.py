"""The site that is measured: one page, the tracker as it is built, and a server that takes events or is busy."""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

FOLDER = Path(__file__).resolve().parent
STATIC = FOLDER.parent.parent / "server" / "web" / "static"
PLUGINS = "outbound,scroll,errors,engagement,ecommerce,push,calendly,touch,vitals"
TAGS = {
    "": '<script async src="/tracker.js" data-site="default"></script>',
    "plugins": f'<script async src="/tracker.js" data-site="default" data-plugins="{PLUGINS}"></script>',
    "bare": "",
}
BUSY_S = 600
_TYPES = {".js": "text/javascript", ".html": "text/html; charset=utf-8"}


class Site:
    """Owns the socket and its thread. Shape: while `is_busy`, events are answered 503 with Retry-After."""

    def __init__(self) -> None:
        self.is_busy = False
        self._http = _Http(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._thread.start()
        # a name such as people have: the cookie is for the domain above it
        self.url = f"http://www.shop.localhost:{self._http.server_port}/"

    def close(self) -> None:
        """Free the port."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                found = _read(self.path)
                body, suffix = found or (b"", ".html")
                self._answer(200 if found else 404, body, _TYPES[suffix])

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if site.is_busy:
                    self._answer(503, b"{}", "application/json", {"Retry-After": str(BUSY_S)})
                    return
                count = len(json.loads(body)["events"])
                verdict = {"accepted": count, "duplicate": 0, "rejected": [], "warnings": []}
                self._answer(200, json.dumps(verdict).encode(), "application/json")

            def _answer(self, status: int, body: bytes, content_type: str, more: dict[str, str] | None = None) -> None:
                packed = gzip.compress(body) if body else body
                headers = {"Content-Type": content_type, "Content-Encoding": "gzip", **(more or {})}
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(packed))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(packed)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Say nothing: a browser that closes its connection early is no failure."""


def _read(address: str) -> tuple[bytes, str] | None:
    """Return a file and its suffix. Shape: `/` is the page with the tracker, by query with plugins or without any."""
    path, query = urlsplit(address)[2:4]
    if path == "/":
        text = (FOLDER / "page.html").read_text(encoding="utf-8")
        return text.replace("%TRACKER%", TAGS[query]).encode(), ".html"
    folder = FOLDER if path == "/shop.js" else STATIC
    file = (folder / path.lstrip("/")).resolve()
    return (file.read_bytes(), file.suffix) if folder in file.parents and file.is_file() else None
