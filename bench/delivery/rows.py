"""The rows of the table: what befalls the pages, and what is counted of it.

Shape:  a row is called with the lab and returns how to finish it, so that a row that mostly waits can do so beside
        others. The row's name is also the name of the events that it tracks.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from selenium.common.exceptions import InvalidSessionIdException

from bench.delivery.deck import Deck, Fate, always
from bench.delivery.lab import Lab, Plan, batches
from bench.delivery.network import go_offline
from bench.delivery.processes import keep_alive, kill_worker, wait_until_quiet
from bench.delivery.proxy import RETRY_AFTER_S
from bench.delivery.result import Result, account

RESETS = [Fate.RESET] * 3 + [Fate.LOSE_ANSWER] * 3
BUSY = [Fate.BUSY] * 3 + [Fate.BARE_BUSY] * 3
LIMITED = [Fate.LIMITED] * 6
SETTLE_S = 25.0
ARRIVE_S = 4.0
CLOSE_S = 15.0

Finish = Callable[[], Result]
Begin = Callable[[Lab, str], Finish]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Shape:  cannot says for an engine why the row cannot be produced there. A slow row mostly waits, beside others; a
            lone one takes the server or the browser from all pages.
    """

    name: str
    title: str
    begin: Begin
    cannot: dict[str, str] = field(default_factory=dict)
    is_slow: bool = False
    is_lone: bool = False


def under_faults(faults: list[Fate]) -> Begin:
    """Let fresh visitors track ten events at five a second; their pages stay open until all is stored."""

    def begin(lab: Lab, row: str) -> Finish:
        lab.proxy.deal(row, Deck(f"{lab.seed} {row}", faults).draw)
        profiles = names(row, lab.extent.size)
        for batch in batches(profiles):
            handles = lab.open(batch, plan(row, 10, every_ms=200))
            lab.site.wait_for("done", batch, 1, SETTLE_S)
            lab.wait_until_stored(row, batch, SETTLE_S)
            lab.close(handles)
        return lambda: _after_a_later_visit(lab, row, profiles)

    return begin


def limited(lab: Lab, row: str) -> Finish:
    """Do as under faults; besides, count who asks again before Retry-After is over."""
    finish = under_faults(LIMITED)(lab, row)

    def end() -> Result:
        result = finish()
        told: dict[str, float] = {}
        early = 0
        for beacon in lab.proxy.beacons(row):
            early += beacon.at_s < told.get(beacon.profile, 0)
            if beacon.fate is Fate.LIMITED:
                told[beacon.profile] = beacon.at_s + RETRY_AFTER_S
        result.figures["requests before Retry-After was over"] = early
        result.limits["requests before Retry-After was over"] = 0
        return result

    return end


