"""One event from raw to stored form: the ordered list STEPS, each a named function that reads or changes a draft.

To learn what happens to an event, read STEPS. A step either changes the draft, notes a correction, or raises
EventRejected; it never touches a disk, a network or a clock. Order: cheap refusals first, then facts, then the
catalogue's rules, which see the facts that the server added.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from server.enrich import campaign, client_ip, referrer
from server.enrich.browser_columns import browser_columns
from server.enrich.channels import channel_of
from server.enrich.geo import Geo
from server.enrich.page_url import split_url
from server.errors import EventRejected
from server.events.catalogue import Catalogue, check_attributes
from server.events.model import COLUMNS, OPERATIONS, Source, StoredEvent
from server.events.wire import FIRST_MS, MAX_ID_LENGTH, MAX_NAME_LENGTH, read_instant
from server.identity.signature import is_signed
from server.ingest.address_policy import keep_ip
from server.ingest.beacon import Beacon, Draft
from server.ingest.origins import Origin, Origins
from server.ingest.uuid7 import uuid7
from server.ingest.values import (
    MAX_SHORT_TEXT_LENGTH,
    clean,
    clean_properties,
    clean_text,
    read_short_text,
    read_text,
)
from server.settings import IpPolicy

SKEW_TOLERATED_MS = 2_000
TOLD_ELSEWHERE = {"$session_start": ("$referrer", "$resolution"), "$page_view": ("$referrer_domain",)}
_SCREEN_COLUMNS = ("resolution", "language", "timezone")
NO_USER_IDS = frozenset({"", "0", "undefined", "null", "none", "nil", "nan", "true", "false", "[object object]"})
OLDEST_FROM_PAGE_MS = 30 * 24 * 3600 * 1000

_NO_COLUMNS: StoredEvent = dict.fromkeys(COLUMNS)

Step = Callable[["Pipeline", Draft], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """The parts that steps need. `run` takes one raw event through all of STEPS."""

    catalogue: Catalogue
    geo: Geo
    origins: Origins
    ip_policy: IpPolicy = "full"

    def run(self, beacon: Beacon, raw: Any) -> Draft:
        """Return the finished draft of one raw event. Errors: EventRejected."""
        if not isinstance(raw, dict):
            raise EventRejected("bad_event", "An event is a JSON object.")
        draft = Draft(beacon, raw, _NO_COLUMNS.copy(), {}, [])
        for step in STEPS:
            step(self, draft)
        return draft


def encode(draft: Draft) -> bytes:
    """Return the stored form of a finished draft: one line of JSON, without the columns that are empty."""
    draft.event["props"] = draft.props
    return orjson.dumps({name: value for name, value in draft.event.items() if value is not None})


def check_name(pipeline: Pipeline, draft: Draft) -> None:
    """Refuse an event without a usable name; note an unknown system name."""
    name = draft.raw.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_LENGTH:
        raise EventRejected("bad_name", f"An event's name is a text of 1 to {MAX_NAME_LENGTH} characters.")
    if draft.beacon.is_odd:
        name = clean(draft, "name", name)
        if not name:
            raise EventRejected("bad_name", "An event's name is nothing but NUL characters.")
    draft.event["name"] = name
    if name[0] == "$" and pipeline.catalogue.get(name) is None and name not in OPERATIONS:
        nearest = pipeline.catalogue.nearest(name)
        hint = f" Did you mean {nearest}?" if nearest else ""
        draft.correct("unknown_system_event", f"{name} is no system event; kept as an ordinary one.{hint}")


def check_sender(pipeline: Pipeline, draft: Draft) -> None:
    """Refuse from a page what only the site's server may say."""
    if draft.beacon.source is not Source.PAGE:
        return
    name = draft.event["name"]
    site = draft.beacon.site
    known = pipeline.catalogue.get(name)
    is_reserved = known is not None and known.sender == "server" and name not in site.page_allowed
    if is_reserved or name in site.server_only:
        raise EventRejected("reserved_for_server", f"{name} is accepted only with the secret key.")


