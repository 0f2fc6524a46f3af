"""Delivers what is due: one thread that looks for lines that move, one more for each line while it does.

A line (one subscription) has one delivery under way at a time, in order; lines know nothing of each other, so a slow
target delays nobody else. At least once: a delivery leaves the outbox after its answer, and whoever is killed between
the two sends it again, under the same id.
"""

import logging
import random
import sqlite3
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from server.clock import Clock, now_ms
from server.outgoing.courier import Courier
from server.outgoing.outbox import Outbox
from server.outgoing.outbox_file import Delivery, Subscription
from server.outgoing.schedule import delay_ms, pause_end_ms
from server.outgoing.settling import Outcome, next_delivery, next_due, settle_arrived, settle_failed, settle_moved
from server.outgoing.signing import headers_of, message_id
from server.outgoing.target import Guard

LONGEST_SLEEP_S = 60.0
FAULT_PAUSE_S = 5.0
HELD_CHECK_S = 0.5
STOP_TIMEOUT_S = 5.0
CALM_CHECK_S = 0.005
HOUSE_PERIOD_MS = 3600 * 1000

log = logging.getLogger("footfall.webhooks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """What a test would rather decide itself. Shape: random returns 0 to 1; tls is as in Courier."""

    clock: Clock = now_ms
    random: Callable[[], float] = random.random
    tls: ssl.SSLContext | None = None


class Sender:
    """Owns the threads. `close` stops them and waits for no target.

    Shape:  guard decides where webhooks may go; nothing is delivered as long as is_held returns True.
    """

    def __init__(
        self,
        outbox: Outbox,
        guard: Guard,
        chances: Chances | None = None,
        is_held: Callable[[], bool] = lambda: False,
    ) -> None:
        self._outbox = outbox
        self.guard = guard
        self._chances = chances or Chances()
        self._is_held = is_held
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._lines: dict[str, tuple[threading.Thread, Courier]] = {}
        self._house_due_ms = 0
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Start delivering; what an earlier process left comes first."""
        self._outbox.on_due(self.look)
        self.look()
        self._thread.start()

    def look(self) -> None:
        """Look for what is due now; without it the thread sleeps until the next is, by its own clock."""
        self._wake.set()

    def wait_until_calm(self, timeout_s: float) -> bool:
        """Return True once everything that is due now was tried, False after the time-out."""
        deadline = time.monotonic() + timeout_s
        while self._has_work():
            if time.monotonic() > deadline:
                return False
            time.sleep(CALM_CHECK_S)
        return True

    def close(self) -> None:
        """Stop; an attempt under way is given up, counts as none and is made again by the next start."""
        self._stop.set()
        self._wake.set()
        self._thread.join()
        with self._lock:
            lines = list(self._lines.values())
        for _, courier in lines:
            courier.abort()
        for thread, _ in lines:
            thread.join(STOP_TIMEOUT_S)  # one that asks a resolver cannot be told; it finds the outbox closed

    def attempt(self, subscription: Subscription, identifier: str, body: bytes) -> Outcome:
        """Return what one attempt outside all lines comes to, for a test. Blocks."""
        courier = Courier(self.guard, self._chances.clock, self._chances.tls)
        try:
            return self._carry(courier, subscription, identifier, body)
        finally:
            courier.close()

    def _has_work(self) -> bool:
        with self._outbox.reading() as database:
            due = next_due(database, now := self._chances.clock())
        with self._lock:
            return bool(self._lines) or any(due_at <= now for due_at in due.values())

    def _run(self) -> None:
        while True:
            self._wake.clear()
            if self._stop.is_set():  # asked after the clearing: `close` sets this first
                return
            try:
                sleep_s = HELD_CHECK_S if self._is_held() else self._start_lines()
            except Exception:  # the disk's faults: what is due stays due
                log.exception("the outbox cannot be read, trying again")
                sleep_s = FAULT_PAUSE_S
            self._wake.wait(sleep_s)

    def _start_lines(self) -> float:
        """Start every line that can move; return how long to sleep until the next can."""
        now = self._chances.clock()
        if not 0 < self._house_due_ms - now <= HOUSE_PERIOD_MS:  # a clock that was ahead must not put it off
            self._house_due_ms = now + HOUSE_PERIOD_MS
            self._outbox.drop_old()
        with self._outbox.reading() as database:
            due = next_due(database, now)
        sleep_s = LONGEST_SLEEP_S
        with self._lock:
            for line, due_at in due.items():
                if line in self._lines:
                    continue  # it looks again when it has ended
                if due_at > now:
                    sleep_s = min(sleep_s, (due_at - now) / 1000)
                    continue
                courier = Courier(self.guard, self._chances.clock, self._chances.tls)
                thread = threading.Thread(target=self._work, args=(line, courier), name=f"webhook {line}", daemon=True)
                thread.start()  # first: what cannot be started is no line; its end waits for the lock
                self._lines[line] = thread, courier
        return sleep_s

    def _work(self, line: str, courier: Courier) -> None:
        """Deliver a line until it is empty or has to pause."""
        try:
            while not self._stop.is_set() and self._deliver_next(line, courier):
                pass
        except Exception:  # the disk's faults; the outbox is closed: what is due stays due
            if not self._stop.is_set():
                log.exception("a delivery could not be settled, trying again")
                self._stop.wait(FAULT_PAUSE_S)
        finally:
            courier.close()
            with self._lock:
                del self._lines[line]
            self._wake.set()

    def _deliver_next(self, line: str, courier: Courier) -> bool:
        """Make one attempt; return whether the line goes on."""
        now = self._chances.clock()
        subscription = next((each for each in self._outbox.subscriptions() if each.id == line), None)
        if subscription is None or subscription.state != "active" or pause_end_ms(subscription.paused_until, now) > now:
            return False
        with self._outbox.reading() as database:
            delivery = next_delivery(database, line, now)
        if delivery is None:
            return False
        identifier = message_id(subscription.site, delivery.event_id)
        outcome = self._carry(courier, subscription, identifier, delivery.body)
        if courier.is_aborted and not outcome.has_arrived:
            return False
        with self._outbox.settling() as database:
            self._settle(database, subscription, delivery, outcome)
        return True

    def _carry(self, courier: Courier, subscription: Subscription, identifier: str, body: bytes) -> Outcome:
        now = self._chances.clock()
        headers = headers_of(subscription.secrets(now), identifier, now // 1000, body)
        return courier.carry(subscription.url, headers, body)

    def _settle(
        self, database: sqlite3.Connection, carried: Subscription, delivery: Delivery, outcome: Outcome
    ) -> None:
        now = self._chances.clock()
        if outcome.has_arrived:
            settle_arrived(database, delivery, outcome, now)
            return
        if not settle_moved(database, carried, outcome, now):
            pause_ms = delay_ms(delivery.failures + 1, outcome.retry_after_s, self._chances.random)
            settle_failed(database, delivery, outcome, now, pause_ms)
        log.info("webhook %s failed, %s: %s", delivery.subscription, delivery.event_id, outcome.error)
