"""The dashboard opens for the password and for nothing else."""

from playwright.sync_api import Page, expect

from e2e.admin import sign_in, type_password
from e2e.footfall import PASSWORD, Footfall
from e2e.visitor import Visitor


def test_password_opens_the_dashboard(visitor: Visitor, footfall: Footfall) -> None:
    sign_in(visitor.page, footfall)
    expect(visitor.page).to_have_url(f"{footfall.base_url}/")
    expect(visitor.page.get_by_role("heading", name="No events yet")).to_be_visible()
    [cookie] = visitor.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")


def test_wrong_password_is_told_and_opens_nothing(visitor: Visitor, footfall: Footfall) -> None:
    visitor.expect_noise("403")
    type_password(visitor.page, footfall, "a wrong password")
    expect(visitor.page.get_by_role("alert")).to_have_text("That is not the password.")
    visitor.page.goto(footfall.base_url)
    expect(visitor.page).to_have_url(f"{footfall.base_url}/login")
    assert visitor.context.cookies() == []


def test_filter_survives_the_way_through_the_login(visitor: Visitor, footfall: Footfall) -> None:
    visitor.expect_noise("401")
    page = visitor.page
    sign_in(page, footfall)
    page.goto(f"{footfall.base_url}/?site=demo&name=Once+%26+more&days=7")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    visitor.context.clear_cookies()
    page.get_by_label("Period").select_option("Last 30 days")
    expect(page.get_by_label("Password")).to_be_visible()
    visitor.expect_noise("403")
    for password in ("a wrong password", PASSWORD):
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{footfall.base_url}/?site=demo&name=Once+%26+more&days=30")


def test_dashboard_is_closed_again_after_signing_out(page: Page, footfall: Footfall) -> None:
    sign_in(page, footfall)
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{footfall.base_url}/login")
    page.go_back()
    expect(page.get_by_label("Password")).to_be_visible()


def test_session_survives_a_restart_of_the_server(visitor: Visitor, footfall: Footfall) -> None:
    visitor.expect_noise("net::ERR_")
    sign_in(visitor.page, footfall)
    footfall.kill()
    footfall.restart()
    visitor.page.reload()
    expect(visitor.page.get_by_text("Live", exact=True)).to_be_visible()
