"""Behind a proxy: whose forms are taken, whether the cookie is kept to https, and where it belongs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.proxies import parse_networks
from server.web.auth import COOKIE
from tests.factories import make_settings
from tests.web.page_reader import mount, read_page

PROXY = "10.0.0.1"
INNER = "http://127.0.0.1:8000"
FORM = {"password": "test-password"}
BROWSER = {"origin": "https://stats.example"}


def sign_in(folder: Path, headers: Mapping[str, str], *, trusted: bool = False, **changes: Any) -> httpx.Response:
    """Return the answer to the password, sent by a browser at https://stats.example through a proxy."""
    networks = parse_networks([PROXY]) if trusted else ()
    app = create_app(make_settings(folder, trusted_proxies=networks, **changes))
    with TestClient(app, base_url=INNER, client=(PROXY, 1234), follow_redirects=False) as client:
        return client.post("/login", data=FORM, headers=BROWSER | dict(headers))


@pytest.mark.parametrize(
    ("headers", "trusted"),
    [
        ({"sec-fetch-site": "same-origin"}, False),
        ({"host": "stats.example"}, False),
        ({"host": "Stats.Example:443"}, False),
        ({"x-forwarded-host": "stats.example"}, True),
        ({"x-forwarded-host": "stats.example, inner.example"}, True),
    ],
    ids=["browser_says_so", "host", "host_with_port", "forwarded_host", "several_proxies"],
)
def test_own_form_is_taken_through_a_proxy(tmp_path: Path, headers: dict[str, str], *, trusted: bool) -> None:
    assert sign_in(tmp_path, headers, trusted=trusted).status_code == 303


def test_own_form_is_taken_from_a_proxy_that_speaks_rfc_7239(tmp_path: Path) -> None:
    headers = {"forwarded": 'for=8.8.8.8;host="stats.example";proto=https, for=10.0.0.9;host=inner'}
    answer = sign_in(tmp_path, headers, trusted=True, proxy_header="forwarded")
    assert answer.status_code == 303
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({}, "proxy_set_header Host $http_host"),
        ({"x-forwarded-host": "stats.example"}, "FOOTFALL_TRUSTED_PROXIES"),
        ({"host": "stats.example", "sec-fetch-site": "cross-site"}, "sent from another site, https://stats.example"),
        ({"host": "stats.example", "sec-fetch-site": "same-site"}, "Open the login page itself"),
        ({"origin": "http://[", "host": "stats.example"}, "sent this form from http://["),
        ({"origin": "null", "host": ""}, "sent from another site"),
    ],
    ids=["no_host", "not_trusted", "cross_site", "same_site", "broken_origin", "no_host_and_no_origin"],
)
def test_refused_form_says_why_and_what_to_do(tmp_path: Path, headers: dict[str, str], told: str) -> None:
    answer = sign_in(tmp_path, headers)
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("text/html")
    assert told in read_page(answer.text).text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("headers", "trusted", "is_secure"),
    [
        ({"x-forwarded-proto": "https"}, True, True),
        ({"x-forwarded-proto": "https, http"}, True, True),
        ({"x-forwarded-proto": "http"}, True, False),
        ({"x-forwarded-proto": "gopher"}, True, False),
        ({"x-forwarded-proto": "https"}, False, False),
        ({}, True, False),
    ],
)
def test_cookie_is_kept_to_https_where_a_trusted_proxy_says_so(
    tmp_path: Path, headers: dict[str, str], *, trusted: bool, is_secure: bool
) -> None:
    answer = sign_in(tmp_path, {"host": "stats.example"} | headers, trusted=trusted)
    assert answer.status_code == 303
    assert ("Secure" in answer.headers["set-cookie"]) == is_secure


def test_cookie_belongs_to_the_mount_as_the_browser_sees_it(tmp_path: Path) -> None:
    with TestClient(mount(create_app(make_settings(tmp_path)), "/t")) as client:
        answer = client.post("/t/login", data=FORM, follow_redirects=False)
        assert "path" not in answer.headers["set-cookie"].lower()
        assert [(each.name, each.path) for each in client.cookies.jar] == [(COOKIE, "/t")]
        assert client.get("/t/").status_code == 200
        client.post("/t/logout")
        assert list(client.cookies.jar) == []


def test_cookie_of_another_footfall_on_the_same_host_does_not_hide_ours(tmp_path: Path) -> None:
    with TestClient(create_app(make_settings(tmp_path)), follow_redirects=False) as client:
        client.post("/login", data=FORM)
        own = client.cookies[COOKIE]
        client.cookies.clear()
        assert client.get("/", headers={"cookie": f"{COOKIE}={own}; {COOKIE}=other"}).status_code == 200
        assert client.get("/", headers={"cookie": f"{COOKIE}=one; {COOKIE}=other"}).status_code == 303


def test_dashboard_shows_the_snippet_of_the_address_outside(tmp_path: Path) -> None:
    app = create_app(make_settings(tmp_path, trusted_proxies=parse_networks([PROXY])))
    with TestClient(app, base_url="https://stats.example", client=(PROXY, 1234)) as client:
        client.post("/login", data=FORM)
        cookie = {"cookie": f"{COOKIE}={client.cookies[COOKIE]}", "x-forwarded-proto": "https"}
        page = client.get("http://stats.example/", headers=cookie)
        told = client.get("http://stats.example/api/debug/ip", headers=cookie).json()
    assert 'src="https://stats.example/tracker.js"' in read_page(page.text).text
    assert told["origin"] == "https://stats.example"
