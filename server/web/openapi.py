"""The API's description in OpenAPI 3.1: one table of paths, the schemas derived from the columns."""

from typing import Any

from server import __version__
from server.dialects import segment
from server.dialects.carrotquest import MAX_COUNT
from server.dialects.hooks.vendors import VENDORS
from server.events.model import COLUMNS
from server.identity.properties import MAX_OPERATIONS, OPERATION_NAMES
from server.reports.registry import DIMENSIONS, METRICS
from server.reports.users import KINDS

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_INSTANT: Json = {"type": "string", "format": "date-time"}
_COLUMN_SCHEMAS: dict[str, Json] = {
    "text": {"type": ["string", "null"]},
    "instant": _INSTANT,
    "json": {"type": "object"},
}
_FILTERS = {
    "site": _TEXT,
    "name": _TEXT,
    "visitor_id": _TEXT,
    "user_id": _TEXT,
    "session_id": _TEXT,
    "since": _INSTANT,
    "until": _INSTANT,
}
_PAGING: dict[str, Json] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
    "cursor": _TEXT,
}
_REJECTED: dict[str, Json] = {"site": _TEXT, "code": _TEXT, "since": _INSTANT, "until": _INSTANT}
_REPLAY: Json = {
    "type": "object",
    "properties": {
        **_REJECTED,
        "ids": {"type": "array", "items": {"type": ["string", "integer"]}, "maxItems": 1000},
        "all": {"type": "boolean"},
        "dry_run": {"type": "boolean"},
        "cursor": _TEXT,
    },
}
_BOTS: dict[str, Json] = {"bots": {"enum": ["include"]}}
_TRIAL: dict[str, Json] = {"validate": {"enum": ["1", "0", "true", "false"]}}
_KEY: Json = {"security": [{"secret_key": []}]}


