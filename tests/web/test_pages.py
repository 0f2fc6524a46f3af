"""The dashboard, its login, and the static files of both: headers, ways in, ways out."""

import re
from pathlib import Path
from urllib.parse import urljoin

import pytest
from mmdb_writer import MMDBWriter
from starlette.testclient import TestClient

import server.web
from server.app import create_app
from server.proxies import parse_networks
from server.settings import Settings
from server.sites import Site
from server.web.assets import CONTENT_TYPES, read_assets
from server.web.auth import COOKIE, TRIES, TRIES_OF_ALL
from server.web.demo import with_demo
from server.web.pages import MAX_FORM_BYTES, TOO_MANY_TRIES, WRONG_PASSWORD
from tests.conftest import StandingClock
from tests.factories import make_settings
from tests.web.page_reader import mount, read_page

WEB = Path(server.web.__file__).parent
POLICY = {
    "default-src 'self'",
    "style-src 'self'",
    "object-src 'none'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'self'",
}


@pytest.fixture
def visitor(client: TestClient) -> TestClient:
    """Return the client, which shows redirects instead of following them."""
    client.follow_redirects = False
    return client


@pytest.fixture
def admin(visitor: TestClient) -> TestClient:
    """Return a client that is signed in."""
    assert visitor.post("/login", data={"password": "test-password"}).status_code == 303
    return visitor


def test_dashboard_leads_to_the_login_when_nobody_is_signed_in(visitor: TestClient) -> None:
    answer = visitor.get("/")
    assert answer.status_code == 303
    assert answer.headers["location"] == "./login"


@pytest.mark.parametrize("cookie", ["admin", "ImFkbWluIg.aaaa.bbbb", ""], ids=["plain", "forged", "empty"])
def test_dashboard_is_closed_when_the_cookie_is_not_ours(visitor: TestClient, cookie: str) -> None:
    answer = visitor.get("/", headers={"cookie": f"{COOKIE}={cookie}"})
    assert answer.status_code == 303


def test_password_opens_the_dashboard(visitor: TestClient) -> None:
    answer = visitor.post("/login", data={"password": "test-password"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "./"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert visitor.get("/").status_code == 200


@pytest.mark.parametrize("path", ["/", "/login"])
def test_pages_carry_a_strict_policy_and_are_not_kept(visitor: TestClient, path: str) -> None:
    if path == "/":
        visitor.post("/login", data={"password": "test-password"})
    answer = visitor.get(path)
    policy = {part.strip() for part in answer.headers["content-security-policy"].split(";")}
    assert policy == POLICY | {"script-src 'self'"}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "body",
    [
        b"password=wrong",
        b"password=",
        b"",
        b"passwort=test-password",
        b"password=test-password%00",
        b"\xff\xfe\x00",
        b"&".join(b"password=test-password" for _ in range(12)),
        b'{"password": "test-password"}',
    ],
    ids=["wrong", "empty", "no_body", "other_field", "nul", "no_text", "too_many_fields", "json"],
)
def test_login_answers_the_same_whatever_was_wrong(visitor: TestClient, body: bytes) -> None:
    answer = visitor.post("/login", content=body)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert answer.text == visitor.post("/login", data={"password": "another"}).text
    assert WRONG_PASSWORD in answer.text


def test_login_refuses_a_large_form(visitor: TestClient) -> None:
    answer = visitor.post("/login", content=b"password=" + b"a" * MAX_FORM_BYTES)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "form_too_large"


@pytest.mark.parametrize("path", ["/login", "/logout"])
@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://testserver:81", "http://testserver.evil.example", ""],
    ids=["other_host", "opaque", "other_port", "longer_host", "empty"],
)
def test_forms_of_other_sites_are_refused(visitor: TestClient, path: str, origin: str) -> None:
    answer = visitor.post(path, data={"password": "test-password"}, headers={"origin": origin})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "This form was not taken" in read_page(answer.text).text


def test_own_form_is_taken(visitor: TestClient) -> None:
    answer = visitor.post("/login", data={"password": "test-password"}, headers={"origin": "http://testserver"})
    assert answer.status_code == 303


