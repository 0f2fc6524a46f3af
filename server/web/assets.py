"""Static files of the pages, served from memory. Called by pages.py and demo.py.

A request's path is only ever a key of a dictionary filled at start, so no path can lead out of the folder.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response

from server.errors import NotFound

CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

_HEADERS = {
    # a page and its modules must never be of different versions; the ETag makes asking cheap
    "Cache-Control": "no-cache",
    # a picture opened in its own tab runs nothing
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One static file. Shape: etag is quoted, a strong one."""

    body: bytes
    content_type: str
    etag: str


def read_assets(folder: str) -> Mapping[str, Asset]:
    """Return every file below `static/<folder>`, by its path inside it with forward slashes.

    Errors: KeyError for a file whose content type is not in CONTENT_TYPES.
    """
    return dict(_read(files("server.web") / "static" / folder, ""))


def create_assets_endpoint(folder: str) -> Endpoint:
    """Return the endpoint of `…/{path:path}` that serves one folder. Errors: NotFound from the endpoint."""
    assets = read_assets(folder)

    async def serve_asset(request: Request) -> Response:
        asset = assets.get(request.path_params["path"])
        if asset is None:
            raise NotFound("not_found", "There is no such file.")
        headers = {**_HEADERS, "ETag": asset.etag}
        if asset.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(asset.body, media_type=asset.content_type, headers=headers)

    return serve_asset


def _read(folder: Traversable, prefix: str) -> list[tuple[str, Asset]]:
    found: list[tuple[str, Asset]] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            found += _read(entry, f"{prefix}{entry.name}/")
        else:
            found.append((prefix + entry.name, _asset(entry)))
    return found


def _asset(file: Traversable) -> Asset:
    body = file.read_bytes()
    suffix = file.name[file.name.rindex(".") :]
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return Asset(body=body, content_type=CONTENT_TYPES[suffix], etag=etag)
