"""How the optional plugins are served."""

import dataclasses
import gzip
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.web.parts import Parts
from server.web.plugins import read_plugins, read_version
from tests.factories import make_settings

FOREVER = "public, max-age=31536000, immutable"


@pytest.mark.parametrize("name", sorted(read_plugins()))
def test_each_plugin_is_a_precompressed_module_for_any_origin(client: TestClient, name: str) -> None:
    with client.stream("GET", f"/plugins/{name}.js", headers={"accept-encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    assert b"export{" in gzip.decompress(raw)
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["access-control-allow-origin"] == "*"
    tag = answer.headers["etag"]
    again = client.get(f"/plugins/{name}.js", headers={"accept-encoding": "gzip", "if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_the_tracker_asks_for_the_plugins_that_the_server_has(parts: Parts) -> None:
    assert f".js?v={read_version()}`" in parts.script.body.decode()


@pytest.mark.parametrize(
    ("query", "cache_control"),
    [(f"?v={read_version()}", FOREVER), ("?v=0", "public, max-age=3600"), ("", "public, max-age=3600")],
    ids=["current", "other", "none"],
)
def test_only_the_current_address_is_kept_for_ever(client: TestClient, query: str, cache_control: str) -> None:
    assert client.get(f"/plugins/outbound.js{query}").headers["cache-control"] == cache_control


@pytest.mark.parametrize("name", ["nonesuch", "outbound.js"])
def test_unknown_plugin_is_a_module_that_says_so(client: TestClient, name: str) -> None:
    """No error status: browsers would complain of it in the console of the page."""
    answer = client.get(f"/plugins/{name}.js")
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert answer.text.startswith('throw Error("no such plugin; there are: calendly, ecommerce,')


def test_the_folder_stands_beside_the_script(tmp_path: Path) -> None:
    settings = dataclasses.replace(make_settings(tmp_path), script_path="/t/a.js")
    with TestClient(create_app(settings)) as client:
        assert client.get("/t/plugins/outbound.js").status_code == 200
