"""A file for pages of other origins, in all its encodings, which are made once at the start."""

import gzip
import hashlib
from typing import Final

import brotli
from starlette.requests import Request
from starlette.responses import Response

ONE_HOUR = "public, max-age=3600"
FOREVER = "public, max-age=31536000, immutable"
HASH_LENGTH = 16


class Encoded:
    """JavaScript as it is served. Shape: hash is the beginning of the body's SHA-256, in hexadecimal digits."""

    def __init__(self, body: bytes) -> None:
        self.body: Final = body
        self.hash: Final = hashlib.sha256(body).hexdigest()[:HASH_LENGTH]
        self._encoded = {
            "br": brotli.compress(body, quality=11),
            "gzip": gzip.compress(body, 9, mtime=0),
            "identity": body,
        }

    def answer(self, request: Request, cache_control: str) -> Response:
        """Return the file in the best encoding that the browser takes."""
        accepted = request.headers.get("accept-encoding", "")
        encoding = next((each for each in ("br", "gzip") if each in accepted), "identity")
        # a strong tag names the bytes, so each encoding has its own
        etag = f'"{self.hash}-{encoding}"'
        headers = {
            "cache-control": cache_control,
            "etag": etag,
            "vary": "Accept-Encoding",
            "access-control-allow-origin": "*",
            "cross-origin-resource-policy": "cross-origin",
            "x-content-type-options": "nosniff",
        }
        if encoding != "identity":
            headers["content-encoding"] = encoding
        if etag in [each.strip() for each in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers=headers)
        return Response(self._encoded[encoding], media_type="text/javascript", headers=headers)
