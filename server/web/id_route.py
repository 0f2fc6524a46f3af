"""A route whose path holds an id that a page has chosen: it may hold a slash, which is escaped then.

The framework looks at the path with all escapes undone, where `/api/users/bob%2F` is `/api/users/bob/`: somebody else.
"""

import re
from urllib.parse import quote, unquote

from starlette.routing import Match, Route
from starlette.types import Scope

_ESCAPED_SLASH = re.compile(rb"%2f", re.IGNORECASE)
_STAND_IN = "\0"  # no id has it


class IdRoute(Route):
    """A route that leaves escaped slashes to the id. Shape: a server that does not tell `raw_path` has none of them."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match as any route does, with each escaped slash a character like others."""
        sent: bytes = scope.get("raw_path") or b""
        if not _ESCAPED_SLASH.search(sent) or _STAND_IN in scope["path"]:
            return super().matches(scope)
        path = unquote(_ESCAPED_SLASH.sub(quote(_STAND_IN).encode(), sent).decode("latin-1"))
        match, found = super().matches({**scope, "path": path})
        if match != Match.NONE:
            found["path_params"] = {
                name: str(value).replace(_STAND_IN, "/") for name, value in found["path_params"].items()
            }
        return match, found
