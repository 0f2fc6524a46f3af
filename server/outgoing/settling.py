"""What becomes of a delivery after an attempt: statements on the outbox' file, for the sender, inside a transaction.

Order   Each subscription is a line: one delivery at a time, the oldest first. A target that is away, or fails, holds
        its line: what is behind waits for the same pause. An event that the target refuses for what it is (REFUSALS)
        steps aside for its own pauses, and the others pass.
Death   After the last pause of the schedule, and with it goes whoever has waited in the line for as long: a target
        that never comes back does not make the outbox grow by one event for each day that it is tried.
Bytes   The file's used pages are bounded as well: beyond that dead letters go first, then the oldest of the line
        that takes most: it makes room for itself, and costs no other line what is small.
Clock   It may have been ahead: a pause that ends later than any pause can is over, and order follows from no instant.
Gone    A 410 makes the whole line dead letters, and nothing is queued until its owner says otherwise.
"""

import sqlite3
from dataclasses import dataclass

from server.outgoing.outbox_file import Delivery, Subscription, select_deliveries, select_subscriptions, used_bytes
from server.outgoing.schedule import longest_pause_ms, longest_wait_ms, pause_end_ms

MAX_WAITING = 100_000
MAX_DEAD = 10_000
DEAD_KEPT_DAYS = 30
MAX_FILE_BYTES = 1024**3
SHRINK_STEP = 100
REFUSALS = frozenset({400, 413, 415, 422})
GONE = 410
_DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an attempt came to.

    Shape:  status is the answer's, None without one; error is our own words, never the target's; has_arrived for 2xx.
            retry_after_s is what the target asked for.
    """

    status: int | None = None
    error: str | None = None
    retry_after_s: float | None = None

    @property
    def has_arrived(self) -> bool:
        """Return whether the target has taken it."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - RFC 9110: successful


def next_delivery(database: sqlite3.Connection, subscription: str, now_ms: int) -> Delivery | None:
    """Return the first in a line that may be tried now."""
    where = "subscription = ? and dead_at is null and due_at not between ? and ? order by seq limit 1"
    found = select_deliveries(database, where, (subscription, now_ms + 1, now_ms + longest_pause_ms()))
    return found[0] if found else None


def next_due(database: sqlite3.Connection, now_ms: int) -> dict[str, int]:
    """Return for each line that moves when it can be tried next, now at the earliest, milliseconds since the epoch."""
    rows = database.execute(
        "select id, paused_until, (select min(due_at) from deliveries where subscription = id and dead_at is null),"
        " (select max(due_at) from deliveries where subscription = id and dead_at is null)"
        " from subscriptions where state = 'active'"
    )
    due = {}
    for line, paused_until, first, last in rows:
        if first is not None:  # the last as well: where it is due too late for any pause, it is due now
            earliest = min(pause_end_ms(first, now_ms), pause_end_ms(last, now_ms))
            due[line] = max(pause_end_ms(paused_until, now_ms), earliest)
    return due


def settle_arrived(database: sqlite3.Connection, delivery: Delivery, outcome: Outcome, now_ms: int) -> None:
    """Let a delivery go that has arrived; its line moves on."""
    database.execute("delete from deliveries where seq = ?", (delivery.seq,))
    database.execute(
        "update subscriptions set delivered = delivered + 1, paused_until = 0, last_attempt_at = ?, last_status = ?,"
        " last_error = null where id = ?",
        (now_ms, outcome.status, delivery.subscription),
    )


def settle_moved(database: sqlite3.Connection, carried: Subscription, outcome: Outcome, now_ms: int) -> bool:
    """Count a failed attempt at an address that its subscription no longer has; return whether it was one.

    It says nothing of the new address, which is not to wait for it.
    """
    if select_subscriptions(database, "id = ? and url = ?", (carried.id, carried.url)):
        return False
    _count_failed(database, carried.id, outcome, now_ms)
    return True


