"""Subscriptions and their dead letters, made, changed and asked about: statements on the outbox' file."""

import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import orjson

from server.outgoing.outbox_file import Delivery, State, Subscription, select_deliveries, select_subscriptions
from server.outgoing.signing import create_secret

MAX_SUBSCRIPTIONS = 20
LISTED_BODY_BYTES = 64 * 1024
PAGE_BODY_BYTES = 4 * 1024 * 1024
OLD_SECRET_KEPT_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be different. Shape: None leaves a thing as it is."""

    url: str | None = None
    names: Sequence[str] | None = None
    state: State | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which deliveries are to be listed. Shape: after is the last number that is known already."""

    after: int
    limit: int
    is_dead: bool


def add_subscription(
    database: sqlite3.Connection, site: str, url: str, names: Sequence[str], now_ms: int
) -> Subscription | None:
    """Return a new subscription, None when the site has MAX_SUBSCRIPTIONS already."""
    if len(select_subscriptions(database, "site = ?", (site,))) >= MAX_SUBSCRIPTIONS:
        return None
    made = f"wh_{secrets.token_hex(10)}"
    database.execute(
        "insert into subscriptions (id, site, url, names, state, secret, created_at)"
        " values (?, ?, ?, ?, 'active', ?, ?)",
        (made, site, url, _encode(names), create_secret(), now_ms),
    )
    return find_subscription(database, site, made)


def find_subscription(database: sqlite3.Connection, site: str, subscription: str) -> Subscription | None:
    """Return a site's subscription by its id."""
    found = select_subscriptions(database, "site = ? and id = ?", (site, subscription))
    return found[0] if found else None


def change_subscription(database: sqlite3.Connection, subscription: Subscription, change: Change) -> None:
    """Change a subscription; its line is tried at once."""
    database.execute(
        "update subscriptions set url = coalesce(?, url), names = coalesce(?, names), state = coalesce(?, state)"
        " where id = ?",
        (change.url, None if change.names is None else _encode(change.names), change.state, subscription.id),
    )
    end_pause(database, subscription)


def replace_secret(database: sqlite3.Connection, subscription: Subscription, now_ms: int) -> str:
    """Return a new secret; the old one signs too for OLD_SECRET_KEPT_MS."""
    secret = create_secret()
    database.execute(
        "update subscriptions set old_secret = secret, old_secret_until = ?, secret = ? where id = ?",
        (now_ms + OLD_SECRET_KEPT_MS, secret, subscription.id),
    )
    return secret


def remove_subscription(database: sqlite3.Connection, subscription: Subscription) -> None:
    """Remove a subscription with everything that waits for it."""
    database.execute("delete from deliveries where subscription = ?", (subscription.id,))
    database.execute("delete from subscriptions where id = ?", (subscription.id,))


def count_deliveries(database: sqlite3.Connection) -> Mapping[str, tuple[int, int]]:
    """Return for each subscription how many deliveries wait and how many are dead."""
    rows = database.execute(
        "select id, (select count(*) from deliveries where subscription = id and dead_at is null),"
        " (select count(*) from deliveries where subscription = id and dead_at is not null) from subscriptions"
    )
    return {subscription: (waiting, dead) for subscription, waiting, dead in rows}


def list_deliveries(
    database: sqlite3.Connection, subscription: Subscription, page: Page
) -> tuple[list[Delivery], int | None]:
    """Return a page of a subscription's deliveries in their order, and what the next comes after, None at the end.

    Shape:  bodies end after LISTED_BODY_BYTES, the page with PAGE_BODY_BYTES of them; it has one at least.
    """
    state = "dead_at is not null" if page.is_dead else "dead_at is null"
    where = f"subscription = ? and {state} and seq > ? order by seq limit ?"
    sizes = database.execute(
        f"select min(length(body), ?) from deliveries where {where}",  # noqa: S608 - our own texts
        (LISTED_BODY_BYTES, subscription.id, page.after, page.limit + 1),
    ).fetchall()
    fitting = sum(total <= PAGE_BODY_BYTES for total in accumulate(size for (size,) in sizes[: page.limit]))
    values = (subscription.id, page.after, max(1, fitting))
    found = select_deliveries(database, where, values, LISTED_BODY_BYTES)
    return found, found[-1].seq if len(sizes) > len(found) else None


def revive(database: sqlite3.Connection, subscription: Subscription, chosen: Sequence[int] | None, now_ms: int) -> int:
    """Have dead letters wait again, with the whole schedule before them; return how many.

    Shape:  chosen are numbers, None means all. They keep their numbers, so they come before what is newer.
    """
    revived = database.execute(
        "update deliveries set dead_at = null, failures = 0, due_at = 0, queued_at = ?1, status = null, error = null"
        " where subscription = ?2 and dead_at is not null and (?3 is null or seq in (select value from json_each(?3)))",
        (now_ms, subscription.id, None if chosen is None else orjson.dumps(chosen).decode()),
    ).rowcount
    end_pause(database, subscription)
    return revived


def end_pause(database: sqlite3.Connection, subscription: Subscription) -> None:
    """Have a line that pauses be tried at once, and what has stepped aside with it, in the old order."""
    database.execute("update subscriptions set paused_until = 0 where id = ?", (subscription.id,))
    database.execute(
        "update deliveries set due_at = 0 where subscription = ? and dead_at is null and due_at > 0", (subscription.id,)
    )


def _encode(names: Sequence[str]) -> str:
    return orjson.dumps(list(names)).decode()
