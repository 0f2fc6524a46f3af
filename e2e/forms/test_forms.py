"""The form test: whatever a form looks like, no value of it is on the wire unless its author marked the field.

Forms of every shape are generated, filled in and submitted in real browsers. Every byte that reaches the collecting end
is kept; of all values that were filled in, exactly those of marked and allowed fields may be found there.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver

from e2e.footfall import Footfall
from e2e.forms.canaries import find_canaries
from e2e.forms.sheets import Sheet, make_sheets
from e2e.forms.wire import Wire, strings

SEED = 20261125
COUNTS = {"chromium": 2000, "firefox": 1000, "webkit": 1000}
LONG_COUNT = 10_000
MUTANT_COUNT = 60
# where a page's own address and title may be told
PAGE_KEYS = {"url", "title", "referrer", "$url", "$title", "$referrer"}
KEYS = {"down": Keys.ARROW_DOWN, "enter": Keys.ENTER}


@dataclass
class Findings:
    """What was seen. Shape: leaked are values that had to stay, missing those of marked fields that did not come."""

    leaked: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    miscounted: list[str] = field(default_factory=list)
    misplaced: set[str] = field(default_factory=set)
    noise: list[str] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)


@contextmanager
def listening(server_url: str, extra: str = "") -> Iterator[Wire]:
    """Return a collecting end that is closed in the end."""
    wire = Wire(server_url, extra)
    try:
        yield wire
    finally:
        wire.close()


def fill_in(driver: WebDriver, wire: Wire, sheets: list[Sheet]) -> list[str]:
    """Open every sheet, do what its visitor does, and return what went wrong in the pages."""
    noise: list[str] = []
    for sheet in sheets:
        driver.get(wire.put_page(f"/sheet/{sheet.number}", sheet.html(wire.tracker_url)))
        driver.execute_script("return drive(arguments[0])", sheet.acts()[: -len(sheet.published)])
        if keyed := sheet.keyed():
            press(driver, keyed)
        told = driver.execute_async_script(
            "const [acts, done] = arguments; document.activeElement.blur(); drive(acts).then(() =>"
            " setTimeout(() => tracker.flush().then(() => done(problems))))",
            sheet.acts()[-len(sheet.published) :],
        )
        noise += [f"sheet {sheet.number}: {line}" for line in told]
    driver.get("about:blank")
    return noise


def press(driver: WebDriver, acts: list[list[str]]) -> None:
    """Use the real keyboard, with Tab from each field to the next."""
    keys: list[str] = []
    at = acts[0][1]
    for verb, key, *more in acts:
        keys += [Keys.TAB] if key != at else []
        keys.append(KEYS.get(verb) or more[0])
        at = key
    driver.execute_script("find(arguments[0]).focus()", acts[0][1])
    ActionChains(driver, duration=0).send_keys(*keys).perform()


def examine(sheets: list[Sheet], wire: Wire, noise: list[str], stored: str) -> Findings:
    """Return what the wire and the server's store say of the sheets."""
    told = {value for sheet in sheets for value in sheet.values_told()}
    silent = {value for sheet in sheets for value in sheet.canaries()}
    found = find_canaries(told | silent, wire.texts())
    beacons = wire.beacons()
    published = {value for sheet in sheets for value in sheet.published}
    return Findings(
        leaked=found & silent,
        missing=told - found,
        misplaced=find_canaries(published, strings(_without_pages(beacons))),
        miscounted=_count(sheets, beacons),
        noise=noise,
        kept=find_canaries(silent, [stored]),
    )


def _without_pages(value: Any) -> Any:
    """Return a JSON value without what is said of the page itself."""
    if isinstance(value, dict):
        return {key: _without_pages(each) for key, each in value.items() if key not in PAGE_KEYS}
    return [_without_pages(each) for each in value] if isinstance(value, list) else value


