"""The dashboard at `/` and the way in and out of it. What it shows, its scripts ask the API for."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from server.errors import Forbidden, TooLarge, TooManyRequests
from server.web.assets import create_assets_endpoint
from server.web.beacons import client_ip_of
from server.web.demo import is_open
from server.web.html import render, way_up
from server.web.outside import ForeignForm, find_foreign_form, outside_of
from server.web.queries import parts_of
from server.web.requests import RequestHead

MAX_FORM_BYTES = 4096
_MAX_FIELDS = 10
_CHOICES = {"site", "name", "visitor_id", "user_id", "show", "days", "bots"}

# one thread: each check takes 64 MiB, as long as it runs, also when nobody waits for its answer any more
_CHECKS = ThreadPoolExecutor(max_workers=1, thread_name_prefix="password")

WRONG_PASSWORD = "That is not the password."  # noqa: S105 - a sentence about one
TOO_MANY_TRIES = "Too many tries. Wait a minute, then try again."


async def show_dashboard(request: Request) -> Response:
    """Render the dashboard for whoever is signed in; send everybody else to the login page."""
    parts = parts_of(request)
    if not parts.auth.is_signed_in(request):
        return _redirect(request, "login")
    # not request.base_url, which leaves out where the application is mounted in another
    base_url = outside_of(request, parts.settings).origin + request.scope.get("root_path", "")
    snippets = {
        key: parts.script.snippet(base_url, key).html() for key, site in parts.sites.items() if not site.is_demo
    }
    context = {
        "base_url": base_url,
        "sites": list(parts.sites),
        "snippets": snippets,
        "shows_demo": is_open(parts.sites),
        "attribution": parts.geo.attribution(),
    }
    return _private(render(request, "dashboard/dashboard.html", context))


async def show_login(request: Request) -> Response:
    """Render the login page."""
    if parts_of(request).auth.is_signed_in(request):
        return _redirect(request, "")
    return _login_page(request)


async def sign_in(request: Request) -> Response:
    """Take the password and answer with the cookie, or with the same page whatever was wrong.

    Errors: TooLarge.
    """
    foreign = find_foreign_form(request, parts_of(request).settings)
    if foreign is not None:
        return _refusal_page(request, foreign)
    password = await _read_password(request)
    parts = parts_of(request)
    auth = parts.auth
    try:
        auth.throttle(client_ip_of(request.scope, RequestHead(request.scope), parts.settings).ip, parts.clock())
    except TooManyRequests as error:
        answer = _login_page(request, TOO_MANY_TRIES, status=error.status)
        answer.headers["retry-after"] = str(error.retry_after_s)
        return answer
    if not await asyncio.get_running_loop().run_in_executor(_CHECKS, auth.check_password, password):
        return _login_page(request, WRONG_PASSWORD, status=403)
    answer = _redirect(request, "")
    auth.sign_in(request, answer)
    return answer


async def sign_out(request: Request) -> Response:
    """Remove the cookie."""
    foreign = find_foreign_form(request, parts_of(request).settings)
    if foreign is not None:
        return _refusal_page(request, foreign)
    answer = _redirect(request, "login")
    parts_of(request).auth.sign_out(answer)
    return answer


async def _read_password(request: Request) -> str:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise TooLarge("form_too_large", f"A form here has at most {MAX_FORM_BYTES} bytes.")
    try:
        fields = parse_qs(body.decode(errors="replace"), max_num_fields=_MAX_FIELDS)
    except ValueError:  # more fields than the form has
        return ""
    return fields.get("password", [""])[0]


def _login_page(request: Request, problem: str = "", status: int = 200) -> Response:
    context = {"problem": problem, "choices": _choices(request), "shows_demo": is_open(parts_of(request).sites)}
    return _private(render(request, "dashboard/login.html", context, status=status))


def _refusal_page(request: Request, foreign: ForeignForm) -> Response:
    return _private(render(request, "dashboard/refused.html", {"foreign": foreign}, status=Forbidden.status))


def _redirect(request: Request, path: str) -> Response:
    return _private(RedirectResponse(f"{way_up(request)}/{path}{_choices(request)}", status_code=303))


def _choices(request: Request) -> str:
    """Return what the address says of what the dashboard is to show: it survives the way through the login."""
    chosen = [(name, value) for name, value in request.query_params.multi_items() if name in _CHOICES]
    return f"?{urlencode(chosen)}" if chosen else ""


def _private(answer: Response) -> Response:
    # the way back after signing out must not lead to a copy
    answer.headers["cache-control"] = "no-store"
    return answer


routes: list[BaseRoute] = [
    Route("/", show_dashboard),
    Route("/login", show_login),
    Route("/login", sign_in, methods=["POST"]),
    Route("/logout", sign_out, methods=["POST"]),
    Route("/assets/{path:path}", create_assets_endpoint("dashboard")),
]
