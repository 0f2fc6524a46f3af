"""The demo shop at `/demo/`: a customer's site with the tracker pasted in. No state; the cart is the browser's.

The shop knows nothing of the server around it except the snippet that any customer would paste. It is open only where
`with_demo` opened it, and sends to a site of its own: no real site's figures ever hold what was tried here.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from server.errors import NotFound, SettingsError
from server.settings import Settings
from server.sites import DEFAULT_SITE, DEMO_SITE, Site
from server.web.assets import create_assets_endpoint
from server.web.html import render, way_up
from server.web.queries import parts_of

_LONGEST_SEARCH = 200


def with_demo(settings: Settings) -> Settings:
    """Return settings with the demo shop open: a site more, the last one.

    Shape:  the site takes events from any origin, because the shop is wherever this server is asked for.
    Errors: SettingsError when a site of that name is somebody's own.
    """
    if DEMO_SITE in settings.sites:
        raise SettingsError([f"[sites.{DEMO_SITE}]: the demo shop has this key; run `footfall serve`, or take another"])
    own = settings.sites or {DEFAULT_SITE: Site(key=DEFAULT_SITE)}
    return replace(settings, sites={**own, DEMO_SITE: Site(key=DEMO_SITE, is_demo=True)})


def is_open(sites: Mapping[str, Site]) -> bool:
    """Return whether the demo shop is open."""
    return any(site.is_demo for site in sites.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One thing the shop sells. Units: price is whole euros."""

    slug: str
    name: str
    kind: str
    price: int
    line: str
    story: str
    words: str
    facts: list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ride:
    """One view of the lookbook. Shape: product is the slug of the bicycle in its picture."""

    slug: str
    name: str
    product: str
    place: str
    story: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """Everything the shop shows. Shape: kinds maps a kind to its title; products by slug, in shop order."""

    kinds: Mapping[str, str]
    products: Mapping[str, Product]
    rides: Mapping[str, Ride]

    def search(self, query: str, kind: str) -> list[Product]:
        """Return the products that hold every word of the query and, unless it is empty, are of that kind."""
        words = query.casefold().split()
        return [
            product
            for product in self.products.values()
            if kind in ("", product.kind) and all(word in _haystack(product) for word in words)
        ]


@cache
def load_shop() -> Shop:
    """Return the packaged shop, read once."""
    data = tomllib.loads((files("server.web") / "demo_shop.toml").read_text(encoding="utf-8"))
    return Shop(
        kinds=data["kinds"],
        products={entry["slug"]: Product(**entry) for entry in data["products"]},
        rides={entry["slug"]: Ride(**entry) for entry in data["rides"]},
    )


async def show_home(request: Request) -> Response:
    """Render the front page."""
    products = load_shop().products
    featured = [products[slug] for slug in ("magpie", "pelican", "wren", "duckling")]
    return _page(request, "home", {"featured": featured})


async def show_catalogue(request: Request) -> Response:
    """Render all products, or those that a search or a kind leaves."""
    query = request.query_params.get("q", "").strip()[:_LONGEST_SEARCH]
    kind = request.query_params.get("kind", "")
    kind = kind if kind in load_shop().kinds else ""
    found = load_shop().search(query, kind)
    return _page(request, "catalogue", {"query": query, "kind": kind, "found": found})


async def show_product(request: Request) -> Response:
    """Render one product and three more of the shop."""
    shop = load_shop()
    product = shop.products.get(request.path_params["slug"])
    if product is None:
        return _page(request, "missing", {}, status=404)
    others = [other for other in shop.products.values() if other != product]
    others.sort(key=lambda other: other.kind != product.kind)
    return _page(request, "product", {"product": product, "others": others[:3]})


async def show_cart(request: Request) -> Response:
    """Render the cart's frame; the browser fills it."""
    return _page(request, "cart", {})


async def show_checkout(request: Request) -> Response:
    """Render the checkout form, which no server ever receives."""
    return _page(request, "checkout", {})


async def show_thanks(request: Request) -> Response:
    """Render the page after an order; the browser fills it."""
    return _page(request, "thanks", {})


async def show_lookbook(request: Request) -> Response:
    """Render the lookbook: all its views at once, of which its own router shows one."""
    rides = load_shop().rides
    slug = request.path_params.get("ride", "")
    if slug and slug not in rides:
        return _page(request, "missing", {}, status=404)
    return _page(request, "lookbook", {"current": slug})


async def list_products(request: Request) -> Response:
    """Answer what the cart needs to know of each product, by slug. Shape: url and img relative to this file."""
    del request
    return JSONResponse(
        {
            product.slug: {
                "name": product.name,
                "line": product.line,
                "price": product.price,
                "url": f"bicycles/{product.slug}",
                "img": f"static/pictures/{product.slug}.svg",
            }
            for product in load_shop().products.values()
        },
        headers={"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"},
    )


async def refuse(request: Request) -> Response:
    """Tell how the shop is opened. Errors: NotFound, always."""
    del request
    raise NotFound("no_demo", "The demo shop is closed.", "`footfall demo` opens it, under a site of its own.")


async def add_slash(request: Request) -> Response:
    """Redirect `/demo` and `/demo/lookbook` to the folder of that name, keeping the query with its campaign."""
    name = request.scope["path"].rsplit("/", 1)[-1]
    query = request.scope["query_string"].decode("latin-1")
    return RedirectResponse(f"{name}/" + (f"?{query}" if query else ""), status_code=308)


def _haystack(product: Product) -> str:
    return f"{product.name} {product.line} {product.story} {product.words}".casefold()


def _page(request: Request, template: str, context: Mapping[str, Any], status: int = 200) -> Response:
    parts = parts_of(request)
    snippet = parts.script.snippet(way_up(request), DEMO_SITE)
    shared = {"shop": load_shop(), "snippet": snippet, "page": template, "query": "", "kind": ""}
    return render(
        request,
        f"demo/{template}.html",
        {**shared, **context},
        status=status,
        script_hashes=(snippet.stub_hash,),
    )


_OPEN: list[BaseRoute] = [
    Route("/demo", add_slash),
    Route("/demo/", show_home),
    Route("/demo/catalogue", show_catalogue),
    Route("/demo/bicycles/{slug}", show_product),
    Route("/demo/cart", show_cart),
    Route("/demo/checkout", show_checkout),
    Route("/demo/thank-you", show_thanks),
    Route("/demo/lookbook", add_slash),
    Route("/demo/lookbook/", show_lookbook),
    Route("/demo/lookbook/{ride}", show_lookbook),
    Route("/demo/products.json", list_products),
    Route("/demo/static/{path:path}", create_assets_endpoint("demo")),
]
_CLOSED: list[BaseRoute] = [Route("/demo", refuse), Route("/demo/{path:path}", refuse)]


def create_routes(sites: Mapping[str, Site]) -> list[BaseRoute]:
    """Return the shop's routes where it is open, elsewhere those that say how to open it."""
    return _OPEN if is_open(sites) else _CLOSED