def outage(lab: Lab, row: str) -> Finish:
    """Kill the server while pages go on tracking; when it is back, outage_s later, no new event helps."""
    profiles = names(row, max(1, lab.extent.size // 4))
    handles = lab.open(profiles, {"isSettled": True})
    lab.proxy.deal(row, always(Fate.RESET))
    lab.kill_server()
    began_s = time.monotonic()
    lab.tell(profiles, plan(row, 5, every_ms=1000))
    time.sleep(lab.extent.outage_s / 2)
    lab.start_server()
    lab.site.wait_for("done", profiles, 1, SETTLE_S)
    time.sleep(max(0.0, began_s + lab.extent.outage_s - time.monotonic()))
    lab.proxy.deal(row, None)
    back_s = time.monotonic()
    during = [beacon.profile for beacon in lab.proxy.beacons(row) if began_s < beacon.at_s < back_s]
    lost = lab.wait_until_stored(row, profiles, SETTLE_S)
    late = max(beacon.at_s for beacon in lab.proxy.beacons(row)) - back_s
    result = account(lab, row, profiles, sum(map(len, lost.values())))
    result.figures = {"requests in the outage": max(map(during.count, profiles)), "seconds until the last": late}
    result.limits = {"requests in the outage": 12, "seconds until the last": 5}
    lab.close(handles)
    return lambda: result


def closed_while_down(lab: Lab, row: str) -> Finish:
    """Kill the server; each visitor tracks three events, closes the page, and later opens another one."""
    profiles = names(row, lab.extent.size)
    for batch in batches(profiles):
        handles = lab.open(batch, {"isSettled": True})
        lab.proxy.deal(row, always(Fate.RESET))
        lab.kill_server()
        lab.tell(batch, plan(row, 3))
        lab.site.wait_for("done", batch, 1, CLOSE_S)
        lab.close(handles)
        lab.start_server()
        lab.proxy.deal(row, None)
    return lambda: _after_a_later_visit(lab, row, profiles)


def closing(count: int, close_ms: int, chars: int = 40) -> Begin:
    """Let a settled page track a burst in one task and close itself, in that task or a moment later."""

    def begin(lab: Lab, row: str) -> Finish:
        profiles = names(row, lab.extent.size)
        for batch in batches(profiles):
            burst = plan(row, count, chars=chars, close_ms=close_ms)
            handles = lab.open(batch, {"isSettled": True})
            lab.tell(batch, burst)
            lab.site.wait_for("done", batch, 1, CLOSE_S)
            end = time.monotonic() + CLOSE_S
            while still := set(handles) & set(lab.driver.window_handles):
                if time.monotonic() > end:
                    raise TimeoutError(f"{len(still)} windows did not close themselves")
                time.sleep(0.1)
        return lambda: _after_a_later_visit(lab, row, profiles)

    return begin


def offline(lab: Lab, row: str) -> Finish:
    """Take the browser offline, let its pages track, and take it back."""
    profiles = names(row, max(1, lab.extent.size // 4))
    handles = lab.open(profiles, {"isSettled": True})
    with go_offline(lab.driver, handles):
        lab.driver.switch_to.window(lab.hub)
        lab.tell(profiles, plan(row, 5, every_ms=200))
        time.sleep(3)
    lab.driver.switch_to.window(lab.hub)
    lab.tell(profiles, {})
    lab.site.wait_for("done", profiles, 1, CLOSE_S)
    lost = lab.wait_until_stored(row, profiles, SETTLE_S)
    result = account(lab, row, profiles, sum(map(len, lost.values())))
    lab.close(handles)
    return lambda: result


def five_tabs(lab: Lab, row: str) -> Finish:
    """Let five windows of one site track at once, and kill the process of one in the middle."""
    profile = names(row, 1)
    driver_pid = lab.driver.service.process.pid  # type: ignore[attr-defined]
    handles = [lab.open_alone(profile[0]) for _ in range(5)]
    wait_until_quiet(driver_pid)
    for handle in handles:
        lab.driver.switch_to.window(handle)
        lab.driver.execute_script("window.carryOut(arguments[0])", plan(row, 40, every_ms=200))

    keep_alive(lab.driver)
    lab.driver.switch_to.window(handles[2])
    work = partial(lab.driver.execute_script, "for (const end = Date.now() + 2e3; Date.now() < end; );")
    kill_worker(driver_pid, work)
    lab.driver.switch_to.window(lab.hub)
    lab.site.wait_for("done", profile, 4, SETTLE_S)
    lost = lab.wait_until_stored(row, profile, SETTLE_S)
    result = account(lab, row, profile, sum(map(len, lost.values())))
    if lab.site.journals[profile[0]].done != 4:
        raise RuntimeError(f"five tabs in {lab.engine}: not one page's process was killed")
    with suppress(InvalidSessionIdException):  # WebKit's driver knows its browser no more when a page's process dies
        lab.close(handles)
    return lambda: result


def blocked(lab: Lab, row: str) -> Finish:
    """Let every request fail from the first page on, as with a content blocker; then mend the network."""
    profiles = names(row, max(1, lab.extent.size // 4))
    lab.proxy.deal(row, always(Fate.RESET))
    handles = lab.open(profiles, plan(row, 15, every_ms=1000))

    def end() -> Result:
        lab.site.wait_for("done", profiles, 1, SETTLE_S)
        attempts = [beacon.profile for beacon in lab.proxy.beacons(row)]
        noise = sum(len(lab.site.journals[name].noise) for name in profiles)
        lab.close(handles)
        time.sleep(ARRIVE_S)
        lab.proxy.deal(row, None)
        result = _after_a_later_visit(lab, row, profiles)
        result.figures = {"attempts of an open page": max(map(attempts.count, profiles)), "lines printed": noise}
        result.limits = {"attempts of an open page": 3, "lines printed": 0}
        return result

    return end


def steady(lab: Lab, row: str) -> Finish:
    """Let one settled page track five events a second for a minute."""
    profiles = names(row, 1)
    handles = lab.open(profiles, {"isSettled": True})
    landing = account(lab, row, profiles, 0)
    lab.tell(profiles, plan(row, int(lab.extent.steady_s * 5), every_ms=200))

    def end() -> Result:
        lab.site.wait_for("done", profiles, 1, lab.extent.steady_s + SETTLE_S)
        lost = lab.wait_until_stored(row, profiles, SETTLE_S)
        result = account(lab, row, profiles, sum(map(len, lost.values())))
        result.events -= landing.events
        result.requests -= landing.requests
        result.body_bytes -= landing.body_bytes
        result.figures = {
            "requests per event": result.requests / result.tracked,
            "body bytes per event": result.body_bytes / result.tracked,
        }
        result.limits = {"requests per event": 0.2, "body bytes per event": 150}
        lab.close(handles)
        return result

    return end


def names(row: str, count: int) -> list[str]:
    """Return the hosts of a row's profiles."""
    return [f"{row}-{number}.localhost" for number in range(count)]


def plan(row: str, count: int, *, every_ms: int = 0, chars: int = 40, close_ms: int = -1) -> Plan:
    """Return what a page is to do: track that many events, at once or one by one, then close itself or stay."""
    return {"name": row, "count": count, "every_ms": every_ms, "chars": chars, "close_ms": close_ms}


def _after_a_later_visit(lab: Lab, row: str, profiles: list[str]) -> Result:
    """Return the result, and count before it what waits for the visitors to come back."""
    lost = lab.wait_until_stored(row, profiles, ARRIVE_S)
    for _ in range(3):  # the visit's own requests may meet faults too
        if remaining := lab.missing(row, profiles):
            lab.visit_again(list(remaining))
            lab.wait_until_stored(row, profiles, ARRIVE_S)
    return account(lab, row, profiles, sum(map(len, lost.values())))


_NO_SWITCH = "no command of WebKitGTK's driver takes it offline"
ROWS = (
    Row("steady", "five events a second for a minute", steady, is_slow=True),
    Row("blocked", "every request fails, as with a content blocker", blocked, is_slow=True),
    Row("reset", "30 % of connections reset, half of them after processing", under_faults(RESETS)),
    Row("busy", "30 % answered 503, half of them unreadable for scripts", under_faults(BUSY)),
    Row("limited", f"30 % answered 429 with Retry-After: {RETRY_AFTER_S}", limited),
    Row("task", "closed in the task that tracked", closing(1, 0)),
    Row("moment", "closed 100 ms later", closing(1, 100)),
    Row("burst", "20 events in one task, then closed", closing(20, 0)),
    Row("large", "50 events of 4 KiB in one task, then closed", closing(50, 0, chars=4096)),
    Row("outage", "server down for 20 s, page open", outage, is_lone=True),
    Row("away", "page closed while the server is down, then a later visit", closed_while_down, is_lone=True),
    Row("offline", "offline and back", offline, cannot={"webkit": _NO_SWITCH}, is_lone=True),
    Row("tabs", "five tabs of one site, one of them killed", five_tabs, is_lone=True),
)
