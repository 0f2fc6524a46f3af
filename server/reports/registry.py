"""The metrics and dimensions of reports: each a name and its SQL. Identifiers in SQL come only from here."""

from server.events.model import COLUMNS
from server.storage.hours import TRAFFIC_SOURCE

# whom a webhook told of by an address that nobody has is no browser
VISITOR = "if(source <> 'webhook', visitor_id, null)"

METRICS = {
    "events": "count(*)",
    # of VISITOR, in the form that the engine answers faster
    "visitors": "count(distinct visitor_id) filter (where source <> 'webhook')",
    "sessions": "count(distinct session_id)",
}

DIMENSIONS = {
    **{name: f'"{name}"' for name, kind in COLUMNS.items() if kind == "text"},
    "traffic_source": TRAFFIC_SOURCE,
}
