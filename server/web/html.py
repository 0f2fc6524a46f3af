"""Renders a template as a page with the headers every page has. Called by pages.py and demo.py."""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

_TEMPLATES = Environment(
    loader=PackageLoader("server.web", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def content_policy(script_hashes: tuple[str, ...] = ()) -> str:
    """Return the Content-Security-Policy of a page.

    Shape: script_hashes are `sha256-…` of the inline scripts that may run; nothing else inline ever does.
    """
    scripts = " ".join(["'self'", *(f"'{value}'" for value in script_hashes)])
    return (
        f"default-src 'self'; script-src {scripts}; style-src 'self'; object-src 'none'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )


def way_up(request: Request) -> str:
    """Return the relative path from this page to where the application is mounted.

    Shape: `.`, `..`, `../..` and so on. Relative, because a proxy may put the application under a prefix that
           it does not tell anyone about.
    """
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    depth = path.count("/") - 1
    return "/".join([".."] * depth) if depth > 0 else "."


def render(
    request: Request,
    template: str,
    context: Mapping[str, Any],
    *,
    status: int = 200,
    script_hashes: tuple[str, ...] = (),
) -> HTMLResponse:
    """Return a page. Shape: the template also gets `root`, the way up to where the application is mounted."""
    body = _TEMPLATES.get_template(template).render(root=way_up(request), **context)
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": content_policy(script_hashes),
        # not no-referrer: browsers then send `Origin: null` with our own forms
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(body, status_code=status, headers=headers)