def add_identity(_: Pipeline, draft: Draft) -> None:
    """Set id, site, source, visitor, session and, where it is vouched for, user."""
    event, beacon, raw = draft.event, draft.beacon, draft.raw
    event["id"] = _event_id(draft)
    event["site"] = beacon.site.key
    event["source"] = beacon.source
    event["session_id"] = read_short_text(draft, "session_id", raw.get("session_id"))
    visitor_id = raw.get("visitor_id", beacon.visitor_id)
    event["visitor_id"] = read_short_text(draft, "visitor_id", visitor_id)
    if event["name"] == "$auth" and not beacon.is_trusted:
        event["user_id"] = _vouched_user_id(draft)
    elif beacon.is_trusted or beacon.site.trust_user_ids:
        user_id = raw.get("user_id", beacon.user_id)
        if user_id is None and event["name"] == "$auth":
            user_id = _named_by_auth(raw, "user_id")
        event["user_id"] = None if user_id is None else check_user_id(user_id)


def add_time(_: Pipeline, draft: Draft) -> None:
    """Set time and received_at; correct a page's clock by the moment of sending."""
    received_ms = draft.beacon.received_ms
    draft.event["received_at"] = received_ms
    given = draft.raw.get("time")
    time_ms = received_ms if given is None else read_instant(given)
    if time_ms is None:
        if draft.beacon.is_trusted:
            raise EventRejected("bad_time", "time is RFC 3339 text or a number of seconds or milliseconds.")
        draft.correct("bad_time", "time is no instant; the time of receipt was taken.")
        time_ms = received_ms
    draft.event["time"] = _plausible_time(draft, time_ms, is_given=given is not None)


def add_properties(_: Pipeline, draft: Draft) -> None:
    """Copy the properties within their limits."""
    props = draft.raw.get("props")
    if props is None:
        return
    if not isinstance(props, dict):
        raise EventRejected("bad_props", "props is a JSON object.")
    draft.props = clean_properties(draft, props)
    if draft.event["name"] == "$auth":
        # a signature is a lasting credential: checked by now, kept nowhere
        draft.props.pop("hash", None)
    elif draft.event["name"] == "$user_merged":
        for side in ("$from", "$to"):
            if side in draft.props and draft.props.get(f"{side}_kind") != "visitor":
                draft.props[side] = check_user_id(draft.props[side])


def add_page(_: Pipeline, draft: Draft) -> None:
    """Set url, path, title and referrer from the event's page."""
    page = draft.raw.get("page")
    if not isinstance(page, dict):
        page = draft.raw  # the server's API may give them flat, named like the columns
    event = draft.event
    url = read_text(draft, "url", page.get("url"))
    if url is None and event["name"] == "$page_view":
        url = read_text(draft, "$url", draft.props.get("$url"))
    event["title"] = read_text(draft, "title", page.get("title"))
    event["referrer"] = read_text(draft, "referrer", page.get("referrer"))
    host = None
    if url is not None:
        event["url"] = url
        host, event["path"] = split_url(url)
    if event["referrer"] is not None:
        event["referrer_domain"] = referrer.referrer_domain(event["referrer"], host, draft.beacon.site.origins)
    if event["name"] == "$page_view" and event["referrer_domain"] is not None:
        # the page can tell the host only: the event and its column must not name the referrer differently
        if draft.beacon.is_trusted:
            draft.props.setdefault("$referrer_domain", event["referrer_domain"])
        else:
            draft.props["$referrer_domain"] = event["referrer_domain"]


