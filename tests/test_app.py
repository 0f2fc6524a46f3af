"""The application alone, mounted, under a prefix, in each role, and its life."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import orjson
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from server.app import close_parts, create_app
from server.errors import SettingsError
from server.settings import Settings
from server.web.demo import with_demo
from server.web.parts import Parts
from tests.conftest import wait_until_stored
from tests.factories import make_batch, make_event, make_settings


@pytest.mark.parametrize("framework", ["starlette", "fastapi"])
def test_it_works_mounted_in_another_application(settings: Settings, secret: dict[str, str], framework: str) -> None:
    inner = create_app(with_demo(settings))
    if framework == "fastapi":
        outer: Starlette = FastAPI()
        outer.mount("/t", inner)
    else:
        outer = Starlette(routes=[Mount("/t", inner)])
    with TestClient(outer) as client:  # frameworks start the outer application only
        answer = client.post("/t/collect", content=orjson.dumps(make_batch(make_event())))
        assert answer.json()["accepted"] == 1
        wait_until_stored(TestClient(inner))
        assert len(client.get("/t/api/events", headers=secret).json()["events"]) == 1
        assert client.get("/t/tracker.js").status_code == 200
        assert client.get("/t/openapi.json").json()["servers"] == [{"url": "/t"}]
        login = client.get("/t/", follow_redirects=False)
        assert login.status_code == 303
        assert client.get("/t/" if login.headers["location"].startswith("/t") else "/t/login").status_code == 200
        assert client.get("/t/demo/").status_code == 200
    close_parts(inner.state.parts)


def test_it_works_behind_a_prefix(settings: Settings) -> None:
    with TestClient(create_app(settings), root_path="/stats") as client:
        assert client.post("/stats/collect", content=orjson.dumps(make_batch(make_event()))).json()["accepted"] == 1


def test_what_was_accepted_survives_a_restart(settings: Settings, secret: dict[str, str]) -> None:
    event = make_event()
    app = create_app(settings)
    for expected in ("accepted", "duplicate"):
        with TestClient(app) as client:
            assert client.post("/collect", content=orjson.dumps(make_batch(event))).json()[expected] == 1
            wait_until_stored(client)
            assert len(client.get("/api/events", headers=secret).json()["events"]) == 1


def test_a_stop_drains_the_queue_into_the_store(settings: Settings) -> None:
    with TestClient(create_app(settings)) as client:
        client.post("/collect", content=orjson.dumps(make_batch(make_event())))
    database = sqlite3.connect(settings.data_dir / "queue.sqlite")
    assert database.execute("select count(*) from waiting").fetchone() == (0,)
    database.close()


def test_a_request_during_the_stop_starts_no_other_parts(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(settings)
    late: list[Parts] = []

    def close(parts: Parts) -> None:
        late.append(app.start())
        close_parts(parts)

    monkeypatch.setattr("server.app.close_parts", close)
    with TestClient(app):
        running = app.start()
    assert late == [running]


def test_a_collector_only_receives(tmp_path: Path) -> None:
    with TestClient(create_app(make_settings(tmp_path, role="collect"))) as client:
        assert client.post("/collect", content=orjson.dumps(make_batch(make_event()))).json()["accepted"] == 1
        assert client.get("/health/ready").status_code == 200
        for path in ("/api/events", "/", "/login", "/demo/"):
            assert client.get(path).status_code == 404
    assert not (tmp_path / "events.duckdb").exists()


def test_a_writer_takes_what_a_collector_accepted(tmp_path: Path, secret: dict[str, str]) -> None:
    with TestClient(create_app(make_settings(tmp_path, role="collect"))) as collector:
        collector.post("/collect", content=orjson.dumps(make_batch(make_event())))
    with TestClient(create_app(make_settings(tmp_path, role="app"))) as app:
        assert app.post("/collect", content=b"{}").status_code == 404
        wait_until_stored(app)
        assert len(app.get("/api/events", headers=secret).json()["events"]) == 1


def test_other_names_for_script_and_endpoint(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, script_path="/lib/app.js", collect_path="/in")
    with TestClient(create_app(settings)) as client:
        assert client.post("/in", content=orjson.dumps(make_batch(make_event()))).status_code == 200
        assert client.post("/collect", content=b"{}").status_code == 404
        assert client.get("/tracker.js").status_code == 404
        body = client.get("/lib/app.js").text
        assert '"../in"' in body
        assert '"./collect"' not in body


@pytest.mark.parametrize(
    "path", ["/nothing", "/api/nothing", "/api", "/tracker.0000000000000000.js", "/assets/../app.py"]
)
def test_what_is_not_there_is_404_in_the_one_shape_of_errors(client: TestClient, path: str) -> None:
    answer = client.get(path, follow_redirects=False)
    assert answer.status_code == 404
    assert set(answer.json()["error"]) == {"code", "message", "hint"}


def test_a_wrong_method_is_405(client: TestClient) -> None:
    answer = client.delete("/api/events")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/events", "GET, HEAD, POST"),
        ("/api/events/", "GET, HEAD, POST"),
        ("/api/users/a%2Fb", "DELETE, GET, HEAD"),
        ("/api/webhooks/x", "DELETE, GET, HEAD, PATCH"),
        ("/v1/users/x/events", "GET, HEAD, POST"),
        ("/login", "GET, HEAD, POST"),
        ("/collect", "GET, HEAD, OPTIONS, POST"),
        ("/hooks/facebook/default", "GET, HEAD, POST"),
        ("/api/stats", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_all_the_right_ones(client: TestClient, path: str, allowed: str) -> None:
    answer = client.put(path, headers={"origin": "https://shop.example"})
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.json()["error"]["code"] == "method_not_allowed"


def test_a_data_folder_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be used"), TestClient(create_app(make_settings(tmp_path / "file"))):
        pass


def test_a_disk_that_is_gone_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk_usage(_: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    with TestClient(create_app(settings)) as client:
        monkeypatch.setattr("server.web.health.shutil.disk_usage", disk_usage)
        answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert "No such file" in answer.json()["checks"]["disk"]


async def test_a_fault_is_500_in_the_one_shape_of_errors(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(settings)

    def fail(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("server.web.health.check_parts", fail)
    async with running(app) as client:
        answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "unforeseen" not in answer.text


@asynccontextmanager
async def running(app: Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield client
