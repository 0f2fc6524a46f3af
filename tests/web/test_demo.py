"""The demo shop: a customer's pages, with nothing of ours in them but the snippet."""

from pathlib import Path
from urllib.parse import urldefrag, urljoin
from xml.etree import ElementTree as ET

import orjson
import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.errors import SettingsError
from server.settings import Settings
from server.sites import Site
from server.web.assets import read_assets
from server.web.demo import load_shop, with_demo
from server.web.parts import Parts
from tests.conftest import wait_until_stored
from tests.factories import SECRET_KEY, make_batch, make_event, make_settings
from tests.web.page_reader import mount, read_page

PAGES = [
    "/demo/",
    "/demo/catalogue",
    "/demo/catalogue?q=basket",
    "/demo/catalogue?q=nothing-like-it",
    "/demo/bicycles/heron",
    "/demo/cart",
    "/demo/checkout",
    "/demo/thank-you",
    "/demo/lookbook/",
    "/demo/lookbook/ferry",
]
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus='alert(1)",
    "{{ 7 * 7 }}",
    "</title><script>alert(1)</script>",
    "\u202egnp.exe",
]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Return settings with the shop open."""
    return with_demo(settings)


@pytest.mark.parametrize("path", [*PAGES, "/demo", "/demo/static/shop.css", "/demo/products.json"])
def test_shop_is_closed_unless_it_is_opened(tmp_path: Path, path: str) -> None:
    with TestClient(create_app(make_settings(tmp_path))) as client:
        answer = client.get(path)
        assert answer.status_code == 404
        assert "footfall demo" in answer.json()["error"]["hint"]
        refused = client.post("/collect", content=orjson.dumps(make_batch(make_event(), site="demo")))
        assert refused.json()["error"]["code"] == "unknown_site"


@pytest.mark.parametrize("origin", ["http://testserver", "http://localhost:8000"])
def test_real_sites_never_hold_what_the_shop_sends(settings: Settings, origin: str) -> None:
    """Also where the real site takes events from its own pages only."""
    own = make_settings(
        settings.data_dir, sites={"default": Site(key="default", origins=frozenset({"https://a.example"}))}
    )
    with TestClient(create_app(with_demo(own))) as client:
        assert 'data-site="demo"' in client.get("/demo/").text
        batch = make_batch(make_event(name="Tried"), site="demo")
        answer = client.post("/collect", content=orjson.dumps(batch), headers={"origin": origin})
        assert answer.json()["accepted"] == 1
        wait_until_stored(client)
        parts: Parts = client.app.state.parts  # type: ignore[attr-defined]  # the client's type knows only ASGI
        demo_key = parts.sites["demo"].secret_key
        read = {
            site: client.get("/api/events", headers={"authorization": f"Bearer {key}"}).json()["events"]
            for site, key in (("default", SECRET_KEY), ("demo", demo_key))
        }
        assert [event["name"] for event in read["demo"]] == ["Tried"]
        assert read["default"] == []


def test_shop_keeps_its_hands_off_a_site_of_its_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\[sites.demo\]"):
        with_demo(make_settings(tmp_path, sites={"demo": Site(key="demo")}))


@pytest.mark.parametrize("path", PAGES)
def test_page_runs_only_the_stub_and_files_of_ours(client: TestClient, parts: Parts, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    snippet = parts.script.snippet("", "demo")
    page = read_page(answer.text)
    assert page.inline_scripts == [snippet.stub]
    assert page.inline_code == []
    policy = {part.strip() for part in answer.headers["content-security-policy"].split(";")}
    assert f"script-src 'self' '{snippet.stub_hash}'" in policy
    assert {"default-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} <= policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize(("path", "way"), [("/demo/", ".."), ("/demo/cart", ".."), ("/demo/bicycles/wren", "../..")])
def test_page_holds_the_tag_that_a_customer_pastes(client: TestClient, parts: Parts, path: str, way: str) -> None:
    assert parts.script.snippet(way, "demo").tag in client.get(path).text


@pytest.mark.parametrize("prefix", ["", "/t", "/a/b"])
def test_every_link_leads_somewhere_under_any_prefix(settings: Settings, prefix: str) -> None:
    """A walk over the whole shop: all addresses stay below the prefix, and all exist."""
    with TestClient(mount(create_app(settings), prefix)) as client:
        to_do, seen = [f"{prefix}/demo/"], set[str]()
        while to_do:
            path = to_do.pop()
            if path in seen or path.partition("?")[0] == f"{prefix}/":  # the dashboard is not the shop's
                continue
            seen.add(path)
            answer = client.get(path)
            assert answer.status_code == 200, path
            if answer.headers["content-type"].startswith("text/html"):
                to_do += [urldefrag(urljoin(path, link)).url for link in read_page(answer.text).links]
        assert all(path.startswith(f"{prefix}/") for path in seen)
        assert {f"{prefix}/tracker.js", f"{prefix}/demo/lookbook/ferry"} <= seen


@pytest.mark.parametrize("query", HOSTILE)
def test_search_shows_hostile_text_as_text(client: TestClient, parts: Parts, query: str) -> None:
    page = read_page(client.get("/demo/catalogue", params={"q": query}).text)
    assert f"“{query}”" in page.text
    assert page.inline_scripts == [parts.script.stub]
    assert page.inline_code == []


def test_search_finds_by_all_words(client: TestClient) -> None:
    text = client.get("/demo/catalogue", params={"q": "  BASKET  brown "}).text
    assert 'data-query="BASKET  brown"' in text
    assert 'data-results="1"' in text
    assert "bicycles/robin" in text


def test_search_is_cut_when_long(client: TestClient) -> None:
    assert f'data-query="{"a" * 200}"' in client.get("/demo/catalogue", params={"q": "a" * 5000}).text


@pytest.mark.parametrize(("kind", "count"), [("parts", 3), ("unknown", 12), ("<b>", 12)])
def test_kind_narrows_the_catalogue_when_it_is_known(client: TestClient, kind: str, count: int) -> None:
    answer = client.get("/demo/catalogue", params={"kind": kind})
    assert answer.text.count('<article class="card">') == count


@pytest.mark.parametrize("path", ["/demo/bicycles/unicorn", "/demo/bicycles/%3Cscript%3E", "/demo/lookbook/moon"])
def test_missing_page_is_a_page(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "There is nothing at this address." in answer.text
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/demo", "http://testserver/demo/"),
        ("/demo?utm_source=x&utm_campaign=a%26b", "http://testserver/demo/?utm_source=x&utm_campaign=a%26b"),
        ("/demo/lookbook?q=1", "http://testserver/demo/lookbook/?q=1"),
    ],
)
def test_missing_slash_costs_no_campaign(client: TestClient, path: str, target: str) -> None:
    assert client.get(path).url == target


def test_cart_learns_names_prices_and_addresses(client: TestClient) -> None:
    answer = client.get("/demo/products.json")
    products = answer.json()
    assert set(products) == set(load_shop().products)
    assert products["bell"] == {
        "name": "Chirp bell",
        "line": "Brass, and politely loud",
        "price": 24,
        "url": "bicycles/bell",
        "img": "static/pictures/bell.svg",
    }
    for product in products.values():
        picture = client.get(answer.url.join(product["img"]))
        assert picture.headers["content-type"] == "image/svg+xml"
        assert client.get(answer.url.join(product["url"])).status_code == 200


def test_prices_are_whole_and_kinds_known() -> None:
    """`$amount` is an integer in the catalogue of events."""
    shop = load_shop()
    assert len(shop.products) >= 8
    for product in shop.products.values():
        assert isinstance(product.price, int)
        assert product.kind in shop.kinds
    assert {ride.product for ride in shop.rides.values()} <= set(shop.products)


@pytest.mark.parametrize("path", sorted(path for path in read_assets("demo") if path.endswith(".svg")))
def test_picture_is_nothing_but_a_picture(path: str) -> None:
    root = ET.fromstring(read_assets("demo")[path].body)  # noqa: S314 - our own files
    tags = {element.tag.removeprefix("{http://www.w3.org/2000/svg}") for element in root.iter()}
    assert tags <= {"svg", "g", "path", "rect", "circle", "ellipse"}
    assert not {name for element in root.iter() for name in element.attrib if name.startswith(("on", "style", "{"))}


def test_sites_of_ones_own_stay_and_come_first(tmp_path: Path) -> None:
    named = make_settings(tmp_path, sites={"shop": Site(key="shop"), "blog": Site(key="blog")})
    assert list(with_demo(named).sites) == ["shop", "blog", "demo"]
    assert list(with_demo(make_settings(tmp_path)).sites) == ["default", "demo"]
