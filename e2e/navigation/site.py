"""A site that is made for each row of the table: every address below the row's root is a page of it.

Shape:  `/<root>/<anything>` is the row's page; `/<root>/plain/<anything>` has neither its tracker nor its body;
        `/<root>/nothing` answers 204, `/<root>/file` is a download, `/<root>/slow` answers when nobody waits any more,
        `/<root>/pause` after half a second; POST is answered like GET.
"""

import html
import threading
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from e2e.navigation.table import Navigation
from e2e.page_server import STUB

_SLOW_S = 20.0
_PAUSE_S = 0.5
_TAG = '<script async src="{tracker}/tracker.js" data-site="default" {attributes}></script>'
_NPM = (
    '<script type="module">import {{ start }} from "/module.js";'
    ' for (let count = {count}; count--;) start({{ api: "{tracker}", site: "default" }}); window.begun = true</script>'
)
_STUB = "<script>{stub}</script>"
# how the tracker comes into the page
_INCLUSIONS: dict[str, str] = {
    "tag": _STUB + _TAG,
    "bare tag": _TAG,
    "two tags": _STUB + _TAG + _TAG,
    "tag twice by script": _TAG + "<script>addEventListener('load', () => document.head.append(Object.assign("
    "document.createElement('script'), {{src: '{tracker}/tracker.js', onload: () => {{ window.second = true }} }})))"
    "</script>",
    "late": _STUB,
    "npm": _NPM,
    "npm and tag": _NPM + _TAG,
    "tag and npm": _TAG.replace("async ", "") + _NPM,
}


class Site:
    """Owns the socket and its thread. Shape: base_url is of another site than the tracker's 127.0.0.1."""

    def __init__(self, tracker_url: str, package: bytes) -> None:
        self.tracker_url = tracker_url
        self._package = package
        self._rows: dict[str, Navigation] = {}
        self._closing = threading.Event()
        self._seen: list[tuple[str, str]] = []
        self._http = _Http(("127.0.0.1", 0), partial(_Handler, self))
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._thread.start()
        self.base_url = f"http://localhost:{self._http.server_port}"

    def add(self, root: str, row: Navigation) -> str:
        """Return the address below which the row's pages are from now on; it ends with a slash."""
        self._rows[root] = row
        return f"{self.base_url}/{root}/"

    def was_prerendered(self, url: str) -> bool:
        """Return whether a browser has asked for that page before it showed it."""
        return any(path == urlsplit(url).path and "prerender" in purpose for path, purpose in self._seen)

    def close(self) -> None:
        """Free the port."""
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, target: str, purpose: str) -> tuple[HTTPStatus, str, bytes]:
        """Return status, content type and body."""
        path = urlsplit(target).path
        self._seen.append((path, purpose))
        if path == "/module.js":
            return HTTPStatus.OK, "text/javascript", self._package
        root, _, rest = path.lstrip("/").partition("/")
        row = self._rows.get(root)
        if row is None:
            return HTTPStatus.NO_CONTENT, "text/plain", b""
        if rest in _SPECIAL:
            return _SPECIAL[rest](self._closing)
        is_plain = rest.startswith("plain")
        inclusion = "" if is_plain else _INCLUSIONS[row.inclusion]
        script = inclusion.format(
            stub=STUB.read_text(encoding="utf-8").strip(),
            tracker=self.tracker_url,
            attributes=row.attributes,
            count=row.starts,
        )
        page = (
            f'<!doctype html><meta charset="utf-8"><title>{html.escape(rest) or "home"}</title>'
            f'<link rel="icon" href="data:,">{row.head}{script}'
            f'{"" if is_plain else row.body}<p style="height: 3000px">A page</p>'
        )
        page = page.replace("%ROOT%", f"/{root}/").replace("%SERVER%", self.tracker_url)
        return HTTPStatus.OK, "text/html; charset=utf-8", page.encode()


def _answer_slowly(closing: threading.Event) -> tuple[HTTPStatus, str, bytes]:
    closing.wait(_SLOW_S)
    return HTTPStatus.OK, "text/plain", b"late"


def _answer_after_pause(closing: threading.Event) -> tuple[HTTPStatus, str, bytes]:
    closing.wait(_PAUSE_S)
    return HTTPStatus.NO_CONTENT, "text/plain", b""


_SPECIAL: dict[str, Callable[[threading.Event], tuple[HTTPStatus, str, bytes]]] = {
    "nothing": lambda _: (HTTPStatus.NO_CONTENT, "text/plain", b""),
    "file": lambda _: (HTTPStatus.OK, "application/octet-stream", b"a file"),
    "slow": _answer_slowly,
    "pause": _answer_after_pause,
}


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, site: Site, *args: Any) -> None:
        self._site = site
        super().__init__(*args)

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, content_type, body = self._site.answer(self.path, self.headers.get("Sec-Purpose", ""))
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        if content_type == "application/octet-stream":
            self.send_header("Content-Disposition", "attachment")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the name that the base class looks for

    def log_message(self, *_: Any) -> None:
        """Say nothing: the tests' own output is enough."""


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Say nothing: a browser that closes its connection early is no failure."""
