"""What tests are made of; each shows only the fields it is about."""

from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from server.enrich.geo import Geo
from server.events.catalogue import load_catalogue
from server.events.head import Numbered, read_heads
from server.events.model import COLUMNS, Source, StoredEvent
from server.ingest.beacon import Beacon
from server.ingest.origins import Origins
from server.ingest.pipeline import Pipeline
from server.ingest.queue_file import Record
from server.settings import Settings
from server.sites import Site

NOW_MS = 1_795_442_602_000  # 2026-11-23T14:03:22Z
SECRET_KEY = "test-secret-key-0123456789"
AUTH_KEY = "test-auth-key-0123456789abc"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)
SITE = Site(key="default", secret_key=SECRET_KEY, auth_key=AUTH_KEY)

_numbers = count(1)


def make_id() -> str:
    """Return a new event id in the form of a UUID version 7."""
    return f"0192f0c1-0000-7000-8000-{next(_numbers):012x}"


def make_settings(data_dir: Path, **changes: Any) -> Settings:
    """Return settings for a test."""
    known = {"data_dir": data_dir, "secret_key": SECRET_KEY, "auth_key": AUTH_KEY, "admin_password": "test-password"}
    return Settings(**{**known, **changes})


def make_event(**changes: Any) -> dict[str, Any]:
    """Return an event as a page sends it."""
    return {
        "id": make_id(),
        "name": "Signed up",
        "session_id": "session-1",
        "page": {"url": "https://shop.example/", "title": "Shop", "referrer": ""},
        "props": {"plan": "pro"},
        **changes,
    }


def make_batch(*events: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a tracker's batch."""
    return {"site": "default", "visitor_id": "visitor-1", "events": list(events), **changes}


def make_beacon(**changes: Any) -> Beacon:
    """Return what a page's events share."""
    known = {"site": SITE, "source": Source.PAGE, "received_ms": NOW_MS, "visitor_id": "visitor-1"}
    return Beacon(**{**known, **changes})


def make_pipeline(**changes: Any) -> Pipeline:
    """Return a pipeline without any file behind it."""
    known = {"catalogue": load_catalogue(), "geo": Geo(None), "origins": Origins(lambda _: None)}
    return Pipeline(**{**known, **changes})


def make_record(**values: Any) -> Record:
    """Return an accepted event as the queue takes it."""
    event: dict[str, Any] = {
        **dict.fromkeys(COLUMNS),
        "id": make_id(),
        "site": "default",
        "name": "x",
        "source": "server",
        "time": NOW_MS,
        "received_at": NOW_MS,
        "props": {},
        **values,
    }
    return Record("default", event["id"], orjson.dumps(event))


def numbered(events: Iterable[StoredEvent], first: int = 1) -> list[Numbered]:
    """Return stored events as the writer tells of them, under numbers of a queue from the first on."""
    return read_heads((seq, orjson.dumps(event)) for seq, event in enumerate(events, first))
