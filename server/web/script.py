"""The tracker as it is served: precompressed in memory, with a strong ETag and an immutable hashed name."""

import base64
import gzip
import hashlib
import threading
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path

import brotli
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from server.enrich import bots, user_agent
from server.errors import NotFound
from server.settings import Settings

STATIC = Path(__file__).parent / "static"
ONE_HOUR = "public, max-age=3600"
FOREVER = "public, max-age=31536000, immutable"
HASH_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Snippet:
    """What a site pastes. Shape: stub is JavaScript, stub_hash its CSP source, tag an HTML element."""

    stub: str
    stub_hash: str
    tag: str

    def html(self) -> str:
        """Return both parts as they are pasted."""
        return f"<script>{self.stub}</script>\n{self.tag}"


class Script:
    """The bundle in all its encodings."""

    def __init__(self, settings: Settings) -> None:
        text = (STATIC / "tracker.js").read_text(encoding="utf-8")
        path = _relative(settings.script_path, settings.collect_path)
        self.body = text.replace('"./collect"', f'"{path}"').encode()
        self.hash = hashlib.sha256(self.body).hexdigest()[:HASH_LENGTH]
        self.integrity = "sha384-" + base64.b64encode(hashlib.sha384(self.body).digest()).decode()
        stem, dot, ending = settings.script_path.rpartition(".")
        self.path = settings.script_path
        self.hashed_path = f"{stem}.{self.hash}{dot}{ending}" if dot else f"{settings.script_path}.{self.hash}"
        self.stub = (STATIC / "stub.js").read_text(encoding="utf-8").strip()
        self._encoded = {
            "br": brotli.compress(self.body, quality=11),
            "gzip": gzip.compress(self.body, 9, mtime=0),
            "identity": self.body,
        }

    def answer(self, request: Request, cache_control: str) -> Response:
        """Return the script in the best encoding that the browser takes."""
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

    def snippet(self, base_url: str, site: str) -> Snippet:
        """Return what a page pastes. Shape: base_url without a slash at its end."""
        digest = base64.b64encode(hashlib.sha256(self.stub.encode()).digest()).decode()
        source = escape(base_url + self.path, quote=True)
        return Snippet(
            self.stub,
            f"sha256-{digest}",
            f'<script async src="{source}" data-site="{escape(site, quote=True)}"></script>',
        )


@lru_cache(maxsize=1)
def _prepare_for_beacons() -> None:
    """Load what the first beacon needs: 0.25 s that no visitor should wait for, 40 MB that an idle server saves.

    A browser asks for the script before it sends anything, so this is the moment.
    """
    for each in (user_agent.warm_up, bots.warm_up):
        threading.Thread(target=each, name="warm-up", daemon=True).start()


async def serve_script(request: Request) -> Response:
    """`/tracker.js`: an hour's cache, so that a new version arrives."""
    _prepare_for_beacons()
    script: Script = request.app.state.parts.script
    return script.answer(request, ONE_HOUR)


async def serve_hashed_script(request: Request) -> Response:
    """`/tracker.<hash>.js`: this very version, for ever."""
    script: Script = request.app.state.parts.script
    if request.path_params["hash"] != script.hash:
        # another version's bytes under this name would be kept for ever, and fail the page's integrity check
        raise NotFound("not_found", "There is no such version of the tracker.", f"This one is {script.hashed_path}.")
    return script.answer(request, FOREVER)


async def serve_integrity(request: Request) -> Response:
    """`/tracker.js.sri`: what goes into the `integrity` attribute of the hashed name."""
    script: Script = request.app.state.parts.script
    return PlainTextResponse(f"{script.integrity} {script.hashed_path}\n", headers={"cache-control": ONE_HOUR})


def _relative(script_path: str, collect_path: str) -> str:
    """Return the collect path relative to the script's own address, so that no prefix matters."""
    ups = script_path.count("/") - 1
    return ("../" * ups or "./") + collect_path.lstrip("/")
