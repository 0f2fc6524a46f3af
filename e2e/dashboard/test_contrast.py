"""All text of the dashboard is told from what is behind it: WCAG 2.2, 1.4.3, level AA."""

import pytest
from playwright.sync_api import expect

from e2e.admin import sign_in
from e2e.footfall import Footfall
from e2e.visitor import Arrive

LEAST = 4.5
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
BADGES = {"bot", "source", "rejected", "corrected", "repeats"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_told_from_its_ground(visit: Arrive, footfall: Footfall, scheme: str) -> None:
    page = visit(color_scheme=scheme).page
    sign_in(page, footfall)
    ordered = {"id": "0193aaaa-0000-7000-8000-000000aa1111", "name": "Ordered", "visitor_id": "ann"}
    for event in (ordered, ordered, {"name": "Crawled", "user_agent": GOOGLEBOT}, {"name": "Refused", "time": "never"}):
        footfall.post(event)
    footfall.post({"name": "Corrected", "visitor_id": "bob", "props": {"long": "x" * 9000}})
    expect(page.locator("#events > li")).to_have_count(4)
    kinds = page.locator("#events .badge").evaluate_all("badges => badges.map(badge => badge.classList[1])")
    assert set(kinds) == BADGES
    page.locator("#events button.open").first.click()
    page.wait_for_timeout(2000)  # rows that have just arrived shine for a moment
    found = page.evaluate(_RATIOS)
    assert len(found) > 60
    assert [each for each in found if each["ratio"] < LEAST] == []


_RATIOS = """() => {
    const parts = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = colour => {
        const [red, green, blue] = parts(colour).map(value => value / 255)
            .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const groundOf = element => {
        const colour = getComputedStyle(element).backgroundColor;
        return (parts(colour)[3] ?? 1) > 0 || !element.parentElement ? colour : groundOf(element.parentElement);
    };
    const hasText = element => [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    return [...document.body.querySelectorAll("*")]
        .filter(element => hasText(element) && element.checkVisibility() && !element.closest(".unseen, .skip, option"))
        .map(element => {
            const [one, other] = [getComputedStyle(element).color, groundOf(element)].map(light);
            const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
            return {ratio, of: element.className || element.tagName, text: element.textContent.slice(0, 30)};
        });
}"""