def test_login_asks_to_wait_when_tried_too_often(visitor: TestClient) -> None:
    for _ in range(TRIES):
        visitor.post("/login", data={"password": "guess"})
    answer = visitor.post("/login", data={"password": "test-password"})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert TOO_MANY_TRIES in answer.text
    assert "set-cookie" not in answer.headers


def test_a_stranger_who_guesses_does_not_keep_the_owner_out(tmp_path: Path) -> None:
    proxies = parse_networks(["10.0.0.1"])
    app = create_app(make_settings(tmp_path / "data", trusted_proxies=proxies), clock=StandingClock())
    with TestClient(app, client=("10.0.0.1", 1234), follow_redirects=False) as client:

        def sign_in(ip: str, password: str) -> int:
            return client.post("/login", data={"password": password}, headers={"x-forwarded-for": ip}).status_code

        assert {sign_in(f"6.6.6.{number}", "guess") for number in range(TRIES)} == {403}
        assert sign_in("6.6.6.66", "test-password") == 429
        assert sign_in("8.8.8.8", "test-password") == 303
        networks = [f"7.7.{number}.1" for number in range(TRIES_OF_ALL // TRIES + 1)]
        statuses = [sign_in(each, "guess") for each in networks for _ in range(TRIES)]
        assert statuses.count(403) == TRIES_OF_ALL - TRIES - 1


def test_login_leads_nowhere_else_when_asked_to(visitor: TestClient) -> None:
    answer = visitor.post(
        "/login?next=//evil.example", data={"password": "test-password", "next": "https://evil.example"}
    )
    assert answer.headers["location"] == "./"


def test_login_leads_back_to_what_was_chosen(visitor: TestClient) -> None:
    answer = visitor.get("/?name=a%26b&user_id=%0d%0ax%3Cy&next=//evil.example", follow_redirects=False)
    assert answer.headers["location"] == "./login?name=a%26b&user_id=%0D%0Ax%3Cy"
    page = visitor.get("/login?name=a%26b&user_id=%0d%0ax%3Cy").text
    assert 'action="./login?name=a%26b&amp;user_id=%0D%0Ax%3Cy"' in page


def test_login_page_leads_in_when_signed_in_already(admin: TestClient) -> None:
    answer = admin.get("/login")
    assert answer.status_code == 303
    assert answer.headers["location"] == "./"


def test_signing_out_closes_the_dashboard(admin: TestClient) -> None:
    answer = admin.post("/logout", headers={"origin": "http://testserver"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "./login"
    assert admin.get("/").status_code == 303


def test_signing_out_needs_a_form(admin: TestClient) -> None:
    """A link or a picture on another site must not sign anybody out."""
    assert admin.get("/logout").status_code == 405
    assert admin.get("/").status_code == 200


def test_dashboard_shows_the_snippet_as_text(admin: TestClient) -> None:
    page = read_page(admin.get("/").text)
    assert '<script async src="http://testserver/tracker.js" data-site="default"></script>' in page.text
    assert page.inline_scripts == []


def test_dashboard_shows_a_snippet_for_each_site(tmp_path: Path) -> None:
    sites = {"shop": Site(key="shop"), "blog": Site(key="blog")}
    with TestClient(create_app(make_settings(tmp_path / "data", sites=sites))) as client:
        text = read_page(client.post("/login", data={"password": "test-password"}).text).text
    assert 'data-site="shop"' in text
    assert 'data-site="blog"' in text


@pytest.mark.parametrize("path", ["/", "/login"])
@pytest.mark.parametrize("is_open", [True, False], ids=["demo", "serve"])
def test_pages_lead_to_the_demo_shop_only_where_it_is_open(settings: Settings, path: str, is_open: bool) -> None:
    with TestClient(create_app(with_demo(settings) if is_open else settings)) as client:
        if path == "/":
            client.post("/login", data={"password": "test-password"})
        assert ("./demo/" in read_page(client.get(path).text).links) == is_open


def test_dashboard_works_under_a_prefix(settings: Settings) -> None:
    """Mounted in another application, every address stays below the prefix and exists."""
    with TestClient(mount(create_app(with_demo(settings)), "/t")) as client:
        assert client.get("/t/").url == "http://testserver/t/login"
        answer = client.post("/t/login", data={"password": "test-password"})
        assert answer.url == "http://testserver/t/"
        page = read_page(answer.text)
        assert 'src="http://testserver/t/tracker.js"' in page.text
        links = {urljoin("/t/", link) for link in page.links}
        assert links > {"/t/demo/", "/t/logout", "/t/assets/js/app.js"}
        for link in links:
            assert client.get(link).status_code == (405 if link == "/t/logout" else 200), link


def test_asset_is_not_sent_again_when_unchanged(client: TestClient) -> None:
    first = client.get("/assets/js/app.js")
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    assert first.headers["x-content-type-options"] == "nosniff"
    again = client.get("/assets/js/app.js", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    assert client.get("/assets/js/app.js", headers={"if-none-match": '"other"'}).status_code == 200


@pytest.mark.parametrize("folder", ["/assets/", "/demo/static/"])
@pytest.mark.parametrize(
    "path",
    [
        "",
        "js",
        "js/",
        "../parts.py",
        "..%2fparts.py",
        "%2e%2e/%2e%2e/parts.py",
        "js/%2e%2e/%2e%2e/tracker.js",
        "..%5c..%5cparts.py",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "shop.css%00.js",
        "SHOP.CSS",
    ],
)
def test_assets_lead_nowhere_else(settings: Settings, folder: str, path: str) -> None:
    with TestClient(create_app(with_demo(settings))) as client:
        answer = client.get(folder + path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("folder", ["dashboard", "demo"])
def test_every_static_file_is_served_under_its_path(folder: str) -> None:
    root = WEB / "static" / folder
    found = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assets = read_assets(folder)
    assert {path: asset.body for path, asset in assets.items()} == found
    assert {asset.content_type for asset in assets.values()} <= set(CONTENT_TYPES.values())


def files_of_pages() -> list[Path]:
    """Return every template and static file of the pages."""
    folders = ("templates", "static/dashboard", "static/demo")
    return [path for folder in folders for path in sorted((WEB / folder).rglob("*")) if path.is_file()]


@pytest.mark.parametrize("path", files_of_pages(), ids=lambda path: str(path.relative_to(WEB)))
def test_no_page_loads_anything_from_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert re.findall(r"""(?:["'(=]|@import)\s*(?:https?:)?//[\w.-]+""", text) == []


@pytest.mark.parametrize("path", sorted((WEB / "templates").rglob("*.html")), ids=lambda path: path.name)
def test_no_template_has_inline_code_but_the_stub(path: Path) -> None:
    page = read_page(path.read_text(encoding="utf-8"))
    assert page.inline_code == []
    assert page.style_elements == 0
    stub = ["{{ snippet.stub | safe }}"] if path.parent.name == "demo" and path.name == "base.html" else []
    assert page.inline_scripts == stub


@pytest.mark.parametrize("path", sorted((WEB / "static").rglob("*/js/**/*.js")), ids=lambda path: path.name)
def test_no_script_makes_markup_of_text(path: Path) -> None:
    """What events carry is hostile: it becomes text nodes, never markup or code."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", text)


@pytest.mark.parametrize("kind", ["DBIP-City-Lite", "GeoIP2-City"])
def test_dashboard_shows_what_the_licence_of_the_places_asks_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "places.mmdb"
    MMDBWriter(ip_version=6, database_type=kind).to_db_file(str(path))
    app = create_app(make_settings(tmp_path / "data", geoip=path))
    with TestClient(app, base_url="http://testserver") as client:
        client.post("/login", data={"password": "test-password"})
        page = client.get("/").text
    link = '<a href="https://db-ip.com" rel="noopener">IP Geolocation by DB-IP</a>'
    assert (link in page) == (kind == "DBIP-City-Lite")
    assert ("<footer" in page) == (kind == "DBIP-City-Lite")
