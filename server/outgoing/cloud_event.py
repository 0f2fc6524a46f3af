"""A stored event as a CloudEvent, structured mode, JSON: the body of a webhook.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md and formats/json-format.md
"""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from server.events.model import COLUMNS
from server.events.wire import write_instant

CONTENT_TYPE = "application/cloudevents+json"
TEST_TYPE = "footfall.test"
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")  # no attribute may hold them


def encode_cloud_event(event: Mapping[str, Any]) -> bytes:
    """Return the CloudEvent of a stored event.

    Shape:  id, type and time are the event's; source is `/sites/<site>`; subject is the user's id, else the visitor's,
            and missing without either; data is the event as `GET /api/events` tells it. Attributes cannot hold control
            characters, which become U+FFFD there; data has them as they are.
    """
    subject = event.get("user_id") or event.get("visitor_id")
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": _plain(event["id"]),
            "source": f"/sites/{event['site']}",
            "type": _plain(event["name"]),
            "time": write_instant(event["time"]),
            **({"subject": _plain(subject)} if subject else {}),
            "datacontenttype": "application/json",
            "data": {name: _told(name, event.get(name)) for name in COLUMNS},
        }
    )


def encode_test_event(site: str, event_id: str, now_ms: int) -> bytes:
    """Return the CloudEvent that a test sends. Shape: type is TEST_TYPE; data has no id, so that it is no event."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": event_id,
            "source": f"/sites/{site}",
            "type": TEST_TYPE,
            "time": write_instant(now_ms),
            "datacontenttype": "application/json",
            "data": {"site": site},
        }
    )


def _told(name: str, value: Any) -> Any:
    if COLUMNS[name] == "instant":
        return write_instant(value)
    return {} if name == "props" and value is None else value


def _plain(text: str) -> str:
    return _CONTROLS.sub("\ufffd", text)