def openapi_document(root_path: str) -> Json:
    """Return the document. Shape: root_path is the prefix under which the application is mounted."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Footfall", "version": __version__, "license": {"name": "MIT", "identifier": "MIT"}},
        "servers": [{"url": root_path or "/"}],
        "paths": {
            path: {method: _with_site(path, told) for method, told in methods.items()}
            for path, methods in _paths().items()
        },
        "components": {
            "securitySchemes": {
                "secret_key": {"type": "http", "scheme": "bearer"},
                "write_key": {"type": "http", "scheme": "basic"},
            },
            "schemas": _schemas(),
        },
    }


def _with_site(path: str, operation: Json) -> Json:
    """Return an operation that may name the site: wherever a key is needed, whose site it must be."""
    named = operation.get("parameters", [])
    if not path.startswith("/api/") or "security" not in operation or any(each["name"] == "site" for each in named):
        return operation
    return {**operation, "parameters": [*named, {"name": "site", "in": "query", "schema": _TEXT}]}


def _paths() -> dict[str, Json]:
    events = {"type": "object", "properties": {"events": _list(_ref("StoredEvent")), "next": _nullable_text()}}
    names = {"type": "object", "properties": {"names": _list({"type": "object"})}}
    batch = {"oneOf": [_ref("Event"), _list(_ref("Event")), {"type": "object", "required": ["events"]}]}
    return {
        "/collect": {
            "post": _operation("Take a tracker's batch", _ref("Verdicts"), body=_ref("Beacon")),
            "get": _operation("Take one event from an image", None, query={"site": _TEXT, "name": _TEXT, "url": _TEXT}),
        },
        "/api/events": {
            "post": _KEY | _operation("Take events from a server", _ref("Verdicts"), query=_TRIAL, body=batch),
            "get": _KEY | _operation("Events, newest first", events, query=_FILTERS | _PAGING),
        },
        "/api/events/names": {"get": _KEY | _operation("Which events there are", names, query=_BOTS | _FILTERS)},
        "/api/export": {
            "get": _KEY
            | _operation(
                "All events as a file", None, query={**_FILTERS, "format": {"enum": ["ndjson", "csv", "parquet"]}}
            )
        },
        "/api/stats": {"get": _KEY | _operation("Counts by dimensions", {"type": "object"}, query=_stats_query())},
        "/api/overview": {
            "get": _KEY | _operation("Totals and cards of counts", {"type": "object"}, query=_overview_query())
        },
        **_users(),
        "/api/rejected": {"get": _KEY | _operation("Rejected events", {"type": "object"}, query=_REJECTED | _PAGING)},
        "/api/rejected/replay": {
            "post": _KEY | _operation("Replay rejected events", {"type": "object"}, body=_REPLAY),
        },
        **_webhooks(),
        "/api/backup": {
            "post": _operation("Write a backup on the server's machine; `footfall backup` does it", {"type": "object"})
        },
        "/api/live": {"get": _KEY | _operation("What arrives now, as server-sent events", None)},
        "/api/catalogue": {"get": _operation("The system events as JSON Schema", {"type": "object"})},
        "/api/debug/ip": {
            "get": _KEY | _operation("Which address of this request is believed, and why", _ref("BelievedIp"))
        },
        **_dialects(),
        **_hooks(),
        "/tracker.js": {"get": _operation("The tracker", None)},
        "/health/live": {"get": _operation("Whether the process runs", {"type": "object"})},
        "/health/ready": {"get": _operation("Whether events are accepted", {"type": "object"})},
        "/metrics": {"get": _operation("Numbers for Prometheus", None)},
    }


def _users() -> dict[str, Json]:
    person: Json = {"type": "object"}
    people: Json = {
        "kind": {"enum": list(KINDS)},
        "sort": {"type": "string", "default": "-last_seen"},
        "id": _TEXT,
        "q": _TEXT,
    }
    operation: Json = {
        "type": "object",
        "properties": {"op": {"enum": list(OPERATION_NAMES)}, "key": _TEXT, "value": {}},
    }
    operations: Json = {
        "type": "object",
        "properties": {"operations": _list(operation), "properties": {"type": "object"}},
    }
    into: Json = {"type": "object", "required": ["into"], "properties": {"into": _TEXT}}
    return {
        "/api/users": {
            "get": _KEY | _operation("People, last seen first; `props.<name>` filters", person, query=people | _PAGING)
        },
        "/api/users/{id}": {
            "get": _KEY | _operation("One person", person),
            "delete": _KEY | _operation("Erase one person everywhere", person),
        },
        "/api/users/{id}/events": {
            "get": _KEY | _operation("One person's events, newest first", person, query=_FILTERS | _PAGING)
        },
        "/api/users/{id}/export": {"get": _KEY | _operation("Everything about one person", person)},
        "/api/users/{id}/properties": {
            "post": _KEY | _operation("Change one person's properties", person, body=operations)
        },
        "/api/users/{id}/merge": {"post": _KEY | _operation("Merge one person into another", person, body=into)},
    }


def _webhooks() -> dict[str, Json]:
    """Return the paths of outgoing webhooks."""
    told: Json = {"type": "object"}
    wanted: Json = {"url": {**_TEXT, "format": "uri"}, "events": {"oneOf": [{"const": "*"}, _list(_TEXT)]}}
    made: Json = {"type": "object", "required": ["url", "events"], "properties": wanted}
    changed: Json = {"type": "object", "properties": {**wanted, "active": {"type": "boolean"}}}
    chosen: Json = {"ids": {**_list({"type": "integer"}), "maxItems": 1000}, "all": {"type": "boolean"}}
    listed = {"state": {"enum": ["dead", "waiting"], "default": "dead"}} | _PAGING
    one = "/api/webhooks/{id}"
    return {
        "/api/webhooks": {
            "get": _KEY | _operation("The site's webhooks", told),
            "post": _KEY | _operation("Send events somewhere; tells the secret", told, body=made),
        },
        one: {
            "get": _KEY | _operation("One webhook, and how it goes", told),
            "patch": _KEY | _operation("Change a webhook", told, body=changed),
            "delete": _KEY | _operation("Remove a webhook and what waits for it", told),
        },
        f"{one}/secret": {"post": _KEY | _operation("Replace the secret; the old one signs for a day", told)},
        f"{one}/test": {"post": _KEY | _operation("Send a test event now", told)},
        f"{one}/deliveries": {"get": _KEY | _operation("What is dead or waits", told, query=listed)},
        f"{one}/redeliver": {
            "post": _KEY | _operation("Try dead deliveries again", told, body={"type": "object", "properties": chosen})
        },
    }


def _dialects() -> dict[str, Json]:
    """Return the paths of other people's formats; the write key is a site's secret or public key."""
    write_key: Json = {"security": [{"write_key": []}, {"secret_key": []}, {}]}
    done: Json = {
        "type": "object",
        "required": ["success"],
        "properties": {"success": {"type": "boolean"}, "rejected": _list(_ref("SegmentVerdict"))},
    }
    calls: Json = {"enum": [*sorted(segment.BATCHES), *segment.KINDS, *segment.KINDS.values()]}
    take = write_key | _operation("Take a message or a batch of Segment's clients", done, body={"type": "object"})
    take["parameters"] = [{"name": "kind", "in": "path", "required": True, "schema": calls}]
    settings = _operation("What Segment's browser client asks for before it starts", {"type": "object"})
    settings["parameters"] = [{"name": "key", "in": "path", "required": True, "schema": _TEXT}]
    envelope: Json = {"type": "object", "properties": {"meta": {"type": "object"}, "data": {}}}
    event = {"event": _TEXT, "params": {"type": "object"}, "created": {"type": ["number", "string"]}}
    operations = {"operations": {"type": "array", "maxItems": MAX_OPERATIONS}}
    shared = {"auth_token": _TEXT, "by_user_id": {"type": "boolean"}, "_nonce": _TEXT}
    paging = {"filter_name": _TEXT, "after": _TEXT, "count": {"type": "integer", "minimum": 1, "maximum": MAX_COUNT}}

    def body(own: Json) -> Json:
        return {"type": "object", "properties": {**own, **shared}}

    return {
        "/v1/{kind}": {"post": take},
        "/v1/projects/{key}/settings": {"get": settings},
        "/v1/users/{id}/events": {
            "post": _KEY | _operation("Store one event (Carrot quest)", envelope, body=body(event)),
            "get": _KEY | _operation("A user's events (Carrot quest)", envelope, query={**paging, **shared}),
        },
        "/v1/users/{id}/props": {
            "post": _KEY | _operation("Change a user's properties (Carrot quest)", envelope, body=body(operations))
        },
    }


def _hooks() -> dict[str, Json]:
    verdict = _list({"type": "object", "properties": {"index": {"type": "integer"}, "code": _TEXT, "message": _TEXT}})
    told: Json = {"allOf": [_ref("Verdicts"), {"type": "object", "properties": {"ignored": verdict}}]}
    parameters: list[Json] = [
        {"name": "vendor", "in": "path", "required": True, "schema": {"enum": list(VENDORS)}},
        {"name": "site", "in": "path", "required": True, "schema": _TEXT},
    ]
    payload: Json = {"oneOf": [{"type": "object"}, {"type": "array"}]}
    post = _operation("Take a vendor's webhook, proved by its signature", told, body=payload)
    query = {"hub.mode": _TEXT, "hub.verify_token": _TEXT, "hub.challenge": _TEXT}
    get = _operation("Answer a vendor that tries the address", None, query=query)
    get["parameters"] += parameters
    return {"/hooks/{vendor}/{site}": {"post": post | {"parameters": parameters}, "get": get}}


def _schemas() -> dict[str, Json]:
    stored = {name: _COLUMN_SCHEMAS[kind] for name, kind in COLUMNS.items()}
    told: Json = {"index": {"type": "integer"}, "code": _TEXT, "message": _TEXT}
    verdict = {"type": "object", "properties": told}
    page = dict.fromkeys(("url", "title", "referrer"), _TEXT)
    event = {
        "id": _TEXT,
        "name": {"type": "string", "minLength": 1, "maxLength": 255},
        "time": _INSTANT,
        "session_id": _TEXT,
        "page": {"type": "object", "properties": page},
        "props": {"type": "object"},
    }
    error = {"type": "object", "properties": dict.fromkeys(("code", "message", "hint"), _TEXT)}
    return {
        "Event": {"type": "object", "required": ["name"], "properties": event},
        "Beacon": {
            "type": "object",
            "required": ["site", "events"],
            "properties": {
                "site": _TEXT,
                "visitor_id": _TEXT,
                "sent_at": _INSTANT,
                "context": {"type": "object"},
                "events": _list(_ref("Event")),
            },
        },
        "Verdicts": {
            "type": "object",
            "properties": {
                "accepted": {"type": "integer"},
                "duplicate": {"type": "integer"},
                "rejected": _list(verdict),
                "warnings": _list(verdict),
            },
        },
        "SegmentVerdict": {"type": "object", "properties": {**told, "messageId": _nullable_text()}},
        "StoredEvent": {"type": "object", "properties": stored},
        "BelievedIp": _believed_ip(),
        "Error": {"type": "object", "properties": {"error": error}},
    }


def _believed_ip() -> Json:
    hop = {"text": _TEXT, "ip": _nullable_text(), "verdict": _TEXT}
    told: Json = dict.fromkeys(("ip", "peer", "stored"), _nullable_text())
    told |= dict.fromkeys(("why", "header", "origin"), _TEXT)
    told |= {"trusted_proxies": _list(_TEXT), "policy": {"enum": ["full", "truncated", "none"]}}
    told["headers"] = {"type": "object", "additionalProperties": _list(_TEXT)}
    told["hops"] = _list({"type": "object", "properties": hop})
    told["place"] = {"type": "object", "properties": dict.fromkeys(("country", "region", "city"), _nullable_text())}
    return {"type": "object", "properties": {**told, "explanation": _list(_TEXT)}}


def _operation(
    summary: str, answer: Json | None, *, query: dict[str, Json] | None = None, body: Json | None = None
) -> Json:
    ok: Json = {"description": "Done"}
    if answer is not None:
        ok["content"] = {"application/json": {"schema": answer}}
    failed = {"description": "An error", "content": {"application/json": {"schema": _ref("Error")}}}
    operation: Json = {"summary": summary, "responses": {"200": ok, "default": failed}}
    if query:
        operation["parameters"] = [{"name": name, "in": "query", "schema": schema} for name, schema in query.items()]
    if body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return operation


def _stats_query() -> dict[str, Json]:
    return {
        "metrics": {"type": "string", "description": f"separated by commas: {', '.join(METRICS)}"},
        "dimensions": {"type": "string", "description": f"separated by commas: {', '.join(DIMENSIONS)}"},
        **_BOTS,
        **_FILTERS,
        "limit": {"type": "integer", "minimum": 1, "maximum": 10_000, "default": 100},
    }


def _overview_query() -> dict[str, Json]:
    limit = {"type": "integer", "minimum": 1, "maximum": 100, "default": 8}
    return {**_BOTS, **_FILTERS, "limit": limit}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _nullable_text() -> Json:
    return {"type": ["string", "null"]}
