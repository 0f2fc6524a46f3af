"""The tracker's optional plugins, which its script loads from the folder beside it."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from server.web.encoded import FOREVER, ONE_HOUR, Encoded

FOLDER = Path(__file__).parent / "static" / "plugins"
VERSION_LENGTH = 6


@cache
def read_plugins() -> Mapping[str, Encoded]:
    """Return the plugins by their names."""
    return {path.stem: Encoded(path.read_bytes()) for path in sorted(FOLDER.glob("*.js"))}


def read_version() -> str:
    """Return the hash of all plugins, which the tracker's build has written into the addresses that it asks for."""
    bodies = b"".join(each.body for each in read_plugins().values())
    return hashlib.sha256(bodies).hexdigest()[:VERSION_LENGTH]


def create_plugin_endpoint() -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of `/plugins/{name}.js`.

    Shape:  a name that there is not is answered by a module that says so when it is loaded, which the tracker tells in
            debug. With an error status every browser would complain in the page's console, and nothing can stop it;
            the tracker would have to carry a list of all names to know better.
    """
    plugins, version = read_plugins(), read_version()
    told = json.dumps(f"no such plugin; there are: {', '.join(plugins)}")
    unknown = Encoded(f"throw Error({told});\n".encode())

    async def serve_plugin(request: Request) -> Response:
        plugin = plugins.get(request.path_params["name"])
        if plugin is None:
            return unknown.answer(request, ONE_HOUR)
        # other versions' addresses get today's bytes, so they must not be kept for ever
        is_current = request.query_params.get("v") == version
        return plugin.answer(request, FOREVER if is_current else ONE_HOUR)

    return serve_plugin
