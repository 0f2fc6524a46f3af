"""A visitor buys a bicycle in the demo shop: every step is stored as the catalogue says, nothing secret is.

The way to an order runs in Firefox as well; what the shop itself tells does not depend on the engine.
"""

import pytest
from playwright.sync_api import Page, expect

from e2e.footfall import Event, Footfall, names
from e2e.visitor import flush

NAME = "Ottilie Brandvold"
EMAIL = "ottilie@order.example"
PASSWORD = "hunter2-hunter2"
NOTE = "The key is under the mat"
LETTER_EMAIL = "letters@postcard.example"


def go(page: Page, link: str, path: str) -> None:
    """Follow a link of the shop, once the page's own events are answered."""
    flush(page)
    page.get_by_role("link", name=link, exact=True).first.click()
    page.wait_for_url(f"**/demo/{path}")


def put_in_cart(page: Page, footfall: Footfall, slug: str = "heron") -> None:
    """Put a product into the cart."""
    page.goto(f"{footfall.shop_url}bicycles/{slug}")
    page.get_by_role("button", name="Add to cart").click()


def open_checkout(page: Page, footfall: Footfall) -> None:
    """Go to the checkout with a bicycle in the cart."""
    put_in_cart(page, footfall)
    go(page, "Open the cart", "cart")
    go(page, "Check out", "checkout")


def place_order(page: Page) -> None:
    """Submit the checkout form and wait for the thanks."""
    page.get_by_role("button", name="Place the order").click()
    page.wait_for_url("**/thank-you")
    flush(page)


def stored(footfall: Footfall, name: str) -> Event:
    """Return the one event of that name."""
    [event] = footfall.events(name=name)
    return event


def test_search_is_an_event_of_the_shops_own(page: Page, footfall: Footfall) -> None:
    page.goto(footfall.shop_url)
    page.get_by_role("searchbox", name="Search the shop").fill("basket")
    page.keyboard.press("Enter")
    page.wait_for_url("**/catalogue?q=basket")
    flush(page)
    results = page.locator("article.card").count()
    assert results > 0
    assert stored(footfall, "Searched")["props"] == {"query": "basket", "results": results}
    assert stored(footfall, "$form_sended")["props"]["$form"] == "search"


def test_product_is_viewed_and_added_with_its_attributes(page: Page, footfall: Footfall) -> None:
    put_in_cart(page, footfall)
    flush(page)
    product = {
        "$name": "Heron",
        "$url": f"{footfall.shop_url}bicycles/heron",
        "$amount": 1180,
        "$img": f"{footfall.shop_url}static/pictures/heron.svg",
    }
    assert stored(footfall, "$product_viewed")["props"] == product
    assert stored(footfall, "$cart_added")["props"] == product


def test_cart_is_viewed_with_parallel_lists(page: Page, footfall: Footfall) -> None:
    put_in_cart(page, footfall, "heron")
    put_in_cart(page, footfall, "bell")
    go(page, "Open the cart", "cart")
    expect(page.locator("#lines li")).to_have_count(2)
    flush(page)
    pictures = f"{footfall.shop_url}static/pictures"
    assert stored(footfall, "$cart_viewed")["props"] == {
        "$name": ["Heron", "Chirp bell"],
        "$url": [f"{footfall.shop_url}bicycles/heron", f"{footfall.shop_url}bicycles/bell"],
        "$amount": [1180, 24],
        "$img": [f"{pictures}/heron.svg", f"{pictures}/bell.svg"],
    }


def test_empty_cart_and_checkout_are_no_shop_events(page: Page, footfall: Footfall) -> None:
    page.goto(f"{footfall.shop_url}cart")
    flush(page)
    page.goto(f"{footfall.shop_url}checkout")
    flush(page)
    assert names(footfall.events()) == ["$session_start", "$page_view", "$page_view"]


