"""Fields and forms: that one was filled in is told, what was filled in is not."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from e2e.footfall import Footfall
from e2e.page_server import PageServer
from e2e.visitor import flush

pytestmark = pytest.mark.engines("chromium", "firefox")
TYPED = {
    "city": "Trondheim-typed",
    "coupon": "SPRING-typed",
    "about": "about-typed",
    "pass": "password-typed",
    "card": "4000000000000002",
    "code": "991827",
    "silent": "silent-typed",
    "silent_too": "silenttoo-typed",
}
TOKEN = "hidden-token-value"


@pytest.fixture
def form(page: Page, pages: PageServer) -> Page:
    """Return the page of fields."""
    page.goto(pages.url("fields/form"))
    page.wait_for_function("tracker.version")
    return page


def fill(page: Page, name: str, text: str) -> None:
    """Type into a field as a person does, and leave it."""
    page.locator(f"[name={name}]").press_sequentially(text)
    page.keyboard.press("Tab")


def filled(page: Page, footfall: Footfall) -> list[dict[str, Any]]:
    """Return the attributes of the stored `$input_filled`, once everything is stored."""
    flush(page)
    return [event["props"] for event in footfall.events(name="$input_filled")]


def test_field_is_told_without_its_value(form: Page, footfall: Footfall) -> None:
    fill(form, "city", TYPED["city"])
    assert filled(form, footfall) == [{"$field": "city", "$field_type": "text", "$form": "profile"}]


def test_field_is_told_once_however_often_it_changes(form: Page, footfall: Footfall) -> None:
    for text in ("one", "two"):
        fill(form, "city", text)
    fill(form, "about", "three")
    assert [props["$field"] for props in filled(form, footfall)] == ["city", "about"]


def test_field_is_told_again_on_the_next_view(form: Page, footfall: Footfall) -> None:
    fill(form, "city", "one")
    form.evaluate("history.pushState({}, '', '?step=2')")
    form.wait_for_timeout(500)  # a view is told shortly after the change of route, when the page has set its title
    fill(form, "city", "two")
    assert [props["$field"] for props in filled(form, footfall)] == ["city", "city"]


def test_emptied_field_is_not_told(form: Page, footfall: Footfall) -> None:
    form.evaluate("document.querySelector('[name=city]').value = 'filled in by the page'")
    form.locator("[name=city]").press("ControlOrMeta+A")
    form.keyboard.press("Delete")
    form.keyboard.press("Tab")
    assert filled(form, footfall) == []


def test_field_that_the_page_fills_is_not_told(form: Page, footfall: Footfall) -> None:
    form.evaluate(
        "() => { const city = document.querySelector('[name=city]'); city.value = 'by the page';"
        " city.dispatchEvent(new Event('change', {bubbles: true})); }"
    )
    assert filled(form, footfall) == []


def test_value_is_told_where_the_page_marked_the_field(form: Page, footfall: Footfall) -> None:
    fill(form, "coupon", TYPED["coupon"])
    form.locator("[name=size]").press("ArrowDown")
    form.keyboard.press("Tab")
    assert [(props["$field"], props["$value"]) for props in filled(form, footfall)] == [
        ("coupon", TYPED["coupon"]),
        ("size", "large"),
    ]


def test_choice_and_tick_are_fields_too(form: Page, footfall: Footfall) -> None:
    form.locator("[name=terms]").click()
    form.locator("[name=size]").press("ArrowDown")
    form.keyboard.press("Tab")
    assert [(props["$field"], props["$field_type"]) for props in filled(form, footfall)] == [
        ("terms", "checkbox"),
        ("size", "select-one"),
    ]


def test_field_outside_of_forms_goes_by_its_id(form: Page, footfall: Footfall) -> None:
    form.locator("#loose").press_sequentially("x")
    form.keyboard.press("Tab")
    assert filled(form, footfall) == [{"$field": "loose", "$field_type": "text", "$form": ""}]


def test_secret_field_never_tells_its_value_although_it_is_marked(form: Page, footfall: Footfall) -> None:
    secrets = ["pass", "card", "code"]
    for name in secrets:
        fill(form, name, TYPED[name])
    told = filled(form, footfall)
    assert [props["$field"] for props in told] == secrets
    assert [props for props in told if "$value" in props] == []
    assert [name for name in secrets if TYPED[name] in footfall.everything()] == []


def test_file_and_hidden_field_never_tell_their_value(form: Page, footfall: Footfall, tmp_path: Path) -> None:
    photo = tmp_path / "portrait-of-somebody.png"
    photo.write_bytes(b"content-of-the-photo")
    form.locator("[name=photo]").set_input_files(photo)
    form.get_by_role("button", name="Save").click()
    flush(form)
    assert filled(form, footfall) == [{"$field": "photo", "$field_type": "file", "$form": "profile"}]
    assert footfall.events(name="$form_sended")
    kept = footfall.everything()
    assert [text for text in (photo.name, "content-of-the-photo", TOKEN) if text in kept] == []


def test_ignored_field_says_nothing_at_all(form: Page, footfall: Footfall) -> None:
    for name in ("silent", "silent_too"):
        fill(form, name, TYPED[name])
    assert filled(form, footfall) == []


def test_form_is_told_with_the_names_of_its_fields(form: Page, footfall: Footfall) -> None:
    for name, text in TYPED.items():
        fill(form, name, text)
    form.get_by_role("button", name="Save").click()
    flush(form)
    [sent] = footfall.events(name="$form_sended")
    assert sent["props"] == {
        "$form": "profile",
        "$action": "/profile",
        "$fields": ["city", "coupon", "about", "size", "terms", "pass", "card", "code", "photo"],
    }
    kept = footfall.everything()
    assert [name for name, text in TYPED.items() if text in kept] == ["coupon"]
    assert "somebody" not in kept


def test_ignored_form_is_not_told(form: Page, footfall: Footfall) -> None:
    form.locator("[name=whisper]").press_sequentially("psst")
    form.get_by_role("button", name="Hush").click()
    flush(form)
    assert [event["name"] for event in footfall.events()] == ["$session_start", "$page_view"]
