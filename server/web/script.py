"""The tracker as it is served: precompressed in memory, with a strong ETag and an immutable hashed name."""

import base64
import hashlib
import threading
from dataclasses import dataclass
from functools import cache, lru_cache
from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from server.enrich import bots, user_agent
from server.errors import NotFound
from server.settings import Settings
from server.web.encoded import FOREVER, ONE_HOUR, Encoded

STATIC = Path(__file__).parent / "static"


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
    """The bundle, its names and its tag."""

    def __init__(self, settings: Settings) -> None:
        path = _relative(settings.script_path, settings.collect_path)
        self.encoded = _encode("tracker.js", path)
        self.shim = _encode("carrotquest.js", path)
        self.body = self.encoded.body
        self.hash = self.encoded.hash
        self.integrity = "sha384-" + base64.b64encode(hashlib.sha384(self.body).digest()).decode()
        stem, dot, ending = settings.script_path.rpartition(".")
        self.path = settings.script_path
        self.hashed_path = f"{stem}.{self.hash}{dot}{ending}" if dot else f"{settings.script_path}.{self.hash}"
        self.stub = (STATIC / "stub.js").read_text(encoding="utf-8").strip()

    def snippet(self, base_url: str, site: str, *, is_pinned: bool = False) -> Snippet:
        """Return what a page pastes: always the newest script, or this very version with its integrity.

        Shape: base_url without a slash at its end.
        """
        digest = base64.b64encode(hashlib.sha256(self.stub.encode()).digest()).decode()
        source = escape(base_url + (self.hashed_path if is_pinned else self.path), quote=True)
        pin = f' integrity="{self.integrity}" crossorigin="anonymous"' if is_pinned else ""
        return Snippet(
            self.stub,
            f"sha256-{digest}",
            f'<script async src="{source}" data-site="{escape(site, quote=True)}"{pin}></script>',
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
    return script.encoded.answer(request, ONE_HOUR)


async def serve_hashed_script(request: Request) -> Response:
    """`/tracker.<hash>.js`: this very version, for ever."""
    script: Script = request.app.state.parts.script
    if request.path_params["hash"] != script.hash:
        # another version's bytes under this name would be kept for ever, and fail the page's integrity check
        raise NotFound("not_found", "There is no such version of the tracker.", f"This one is {script.hashed_path}.")
    return script.encoded.answer(request, FOREVER)


async def serve_shim(request: Request) -> Response:
    """`/carrotquest.js`: the tracker behind the methods of another product, for sites that move."""
    _prepare_for_beacons()
    script: Script = request.app.state.parts.script
    return script.shim.answer(request, ONE_HOUR)


async def serve_integrity(request: Request) -> Response:
    """`/tracker.js.sri`: what goes into the `integrity` attribute of the hashed name."""
    script: Script = request.app.state.parts.script
    return PlainTextResponse(f"{script.integrity} {script.hashed_path}\n", headers={"cache-control": ONE_HOUR})


@cache
def _encode(file: str, collect_path: str) -> Encoded:
    """Return a bundle that knows where to send. Shape: collect_path is relative to the bundle's own address.

    To compress both takes 30 ms, a third of what an application needs to start: once for all of a process.
    """
    text = (STATIC / file).read_text(encoding="utf-8")
    return Encoded(text.replace('"./collect"', f'"{collect_path}"').encode())


def _relative(script_path: str, collect_path: str) -> str:
    """Return the collect path relative to the script's own address, so that no prefix matters."""
    ups = script_path.count("/") - 1
    return ("../" * ups or "./") + collect_path.lstrip("/")
