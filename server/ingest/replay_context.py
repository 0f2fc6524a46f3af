"""What a rejected event's request told beside it, kept so that the event can go through the pipeline again.

Shape: a JSON object with the fields of Beacon below; the address is kept only as far as the policy keeps addresses, so
that under `none` a replayed event has no place.
"""

from dataclasses import asdict
from typing import Any

import orjson

from server.enrich.client_ip import truncate_ip
from server.enrich.hints import Hints
from server.events.model import Source
from server.events.wire import encode_original
from server.ingest.beacon import Beacon
from server.ingest.values import MAX_SHORT_TEXT_LENGTH
from server.settings import IpPolicy
from server.sites import Site

MAX_CONTEXT_BYTES = 4096
"""It is kept with each rejected event of a request, which may have a thousand; a browser's is some hundred."""

_FIELDS = ("sent_ms", "visitor_id", "user_id", "user_agent", "is_trusted", "is_odd", "context")


def kept_ip(ip: str | None, policy: IpPolicy) -> str | None:
    """Return an address as far as the policy keeps it."""
    if ip is None or policy == "none":
        return None
    return ip if policy == "full" else truncate_ip(ip)


def encode_context(beacon: Beacon, policy: IpPolicy) -> bytes:
    """Return the stored form, of some kilobytes: a context of absurd size is left out of it, ids are cut."""
    told: dict[str, Any] = {name: getattr(beacon, name) for name in _FIELDS}
    for name in ("visitor_id", "user_id"):
        if isinstance(told[name], str):
            told[name] = told[name][:MAX_SHORT_TEXT_LENGTH]
    told |= {"ip": kept_ip(beacon.ip, policy), "hints": asdict(beacon.hints)}
    encoded = encode_original(told)
    if len(encoded) >= MAX_CONTEXT_BYTES:
        encoded = encode_original(told | {"context": {}})
    return encoded


def decode_context(encoded: bytes, site: Site, source: Source, received_ms: int) -> Beacon:
    """Return the request's beacon. Errors: ValueError when it was cut off."""
    told = orjson.loads(encoded)
    hints = dict(told["hints"])
    hints["full_version_list"] = tuple((brand, version) for brand, version in hints["full_version_list"])
    hints["form_factors"] = tuple(hints["form_factors"])
    values = {name: told[name] for name in _FIELDS}
    return Beacon(site=site, source=source, received_ms=received_ms, ip=told["ip"], hints=Hints(**hints), **values)


def whom_of(encoded: bytes | None) -> dict[str, str | None]:
    """Return the visitor_id and user_id that the request named for all of its events."""
    try:
        told = orjson.loads(encoded or b"{}")
    except ValueError:  # cut off
        told = {}
    found = {name: told.get(name) for name in ("visitor_id", "user_id")}
    return {name: value if isinstance(value, str) else None for name, value in found.items()}
