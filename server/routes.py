"""Every path of the application but the one that receives events, which `app.py` answers itself.

What is not here does not exist.
"""

from starlette.routing import BaseRoute, Match, Mount, Route

from server.errors import SettingsError
from server.settings import Settings
from server.web import (
    backup,
    catalogue,
    debug,
    demo,
    dialects_carrotquest,
    dialects_segment,
    events,
    health,
    hooks,
    live,
    pages,
    plugins,
    rejected,
    script,
    stats,
    users,
    webhook_deliveries,
    webhooks,
)
from server.web.id_route import IdRoute
from server.web.parameters import Endpoint, checked
from server.web.relay import Relay
from server.web.shares import Shares


def create_routes(settings: Settings, shares: Shares | None = None) -> list[BaseRoute]:
    """Return the routes of a role; a collector beside a process that answers passes all others on to that one.

    Errors: SettingsError where the paths of the settings are the server's own: one of the two would be out of reach.
    """
    routes: list[BaseRoute] = []
    if settings.role != "app":
        routes += _ingest(settings)
    routes += _both("/health/live", health.get_live)
    if shares is not None and shares.slot is not None:
        return [*routes, Mount("/", Relay(shares.app_socket))]
    routes += _both("/health/ready", health.get_ready)
    routes += _both("/metrics", health.get_metrics)
    routes += _both("/openapi.json", catalogue.get_openapi)
    routes += _both("/api/catalogue", catalogue.get_catalogue)
    routes += _both("/api/debug/ip", debug.get_ip)
    if settings.role != "collect":
        routes += _api()
        routes += dialects_carrotquest.routes
        routes += demo.create_routes(settings.sites)
        routes += pages.routes
    if settings.role != "app":
        _check_paths(settings, routes)
    return routes


def _check_paths(settings: Settings, routes: list[BaseRoute]) -> None:
    others = [route for route in routes if getattr(route, "endpoint", None) is not script.serve_script]
    chosen = (("FOOTFALL_SCRIPT_PATH", settings.script_path), ("FOOTFALL_COLLECT_PATH", settings.collect_path))
    problems = [
        f"{variable} is a path of the server's own (it is {path!r})"
        for variable, path in chosen
        if any(route.matches({"type": "http", "method": "GET", "path": path})[0] != Match.NONE for route in others)
    ]
    if problems:
        raise SettingsError(problems)


def _ingest(settings: Settings) -> list[BaseRoute]:
    routes: list[BaseRoute] = [Route(settings.script_path, script.serve_script)]
    routes.append(Route(settings.script_path + ".sri", script.serve_integrity))
    stem, dot, ending = settings.script_path.rpartition(".")
    hashed = f"{stem}.{{hash}}{dot}{ending}" if dot else f"{settings.script_path}.{{hash}}"
    routes.append(Route(hashed, script.serve_hashed_script))
    folder = settings.script_path.rpartition("/")[0]
    routes.append(Route(folder + "/plugins/{name}.js", plugins.create_plugin_endpoint()))
    routes.append(Route(folder + "/carrotquest.js", script.serve_shim))
    routes += dialects_segment.routes
    routes += hooks.routes
    return routes


def _api() -> list[BaseRoute]:
    return [
        *_both("/api/events", events.get_events),
        *_both("/api/events", events.post_events, "POST"),
        *_both("/api/events/names", events.get_names),
        *_both("/api/export", events.get_export),
        *_both("/api/stats", stats.get_stats),
        *_both("/api/overview", stats.get_overview),
        *_both("/api/users", users.get_users),
        *_both("/api/users/{id}", users.get_user),
        *_both("/api/users/{id}", users.delete_user, "DELETE"),
        *_both("/api/users/{id}/events", users.get_events),
        *_both("/api/users/{id}/export", users.get_export),
        *_both("/api/users/{id}/properties", users.post_properties, "POST"),
        *_both("/api/users/{id}/merge", users.post_merge, "POST"),
        *_both("/api/rejected", rejected.get_rejected),
        *_both("/api/rejected/replay", rejected.post_replay, "POST"),
        *_both("/api/webhooks", webhooks.get_webhooks),
        *_both("/api/webhooks", webhooks.post_webhook, "POST"),
        *_both("/api/webhooks/{id}", webhooks.get_webhook),
        *_both("/api/webhooks/{id}", webhooks.patch_webhook, "PATCH"),
        *_both("/api/webhooks/{id}", webhooks.delete_webhook, "DELETE"),
        *_both("/api/webhooks/{id}/secret", webhooks.post_secret, "POST"),
        *_both("/api/webhooks/{id}/test", webhooks.post_test, "POST"),
        *_both("/api/webhooks/{id}/deliveries", webhook_deliveries.get_deliveries),
        *_both("/api/webhooks/{id}/redeliver", webhook_deliveries.post_redeliver, "POST"),
        *_both("/api/backup", backup.post_backup, "POST"),
        *_both("/api/live", live.get_live),
    ]


def _both(path: str, endpoint: Endpoint, method: str = "GET") -> list[BaseRoute]:
    """Return the route with and without a slash at its end: a redirect would lose a preflighted request."""
    if path.startswith("/api/"):
        endpoint = checked(path, endpoint, method)
    kind = IdRoute if "{id}" in path else Route
    return [kind(path, endpoint, methods=[method]), kind(path + "/", endpoint, methods=[method])]