def _count(sheets: list[Sheet], beacons: list[dict[str, Any]]) -> list[str]:
    """Return how the events differ from what the visitors did."""
    events = {event["id"]: event for beacon in beacons for event in beacon.get("events", ())}.values()
    fields, forms = Counter[tuple[str, str]](), Counter[str]()
    values: dict[tuple[str, str], Any] = {}
    for event in events:
        props = event["props"]
        if event["name"] == "$input_filled":
            fields[props["$form"], props["$field"]] += 1
            values[props["$form"], props["$field"]] = props.get("$value")
        elif event["name"] == "$form_sended":
            forms[props["$form"]] += 1
    wrong: list[str] = []
    for form in (form for sheet in sheets for form in sheet.forms):
        if forms.pop(form.name, 0) != form.told:
            wrong.append(f"{form.name} was not told {form.told} times: {form.html}")
        for each in form.fields:
            key = (form.name, each.name)
            count, value = fields.pop(key, 0), values.get(key)
            if count > 1 if each.told is None else count != each.told:
                wrong.append(f"{key} was told {count} times, not {each.told}: {each.html} {each.acts}")
            if value != each.value_told and not (each.told is None and not count):
                wrong.append(f"{key} told {value!r}, not {each.value_told!r}: {each.html} {each.acts}")
    fields.pop(("", "searched"), 0)
    return wrong + [f"{name} is none of the forms" for name in (*forms, *fields)]


def run(driver: WebDriver, footfall: Footfall, count: int, extra: str = "", seed: int = SEED) -> Findings:
    """Return the findings of so many forms, with JavaScript that is added to the tracker."""
    sheets = make_sheets(seed, count)
    with listening(footfall.base_url, extra) as wire:
        noise = fill_in(driver, wire, sheets)
        return examine(sheets, wire, noise, footfall.everything())


@pytest.mark.timeout(300)  # some 40 s on a quiet machine
def test_no_value_is_on_the_wire_unless_its_field_is_marked(driver: WebDriver, engine: str, footfall: Footfall) -> None:
    assert run(driver, footfall, COUNTS[engine]) == Findings()


@pytest.mark.long
@pytest.mark.timeout(1200)  # some 200 s on a quiet machine
@pytest.mark.engines("chromium")
def test_no_value_of_ten_thousand_forms_is_on_the_wire(driver: WebDriver, footfall: Footfall) -> None:
    assert run(driver, footfall, LONG_COUNT) == Findings()


READ_ON_CHANGE = "addEventListener('change', ({ target }) => tracker.track('Mutant', { v: target.value }), true);"
MUTANTS = {
    "reads the value of every field": READ_ON_CHANGE,
    "reads passwords only": READ_ON_CHANGE.replace("tracker", "target.type === 'password' && tracker"),
    "reads what is typed": "addEventListener('input', ({ target, data }) => tracker.set({ typed: data }), true);",
    "reads the form": "addEventListener('submit', ({ target }) =>"
    " tracker.track('Mutant', Object.fromEntries(new FormData(target))), true);",
    "names the person": "addEventListener('change', ({ target }) => tracker.identify({ v: target.value }), true);",
    "follows the query of a form": "addEventListener('submit', ({ target }) =>"
    " tracker.track('Mutant', { a: target.getAttribute('action') }), true);",
    "zips it": "addEventListener('change', async ({ target }) => fetch(MUTANT_URL, { method: 'POST',"
    " body: await new Response(new Blob([JSON.stringify({ v: target.value })]).stream()"
    ".pipeThrough(new CompressionStream('gzip'))).arrayBuffer()}), true);",
    "puts it into an address": "addEventListener('change', ({ target }) =>"
    " { new Image().src = MUTANT_URL + '?v=' + encodeURIComponent(target.value) }, true);",
}


@pytest.mark.engines("chromium")
@pytest.mark.parametrize("extra", MUTANTS.values(), ids=MUTANTS.keys())
def test_tracker_that_reads_a_value_is_found_out(driver: WebDriver, footfall: Footfall, extra: str) -> None:
    url = "const MUTANT_URL = document.currentScript.src.replace('tracker.js', 'health/live');"
    assert run(driver, footfall, MUTANT_COUNT, f"{{ {url} {extra} }}").leaked
