"""A small reverse proxy on loopback, as nginx is without and with `proxy_set_header Host $http_host`."""

import http.client
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

TIMEOUT_S = 10


class _Handler(BaseHTTPRequestHandler):
    upstream_port: ClassVar[int]
    passes_host: ClassVar[bool]
    added: ClassVar[Mapping[str, str]]

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        headers |= self.added
        upstream = f"127.0.0.1:{self.upstream_port}"
        if not self.passes_host:
            headers["Host"] = upstream
        connection = http.client.HTTPConnection(upstream, timeout=TIMEOUT_S)
        try:
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            told = answer.read()
        finally:
            connection.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"transfer-encoding", "connection", "content-length", "date", "server"}:
                self.send_header(name, value)
        self.send_header("content-length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    do_GET = do_POST = _pass_on  # noqa: N815 - the base class's names

    def log_message(self, *_: object) -> None:
        """Say nothing: the test's own words are enough."""


@contextmanager
def plain_proxy(upstream_port: int, *, passes_host: bool, added: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yield the base URL of a proxy in front of a server. Shape: added are headers that it sets."""
    names = {"upstream_port": upstream_port, "passes_host": passes_host, "added": dict(added or {})}
    with ThreadingHTTPServer(("127.0.0.1", 0), type("_Own", (_Handler,), names)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