def add_origin(pipeline: Pipeline, draft: Draft) -> None:
    """Set campaign and channel: those of the session's first event that told any."""
    event = draft.event
    known = pipeline.origins.known(event["site"], event["session_id"])
    if known is None:
        columns, is_paid = _own_campaign(draft)
        channel = channel_of(event["referrer_domain"], columns, is_paid_click=is_paid)
        own = Origin({**columns, "channel": channel})
        known = pipeline.origins.of_session(event["site"], event["session_id"], own)
    event.update(known.columns)


def add_browser(_: Pipeline, draft: Draft) -> None:
    """Set browser, system, device and type from the user agent and the client hints."""
    beacon = draft.beacon
    text = read_text(draft, "user_agent", draft.raw.get("user_agent")) if beacon.is_trusted else beacon.user_agent
    is_webdriver = beacon.context.get("webdriver") is True
    draft.event.update(browser_columns(text, beacon.hints, is_webdriver=is_webdriver))


def add_screen(_: Pipeline, draft: Draft) -> None:
    """Set what only the browser knows: resolution, language, time zone."""
    beacon, event = draft.beacon, draft.event
    if beacon.screen is not None:
        event.update(beacon.screen)
        return
    before = sum(draft.corrected.values())
    for column in _SCREEN_COLUMNS:
        value = beacon.context.get(column)
        if value is None and beacon.is_trusted:
            value = draft.raw.get(column)
        event[column] = read_short_text(draft, column, value)
    if not beacon.is_trusted and sum(draft.corrected.values()) == before:  # the same for the request's other events
        beacon.screen = {column: event[column] for column in _SCREEN_COLUMNS}


def add_place(pipeline: Pipeline, draft: Draft) -> None:
    """Set country, region and city, then the address as far as the policy keeps it."""
    if pipeline.ip_policy != "full" and "$ip" in draft.props:
        given = draft.props["$ip"]
        draft.props["$ip"] = keep_ip(client_ip.parse_ip(given) if isinstance(given, str) else None, pipeline.ip_policy)
    ip = draft.beacon.ip
    if draft.beacon.is_trusted:
        given = draft.raw.get("ip")
        ip = client_ip.parse_ip(given) if isinstance(given, str) else None
        if given is not None and ip is None:
            draft.correct("bad_ip", "ip is no address; left empty.")
    if ip is None:
        return
    place = pipeline.geo.lookup(ip)
    event = draft.event
    event["country"], event["region"], event["city"] = place.country, place.region, place.city
    event["ip"] = keep_ip(ip, pipeline.ip_policy)


def add_told_elsewhere(_: Pipeline, draft: Draft) -> None:
    """Give a system event of a page the attributes that the same beacon tells in another place, unless it has them."""
    if draft.beacon.source is Source.PAGE:
        for attribute in TOLD_ELSEWHERE.get(draft.event["name"], ()):
            draft.props.setdefault(attribute, draft.event[attribute[1:]] or "")


def check_catalogue(pipeline: Pipeline, draft: Draft) -> None:
    """Apply the catalogue's rules to a system event's attributes, the server's own ones included."""
    known = pipeline.catalogue.get(draft.event["name"])
    if known is None:
        return
    for attribute in known.server_added:
        _add_server_attribute(draft, attribute)
    for each in check_attributes(known, draft.props):
        draft.correct(each.code, each.message)


STEPS: tuple[Step, ...] = (
    check_name,
    check_sender,
    add_identity,
    add_time,
    add_properties,
    add_page,
    add_origin,
    add_browser,
    add_screen,
    add_place,
    add_told_elsewhere,
    check_catalogue,
)


def _event_id(draft: Draft) -> str:
    given = draft.raw.get("id")
    if given is None:
        if not draft.beacon.is_trusted:
            draft.correct("missing_id", "No id: one was made, so sending this again would store it twice.")
        return uuid7(draft.beacon.received_ms)
    if not isinstance(given, str) or not 0 < len(given) <= MAX_ID_LENGTH:
        raise EventRejected("bad_id", f"An event's id is a text of 1 to {MAX_ID_LENGTH} characters.")
    if not draft.beacon.is_odd:
        return given
    if not (cleaned := clean(draft, "id", given)):
        raise EventRejected("bad_id", "An event's id is nothing but NUL characters.")
    return cleaned


