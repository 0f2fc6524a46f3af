"""A visitor signs in and out: the site's signature decides who it is, and who comes next is somebody else."""

from typing import Any

import pytest
from selenium.webdriver.remote.webdriver import WebDriver

from e2e.driven import flush, noise, track, wait_until
from e2e.footfall import Footfall, names
from e2e.page_server import PageServer
from server.identity.signature import sign

ARRIVAL = ["$session_start", "$page_view"]
AUTH = "const [user_id, hash, done] = arguments; tracker.auth(user_id, hash).then(done)"


@pytest.fixture
def site(driver: WebDriver, pages: PageServer) -> WebDriver:
    """Return the page, on which the visitor has done something before it is known who it is."""
    driver.get(pages.url("identity/site"))
    wait_until(driver, "tracker.version")
    track(driver, "Before")
    return driver


def sign_in(driver: WebDriver, user_id: str, signature: str) -> Any:
    """Return what the tracker says of a user id and its signature."""
    return driver.execute_async_script(AUTH, user_id, signature)


def test_signed_in_visitor_is_the_same_person_before_and_after(
    site: WebDriver, footfall: Footfall, engine: str
) -> None:
    user_id = f"ann-{engine}"
    assert sign_in(site, user_id, sign(user_id, footfall.auth_key())) == {"ok": True}
    site.execute_script("tracker.identify({$name: 'Ann'})")
    track(site, "After")
    flush(site)
    footfall.wait_for(1, name="$name_changed")  # follows from the name, a moment later
    found = names(footfall.events(user_id=user_id))
    assert sorted(found) == sorted([*ARRIVAL, "Before", "$authorized", "$name_changed", "After"])
    assert noise(site) == []


def test_forged_signature_is_told_and_changes_nothing(site: WebDriver, footfall: Footfall, engine: str) -> None:
    user_id = f"eve-{engine}"
    forged = sign(user_id, "a key of somebody else")
    assert sign_in(site, user_id, forged) == {"ok": False, "reason": "wrong_hash"}
    track(site, "After")
    flush(site)
    events = footfall.events()
    assert names(events) == [*ARRIVAL, "Before", "After"]
    assert {event["user_id"] for event in events} == {None}
    assert footfall.events(user_id=user_id) == []
    assert noise(site) == []


def test_who_comes_after_signing_out_is_somebody_else(site: WebDriver, footfall: Footfall, engine: str) -> None:
    user_id = f"bob-{engine}"
    assert sign_in(site, user_id, sign(user_id, footfall.auth_key())) == {"ok": True}
    site.execute_script("tracker.logout()")
    track(site, "By the next")
    flush(site)
    events = footfall.events()
    assert names(events) == [*ARRIVAL, "Before", "$authorized", "$logout", "$session_start", "By the next"]
    [first, *_, start, last] = events
    assert (start["visitor_id"], start["session_id"]) == (last["visitor_id"], last["session_id"])
    assert first["visitor_id"] != last["visitor_id"]
    assert first["session_id"] != last["session_id"]
    assert names(footfall.events(user_id=user_id)) == names(events[:-2])
    assert noise(site) == []