@pytest.mark.engines("chromium", "firefox")
def test_order_with_an_account_is_told_once_step_by_step(page: Page, footfall: Footfall) -> None:
    open_checkout(page, footfall)
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Email", exact=True).fill(EMAIL)
    page.get_by_label("Create an account").check()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Anything we should know").fill(NOTE)
    place_order(page)
    shown = page.locator("[data-order-id]").inner_text()

    assert stored(footfall, "$order_started")["props"] == {}
    assert stored(footfall, "$registered")["props"] == {"$name": NAME, "$email": EMAIL}
    order = stored(footfall, "$order_completed")["props"]
    assert order == {"$order_id": order["$order_id"], "$order_id_human": shown, "$order_amount": 1180}
    assert order["$order_id"].isdecimal()
    assert stored(footfall, "$form_sended")["props"] == {
        "$form": "order",
        "$action": "../demo/checkout",
        "$fields": ["name", "email", "account", "password", "delivery", "note"],
    }
    steps = ["$product_viewed", "$cart_added", "$cart_viewed", "$order_started", "$form_sended", "$registered"]
    steps.append("$order_completed")
    assert [name for name in names(footfall.events()) if name in steps] == steps


def test_order_is_cancelled_with_its_reason(page: Page, footfall: Footfall) -> None:
    open_checkout(page, footfall)
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Email", exact=True).fill(EMAIL)
    place_order(page)
    page.get_by_label("Changed your mind?").select_option("The wrong size")
    page.get_by_role("button", name="Cancel the order").click()
    flush(page)
    assert stored(footfall, "$order_cancelled")["props"] == {
        "$order_id": stored(footfall, "$order_completed")["props"]["$order_id"],
        "$comment": "The wrong size",
    }


def test_typed_text_is_never_kept_unless_the_shop_sends_it(page: Page, footfall: Footfall) -> None:
    """The shop itself sends name and email with $registered, and the server tells that they are new; nothing else."""
    open_checkout(page, footfall)
    page.get_by_label("Name").press_sequentially(NAME)
    page.get_by_label("Email", exact=True).press_sequentially(EMAIL)
    page.get_by_label("Create an account").check()
    page.get_by_label("Password").press_sequentially(PASSWORD)
    page.get_by_label("Anything we should know").press_sequentially(NOTE)
    place_order(page)
    page.get_by_label("Email address").press_sequentially(LETTER_EMAIL)
    page.get_by_role("button", name="Send it to me").click()
    flush(page)

    filled = [event["props"]["$field"] for event in footfall.events(name="$input_filled")]
    assert filled == ["name", "email", "account", "password", "note", "email"]
    footfall.wait_for(1, name="$email_changed")  # what follows from $registered is stored a moment after it
    kept = footfall.everything()
    events = footfall.events()
    assert [event["name"] for event in events if NAME in str(event)] == ["$registered", "$name_changed"]
    assert [event["name"] for event in events if EMAIL in str(event)] == ["$registered", "$email_changed"]
    assert (kept.count(NAME), kept.count(EMAIL)) == (2, 2)
    registered = stored(footfall, "$registered")["props"]
    assert (registered["$name"], registered["$email"]) == (NAME, EMAIL)
    assert [secret for secret in (PASSWORD, NOTE, LETTER_EMAIL) if secret in kept] == []


def test_name_and_email_stay_in_the_browser_when_no_account_is_wanted(page: Page, footfall: Footfall) -> None:
    open_checkout(page, footfall)
    page.get_by_label("Name").press_sequentially(NAME)
    page.get_by_label("Email", exact=True).press_sequentially(EMAIL)
    place_order(page)
    assert stored(footfall, "$order_completed")
    assert [text for text in (NAME, EMAIL) if text in footfall.everything()] == []


def test_panel_shows_that_every_event_was_accepted(page: Page, footfall: Footfall) -> None:
    open_checkout(page, footfall)
    flush(page)
    expected = names(footfall.events())
    entries = page.locator("[data-panel-list] > li")
    expect(entries).to_have_count(len(expected))
    assert list(reversed(entries.locator(".event-name").all_inner_texts())) == expected
    assert set(entries.locator(".verdict").all_inner_texts()) == {"accepted"}


@pytest.mark.engines("chromium", "firefox")
def test_panel_settles_every_event_when_the_page_was_left_at_once(page: Page, footfall: Footfall) -> None:
    """What a page sent while it was left is confirmed by the next one: accepted, or known from before."""
    open_checkout(page, footfall)
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Email", exact=True).fill(EMAIL)
    place_order(page)
    expect(page.locator("[data-panel-state]")).to_have_text("Listening, all answered")
    verdicts = page.locator("[data-panel-list] > li .verdict").all_inner_texts()
    assert len(verdicts) == len(footfall.events())
    assert set(verdicts) <= {"accepted", "duplicate", "stored"}
