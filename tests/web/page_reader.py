"""Reads a page the way these tests look at it: where it leads, and what in it would run or be styled inline."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser

from starlette.applications import Starlette
from starlette.routing import Mount

_ADDRESSES = {"href", "src", "action", "data-shop", "data-base", "data-thanks"}


@dataclass
class Page:
    """Shape: links are addresses as written; inline_scripts texts; inline_code the attributes that CSP forbids."""

    links: list[str] = field(default_factory=list)
    inline_scripts: list[str] = field(default_factory=list)
    inline_code: list[str] = field(default_factory=list)
    style_elements: int = 0
    text: str = ""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self._is_inline = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        self.page.links += [value or "" for name, value in attrs if name in _ADDRESSES]
        self.page.inline_code += [name for name in names if name == "style" or name.startswith("on")]
        self.page.style_elements += tag == "style"
        self._is_inline = tag == "script" and "src" not in names
        if self._is_inline:
            self.page.inline_scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._is_inline = False

    def handle_data(self, data: str) -> None:
        if self._is_inline:
            self.page.inline_scripts[-1] += data
        else:
            self.page.text += data


def read_page(html: str) -> Page:
    """Return what a page holds."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.page


def mount(inner: Starlette, prefix: str) -> Starlette:
    """Return another application that holds this one under a prefix, and starts and stops it."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with inner.router.lifespan_context(inner):
            yield

    return Starlette(routes=[Mount(prefix, inner)], lifespan=lifespan)
