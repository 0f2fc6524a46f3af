"""Whoever has the password: the way into the dashboard."""

from playwright.sync_api import Page, expect

from e2e.footfall import PASSWORD, Footfall


def type_password(page: Page, footfall: Footfall, password: str) -> None:
    """Open the login page and try a password."""
    page.goto(f"{footfall.base_url}/login")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def sign_in(page: Page, footfall: Footfall) -> None:
    """Open the dashboard; return when its live stream is connected."""
    type_password(page, footfall, PASSWORD)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
