"""Paging back: accepted and rejected events together, all of both, in order, none twice."""

import pytest
from playwright.sync_api import Page, expect

from e2e.admin import sign_in
from e2e.footfall import Event, Footfall

BATCHES = [("accepted", 70), ("rejected", 60), ("accepted", 560), ("rejected", 90), ("accepted", 350), ("rejected", 30)]


def event_of(verdict: str, batch: int, number: int) -> Event:
    """Return an event that meets a verdict. Shape: its name tells where it belongs."""
    event = {"name": f"{verdict} {batch} {number}", "visitor_id": "v"}
    return event if verdict == "accepted" else {**event, "time": "never"}


@pytest.fixture
def history(page: Page, footfall: Footfall) -> Page:
    """Return a dashboard over more rows than are shown at once."""
    for batch, (verdict, count) in enumerate(BATCHES):
        footfall.post(*(event_of(verdict, batch, number) for number in range(count)))
    footfall.wait_for(sum(count for verdict, count in BATCHES if verdict == "accepted"))
    sign_in(page, footfall)
    return page


def page_to_the_end(page: Page) -> list[str]:
    """Return the titles of all rows, once nothing older is to be had."""
    rows = page.locator("#events > li")
    older = page.locator("#older")  # not by its role: thousands of elements would be asked for theirs
    expect(rows.first).to_be_visible()
    while older.is_visible():
        older.click()
        expect(page.locator("#older:disabled")).to_have_count(0)
    return rows.locator("button.open").all_inner_texts()


def batches_of(titles: list[str]) -> list[int]:
    """Return which batch each row came with."""
    return [int(title.split()[1]) for title in titles]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("show", ["", "accepted", "rejected"], ids=["both", "accepted", "rejected"])
def test_paging_to_the_end_shows_everything_in_order_and_once(history: Page, show: str) -> None:
    history.get_by_label("Verdict").select_option(show)
    expected = [
        event_of(verdict, batch, number)["name"]
        for batch, (verdict, count) in enumerate(BATCHES)
        for number in range(count)
        if show in ("", verdict)
    ]
    titles = page_to_the_end(history)
    assert sorted(titles) == sorted(expected)
    assert batches_of(titles) == sorted(batches_of(titles), reverse=True)


@pytest.mark.timeout(120)
def test_paging_finds_the_one_rejected_event_of_a_name(history: Page) -> None:
    wanted = event_of("rejected", 1, 3)["name"]
    history.get_by_label("Event", exact=True).fill(wanted)
    history.keyboard.press("Enter")
    expect(history.locator("#events > li")).to_have_count(1)
    assert page_to_the_end(history) == [wanted]