def settle_failed(
    database: sqlite3.Connection, delivery: Delivery, outcome: Outcome, now_ms: int, pause_ms: int | None
) -> None:
    """Note a failed attempt. Shape: pause_ms is None after the last."""
    subscription = delivery.subscription
    _count_failed(database, subscription, outcome, now_ms)
    database.execute(
        "update deliveries set failures = failures + 1, status = ?, error = ? where seq = ?",
        (outcome.status, outcome.error, delivery.seq),
    )
    if outcome.status == GONE:
        database.execute("update subscriptions set state = 'gone' where id = ?", (subscription,))
        _bury(database, "subscription = ? and dead_at is null", (subscription,), now_ms, "the target is gone")
    elif pause_ms is None:
        _bury(database, "seq = ?", (delivery.seq,), now_ms, None)
        if outcome.status not in REFUSALS:
            longest = now_ms - longest_wait_ms()
            where = "subscription = ? and dead_at is null and queued_at < ?"
            _bury(database, where, (subscription, longest), now_ms, "the target was away")
    elif outcome.status in REFUSALS:
        database.execute("update deliveries set due_at = ? where seq = ?", (now_ms + pause_ms, delivery.seq))
    else:
        database.execute("update subscriptions set paused_until = ? where id = ?", (now_ms + pause_ms, subscription))
    drop_dead(database, subscription, now_ms)


def _count_failed(database: sqlite3.Connection, subscription: str, outcome: Outcome, now_ms: int) -> None:
    database.execute(
        "update subscriptions set failed = failed + 1, last_attempt_at = ?, last_status = ?, last_error = ?"
        " where id = ?",
        (now_ms, outcome.status, outcome.error, subscription),
    )


def shorten_line(database: sqlite3.Connection, subscription: str, now_ms: int) -> None:
    """Have the oldest of a line that is too long become dead letters."""
    sql = "select count(*) from deliveries where subscription = ? and dead_at is null"
    excess = database.execute(sql, (subscription,)).fetchone()[0] - MAX_WAITING
    if excess > 0:
        where = "seq in (select seq from deliveries where subscription = ? and dead_at is null order by seq limit ?)"
        _bury(database, where, (subscription, excess), now_ms, "too many were waiting")
        drop_dead(database, subscription, now_ms)


def drop_dead(database: sqlite3.Connection, subscription: str, now_ms: int) -> None:
    """Drop a subscription's dead letters beyond their bounds, and count them."""
    dropped = database.execute(
        "delete from deliveries where subscription = ?1 and dead_at is not null and (dead_at < ?2 or seq <= ("
        "select seq from deliveries where subscription = ?1 and dead_at is not null order by seq desc limit 1 offset ?3"
        "))",
        (subscription, now_ms - DEAD_KEPT_DAYS * _DAY_MS, MAX_DEAD),
    ).rowcount
    if dropped:
        database.execute("update subscriptions set dropped = dropped + ? where id = ?", (dropped, subscription))


def shrink(database: sqlite3.Connection) -> None:
    """Drop the oldest until the file's used pages are within MAX_FILE_BYTES, and count them.

    Shape:  dead letters first, then what waits; of the line whose bodies take most bytes, which is asked again after
            SHRINK_STEP.
    """
    for kind in ("dead_at is not null", "dead_at is null"):
        while _is_too_large(database) and _drop_oldest(database, kind):
            pass


def _is_too_large(database: sqlite3.Connection) -> bool:
    return used_bytes(database) > MAX_FILE_BYTES


def _drop_oldest(database: sqlite3.Connection, kind: str) -> bool:
    """Drop the oldest of the subscription that has most bytes of a kind, as many as needed; return whether it had any.

    Shape:  at most SHRINK_STEP.
    """
    largest = database.execute(
        f"select subscription from deliveries where {kind} group by subscription"  # noqa: S608 - our own texts
        " order by sum(length(body)) desc limit 1"
    ).fetchone()
    if largest is None:
        return False
    sql = f"select seq from deliveries where subscription = ? and {kind} order by seq limit ?"  # noqa: S608 - our own texts
    dropped = 0
    for seq in database.execute(sql, (*largest, SHRINK_STEP)).fetchall():
        if not _is_too_large(database):
            break
        dropped += database.execute("delete from deliveries where seq = ?", seq).rowcount
    database.execute("update subscriptions set dropped = dropped + ? where id = ?", (dropped, *largest))
    return True


def _bury(
    database: sqlite3.Connection, where: str, values: tuple[object, ...], now_ms: int, reason: str | None
) -> None:
    """Make dead letters. Shape: reason is for those that were not tried themselves."""
    sql = f"update deliveries set dead_at = ?, error = coalesce(error, ?) where {where}"  # noqa: S608 - our own texts
    database.execute(sql, (now_ms, reason, *values))
