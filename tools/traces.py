"""Reads Chromium's traces: what one script cost, and what layouts it forced.

Shape:  events are those of the Trace Event Format; `script` is a part of the script's address.
Source: https://github.com/catapult-project/catapult, "Trace Event Format"; the names are those of DevTools' timeline.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page

_TIMES = ["devtools.timeline"]
_STACKS = [*_TIMES, "disabled-by-default-devtools.timeline.stack"]
_LAYOUTS = ("Layout", "UpdateLayoutTree")
_RUNS = ("EvaluateScript", "FunctionCall", "TimerFire", "v8.evaluateModule")
_TIMERS = ("TimerInstall", "RequestAnimationFrame", "RequestIdleCallback")

TraceEvent = dict[str, Any]


@contextmanager
def trace(browser: Browser, page: Page, *, has_stacks: bool = True) -> Iterator[list[TraceEvent]]:
    """Return a list that is filled when the block has ended.

    Shape: without stacks times are truer, but nobody knows whose a layout is.
    """
    events: list[TraceEvent] = []
    browser.start_tracing(page=page, categories=_STACKS if has_stacks else _TIMES)
    try:
        yield events
    finally:
        events += json.loads(browser.stop_tracing())["traceEvents"]


def forced_layouts(events: list[TraceEvent], script: str) -> list[TraceEvent]:
    """Return the layouts and style calculations that ran while the script waited for them."""
    return [each for each in events if each["name"] in _LAYOUTS and script in _stack(each)]


def runs(events: list[TraceEvent], script: str, name: str = "") -> list[TraceEvent]:
    """Return what ran of a script: its start, its listeners, its timers. Shape: of one kind where `name` says so."""
    wanted = (name,) if name else _RUNS
    return [each for each in events if each["name"] in wanted and script in _source(each)]


def timers(events: list[TraceEvent], script: str) -> list[TraceEvent]:
    """Return the timers and frames that a script asked for."""
    return [each for each in events if each["name"] in _TIMERS and script in _stack(each)]


def calls_within(events: list[TraceEvent], script: str, dispatched: str) -> list[float]:
    """Return what a script's listeners took for each event of a type. Units: processor microseconds for each event."""
    calls = runs(events, script, "FunctionCall")
    durations = []
    for event in events:
        if event["name"] == "EventDispatch" and event["args"]["data"]["type"] == dispatched and "dur" in event:
            inside = [each for each in calls if _is_within(each, event)]
            if inside:
                durations.append(float(sum(each["tdur"] for each in inside)))
    return durations


def _is_within(inner: TraceEvent, outer: TraceEvent) -> bool:
    end = outer["ts"] + outer["dur"]
    return bool(inner["tid"] == outer["tid"] and outer["ts"] <= inner["ts"] and inner["ts"] + inner["dur"] <= end)


def _source(event: TraceEvent) -> str:
    data = event.get("args", {}).get("data", {})
    return str(data.get("url") or data.get("scriptName") or _stack(event))


def _stack(event: TraceEvent) -> str:
    """Return the event's stack as text, from wherever this kind of event has it."""
    args = event.get("args", {})
    places = (args.get("data") or {}, args.get("beginData") or {}, args)
    return json.dumps([place.get("stackTrace") or place.get("sampleStackTrace") for place in places])
