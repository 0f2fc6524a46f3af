"""A file for pages of other origins, in all its encodings, which are made once at the start."""

import gzip
import hashlib
import re
from typing import Final

import brotli
from starlette.requests import Request
from starlette.responses import Response

ONE_HOUR = "public, max-age=3600"
FOREVER = "public, max-age=31536000, immutable"
HASH_LENGTH = 16
_NOTHING = re.compile(r"q\s*=\s*0(\.0*)?")


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
        encoding = _best(request.headers.get("accept-encoding", ""))
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
        # a proxy that packs or unpacks on the way makes the tag a weak one, which is meant here all the same
        if {etag, "*"} & {
            each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")
        }:
            return Response(status_code=304, headers=headers)
        return Response(self._encoded[encoding], media_type="text/javascript", headers=headers)


def _best(accepted: str) -> str:
    """Return the best encoding that Accept-Encoding names and does not refuse."""
    taken: dict[str, bool] = {}
    for each in accepted.lower().split(","):
        name, *options = (part.strip() for part in each.split(";"))
        taken[name] = not any(_NOTHING.fullmatch(option) for option in options)
    return next((each for each in ("br", "gzip") if taken.get(each)), "identity")
