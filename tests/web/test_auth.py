"""Who stays signed in, and whose keys are whose."""

import base64
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from server.app import create_app
from server.settings import Settings, read_settings
from tests.factories import make_batch, make_event, make_settings


def sign_in(client: TestClient, password: str) -> int:
    return client.post("/login", data={"password": password}, follow_redirects=False).status_code


def sees_events(client: TestClient) -> bool:
    return client.get("/api/events").status_code == 200


@pytest.fixture
def cookies(settings: Settings) -> Iterator[dict[str, str]]:
    with TestClient(create_app(settings)) as client:
        assert sign_in(client, "test-password") == 303
        yield dict(client.cookies)


def test_a_session_outlives_a_restart(settings: Settings, cookies: dict[str, str]) -> None:
    with TestClient(create_app(settings), cookies=cookies) as client:
        assert sees_events(client)


def test_a_new_password_ends_all_sessions(tmp_path: Path, cookies: dict[str, str]) -> None:
    with TestClient(
        create_app(make_settings(tmp_path / "data", admin_password="another-password")), cookies=cookies
    ) as it:
        assert not sees_events(it)


def test_the_password_made_at_first_start_opens_and_is_kept_as_a_hash_only(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, admin_password=None, secret_key=None, auth_key=None)
    with TestClient(app := create_app(settings)) as client:
        password = app.state.parts.keys.new_password
        assert password is not None
        assert sign_in(client, password) == 303
        assert sees_events(client)
        cookies = dict(client.cookies)
    with TestClient(app := create_app(settings), cookies=cookies) as client:
        assert app.state.parts.keys.new_password is None
        assert sees_events(client)
    for file in (tmp_path / "keys").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert password not in file.read_text()


def test_the_secret_key_made_at_first_start_stays(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, secret_key=None)
    for _ in range(2):
        with TestClient(create_app(settings)) as client:
            key = (tmp_path / "keys" / "secret_key").read_text().strip()
            assert client.get("/api/events", headers={"authorization": f"Bearer {key}"}).status_code == 200


def test_the_cookie_lets_no_other_sites_page_change_anything(settings: Settings) -> None:
    app = create_app(settings)
    changing = {"POST", "PUT", "PATCH", "DELETE"}
    with TestClient(app) as client:
        client.post("/collect", json=make_batch(make_event(name="")))
        client.post("/login", data={"password": "test-password"})
        asked = [
            (method, route.path.replace("{id}", "x"))
            for route in app.routes
            if isinstance(route, Route) and route.path.startswith("/api/")
            for method in sorted(changing & (route.methods or set()))
        ]
        assert len(asked) > 10
        for method, path in asked:
            for origin in ("https://evil.example", "null"):
                headers = {"origin": origin, "content-type": "text/plain"}
                answer = client.request(method, path, content='{"all": true}', headers=headers)
                assert (method, path, answer.status_code in {401, 403}) == (method, path, True)
        own = {"origin": "http://testserver"}
        assert client.post("/api/rejected/replay", json={"all": True}, headers=own).status_code == 200


def test_a_proxys_name_and_password_do_not_shut_the_dashboard_out(settings: Settings, cookies: dict[str, str]) -> None:
    """Browsers add it to every request; what the cookie lets in still comes from the dashboard's own pages."""
    basic = {"authorization": "Basic " + base64.b64encode(b"owner:of the proxy").decode()}
    with TestClient(create_app(settings)) as client:
        assert client.get("/api/events", headers=basic).status_code == 401
        client.cookies.update(cookies)
        assert client.get("/api/events", headers=basic).status_code == 200
        assert client.get("/api/events", headers={"authorization": "Bearer wrong"}).status_code == 401
        foreign = {**basic, "origin": "https://evil.example", "sec-fetch-site": "cross-site"}
        assert client.post("/api/rejected/replay", json={"all": True}, headers=foreign).status_code == 403


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(settings: Settings) -> None:
    with TestClient(create_app(settings), base_url="https://t.example") as client:
        headers = client.post("/login", data={"password": "test-password"}, follow_redirects=False).headers
    assert {"HttpOnly", "SameSite=lax", "Secure"} <= set(headers["set-cookie"].split("; "))


def test_passwords_are_checked_one_at_a_time(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, overlap = Lock(), Event()

    def check(_: str) -> bool:
        if not lock.acquire(blocking=False):
            overlap.set()
            return False
        with_another = overlap.wait(0.1)  # long enough for all the others to come
        lock.release()
        return not with_another

    with TestClient(app := create_app(settings)) as client, ThreadPoolExecutor(3) as browsers:
        monkeypatch.setattr(app.state.parts.auth, "check_password", check)
        assert list(browsers.map(lambda _: sign_in(client, "any"), range(3))) == [303, 303, 303]
        assert not overlap.is_set()


def test_each_sites_key_sees_its_own_site(tmp_path: Path) -> None:
    file = tmp_path / "footfall.toml"
    file.write_text('[sites.a]\nsecret_key = "key-of-site-a-0000"\n[sites.b]\nsecret_key = "key-of-site-b-0000"\n')
    settings = read_settings({"FOOTFALL_DATA_DIR": str(tmp_path / "data")}, file)
    with TestClient(create_app(settings)) as client:
        for site in "ab":
            client.post(
                "/api/events", json={"name": f"of {site}"}, headers={"authorization": f"Bearer key-of-site-{site}-0000"}
            )
        assert client.post("/collect", json={"site": "default", "events": []}).status_code == 404
        app = client.app
        app.state.parts.writer.wait_until_idle(10)  # type: ignore[attr-defined]  # the client's type knows only ASGI
        for site in "ab":
            answer = client.get("/api/events", headers={"authorization": f"Bearer key-of-site-{site}-0000"})
            assert [each["name"] for each in answer.json()["events"]] == [f"of {site}"]


def test_a_site_takes_events_from_its_own_origins_only(tmp_path: Path) -> None:
    file = tmp_path / "footfall.toml"
    file.write_text('[sites.shop]\norigins = ["https://shop.example"]\n')
    settings = read_settings({"FOOTFALL_DATA_DIR": str(tmp_path / "data")}, file)
    with TestClient(create_app(settings)) as client:
        for origin, status in (("https://shop.example", 200), ("https://evil.example", 403), ("null", 403)):
            answer = client.post("/collect", json={"site": "shop", "events": []}, headers={"origin": origin})
            assert answer.status_code == status
            assert answer.headers["access-control-allow-origin"] == origin
