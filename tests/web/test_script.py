"""How the tracker is served, and what a page pastes."""

import base64
import gzip
import hashlib

import brotli
import pytest
from starlette.testclient import TestClient

from server.web.parts import Parts


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br", "br"),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("identity", None),
        ("", None),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("br; q=0.0,gzip;q=0", None),
        ("br;q=0.01", "br"),
        ("x-brief", None),
    ],
)
def test_precompressed_with_a_strong_tag(client: TestClient, parts: Parts, accepted: str, encoding: str | None) -> None:
    with client.stream("GET", "/tracker.js", headers={"accept-encoding": accepted}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers.get("content-encoding") == encoding
    unpacked = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[encoding](raw)
    assert unpacked == parts.script.body
    headers = answer.headers
    assert headers["cache-control"] == "public, max-age=3600"
    assert headers["vary"] == "Accept-Encoding"
    assert headers["content-type"] == "text/javascript; charset=utf-8"
    assert not headers["etag"].startswith("W/")
    again = client.get("/tracker.js", headers={"accept-encoding": accepted, "if-none-match": headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("form", ["W/{tag}", '"x", W/{tag}', "*"])
def test_a_tag_that_a_proxy_has_weakened_is_still_the_tag(client: TestClient, form: str) -> None:
    tag = client.get("/tracker.js").headers["etag"]
    again = client.get("/tracker.js", headers={"if-none-match": form.format(tag=tag)})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)


def test_each_encoding_has_its_own_tag(client: TestClient) -> None:
    tags = {client.get("/tracker.js", headers={"accept-encoding": each}).headers["etag"] for each in ("br", "gzip", "")}
    assert len(tags) == 3


def test_the_hashed_name_is_for_ever_and_its_integrity_published(client: TestClient, parts: Parts) -> None:
    integrity, path = client.get("/tracker.js.sri").text.split()
    answer = client.get(path)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert integrity == "sha384-" + base64.b64encode(hashlib.sha384(answer.content).digest()).decode()
    assert parts.script.hash in path


def test_the_endpoint_in_the_bundle_stands_once_because_it_is_replaced(parts: Parts) -> None:
    assert parts.script.body.count(b'"./collect"') == 1


def test_the_snippet_escapes_and_its_hash_allows_the_stub(parts: Parts) -> None:
    snippet = parts.script.snippet("https://t.example", '"><script>')
    assert "<script>" not in snippet.tag.removeprefix("<script")
    assert 'data-site="&quot;&gt;&lt;script&gt;"' in snippet.tag
    digest = base64.b64encode(hashlib.sha256(snippet.stub.encode()).digest()).decode()
    assert snippet.stub_hash == f"sha256-{digest}"
    assert "</script" not in snippet.stub


def test_the_migration_shim_is_served_beside_the_script(client: TestClient, parts: Parts) -> None:
    answer = client.get("/carrotquest.js", headers={"accept-encoding": "gzip"})
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == parts.script.shim.body
    assert answer.content.count(b'"./collect"') == 1