def _named_by_auth(raw: Mapping[str, Any], name: str) -> Any:
    """Return what `$auth` tells in its properties."""
    props = raw.get("props")
    return props.get(name) if isinstance(props, dict) else None


def _vouched_user_id(draft: Draft) -> str:
    user_id = check_user_id(_named_by_auth(draft.raw, "user_id"))
    signature = _named_by_auth(draft.raw, "hash")
    keys, now_ms = draft.beacon.site.auth_keys(), draft.beacon.received_ms
    if not isinstance(signature, str) or not keys or not is_signed(user_id, signature, keys, now_ms):
        raise EventRejected("wrong_hash", "hash is not the HMAC-SHA256 of user_id under the site's auth key.")
    return user_id


def check_user_id(user_id: Any) -> str:
    """Return a user's id. Errors: EventRejected: a cut or mistaken id would make one person of many."""
    if isinstance(user_id, int) and not isinstance(user_id, bool):
        user_id = str(user_id)
    # the length first: what all events of a request share is read again for each of them
    is_fit = isinstance(user_id, str) and len(user_id) <= MAX_SHORT_TEXT_LENGTH
    cleaned = clean_text(user_id) if is_fit else ""
    if not cleaned:
        raise EventRejected("bad_user_id", f"user_id is a text of 1 to {MAX_SHORT_TEXT_LENGTH} characters.")
    if cleaned.strip().lower() in NO_USER_IDS:
        raise EventRejected("bad_user_id", f"user_id is {cleaned!r}, which is what programs say for nobody.")
    return cleaned


def skew_of(sent_ms: int | None, received_ms: int) -> int:
    """Return by how much a page's clock is behind, 0 where it is unknown or small enough. Units: milliseconds."""
    skew_ms = 0 if sent_ms is None else received_ms - sent_ms
    return skew_ms if abs(skew_ms) > SKEW_TOLERATED_MS else 0


def _plausible_time(draft: Draft, time_ms: int, *, is_given: bool) -> int:
    beacon = draft.beacon
    received_ms = beacon.received_ms
    if is_given and (skew_ms := skew_of(beacon.sent_ms, received_ms)):
        time_ms = max(time_ms + skew_ms, FIRST_MS)
        draft.correct("clock_skew", f"time was shifted by {skew_ms} ms, the difference of the clocks.")
    if time_ms > received_ms:
        draft.correct("time_in_future", "time was later than the receipt; the time of receipt was taken.")
        return received_ms
    if not beacon.is_trusted and time_ms < received_ms - OLDEST_FROM_PAGE_MS:
        draft.correct("time_too_old", "time was more than 30 days before the receipt; 30 days were taken.")
        return received_ms - OLDEST_FROM_PAGE_MS
    return time_ms


def _own_campaign(draft: Draft) -> tuple[Mapping[str, str], bool]:
    """Return the UTM values that the event itself tells, and whether an advertisement led to its page."""
    event = draft.event
    of_url, is_paid = campaign.told_by_url(event["url"]) if event["url"] else ({}, False)
    if event["name"] == "$utm_hit":
        return campaign.utm_from_values(draft.props, "$"), is_paid
    told = campaign.utm_from_values(draft.raw) if draft.beacon.is_trusted else {}
    return told or of_url, is_paid


def _add_server_attribute(draft: Draft, attribute: str) -> None:
    """Set an attribute that only the server knows; the secret key may bring its own, a page never."""
    if draft.beacon.is_trusted and attribute in draft.props:
        return
    if draft.props.get(attribute) is not None:
        draft.correct("server_attribute", f"{attribute} is worked out by the server; the given value was dropped.")
    # the address obeys the policy here too, because the column does
    draft.props[attribute] = draft.event[attribute[1:]]
