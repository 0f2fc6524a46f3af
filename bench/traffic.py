"""What the load sends: requests as the tracker of a shop's visitors makes them, rendered with fresh ids and times.

A Template is made once and rendered for every request, so that the generator stays far cheaper than the server.
"""

import gzip
import random
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import time_ns
from typing import Any

import orjson

SEED = 20_261_123
VISITORS = 400
PRODUCTS = 60
BATCH_EVENTS = 100
SESSION_EVENTS = (2, 14)
_CHANCE = random.Random()
_AGENTS_FILE = Path(__file__).with_name("agents.toml")
_TIME_MARK = "2000-01-01T00:00:00.000Z"
_ID_MARK = "00000000-0000-7000-8000-000000000000"
_UTM = (
    "utm_source=newsletter&utm_medium=email&utm_campaign=autumn",
    "utm_source=google&utm_medium=cpc&utm_campaign=tyres&utm_term=winter+tyres&gclid=EAIaIQobChMI",
    "utm_source=vk&utm_medium=social&utm_campaign=%D0%BE%D1%81%D0%B5%D0%BD%D1%8C",
)
_REFERRERS = (
    "https://www.google.com/",
    "https://yandex.ru/",
    "https://news.example/article?id=7",
    "https://www.instagram.com/",
)
_SCREENS = ("1920x1080", "1536x864", "390x844", "412x915", "2560x1440", "820x1180")
_LANGUAGES = ("de-DE", "en-US", "ru-RU", "fr-FR", "en-GB")
_ZONES = ("Europe/Berlin", "Europe/Moscow", "Europe/Paris", "America/New_York")
_OWN_NAMES = ("Filter used", "Video played", "Size chosen", "Review opened", "Price watched")


@dataclass(frozen=True, slots=True)
class Visitor:
    """One visitor. Shape: headers are those of the browser, as they stand in a request."""

    visitor_id: str
    session_id: str
    headers: str
    context: dict[str, Any]
    campaign: str
    referrer: str


@dataclass(frozen=True, slots=True)
class Template:
    """A request with gaps. Shape: pieces hold an empty piece at each index of times and ids."""

    pieces: tuple[bytes, ...]
    times: tuple[int, ...]
    ids: tuple[int, ...]
    events: int

    def render(self, stamps: "Stamps") -> bytes:
        """Return the request with the present time and new ids."""
        pieces = list(self.pieces)
        for index in self.times:
            pieces[index] = stamps.time
        for index in self.ids:
            pieces[index] = stamps.new_id()
        return b"".join(pieces)


@dataclass(frozen=True, slots=True)
class PackedTemplate:
    """A request whose body is packed with gzip when it is rendered, as a server's client sends it."""

    plain: Template

    @property
    def events(self) -> int:
        """Return how many events the request brings."""
        return self.plain.events

    def render(self, stamps: "Stamps") -> bytes:
        """Return the request with the present time and new ids."""
        head, _, body = self.plain.render(stamps).partition(b"\r\n\r\n")
        packed = gzip.compress(body, 1, mtime=0)
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"content-length:")]
        return b"\r\n".join([*lines, b"content-length: %d\r\n\r\n" % len(packed)]) + packed


@dataclass(frozen=True, slots=True)
class RenewedTemplate:
    """A request that comes from another visitor each time. Shape: visitor_id and session_id are those of the plain."""

    plain: Template
    visitor_id: bytes
    session_id: bytes

    @property
    def events(self) -> int:
        """Return how many events the request brings."""
        return self.plain.events

    def render(self, stamps: "Stamps") -> bytes:
        """Return the request with the present time, new ids, and the ids of somebody new."""
        request = self.plain.render(stamps).replace(self.visitor_id, _uuid(_CHANCE).encode())
        return request.replace(self.session_id, _uuid(_CHANCE).encode())


AnyTemplate = Template | PackedTemplate | RenewedTemplate


class Stamps:
    """The present time and new event ids (UUID version 7), both as bytes. `refresh` reads the clock."""

    def __init__(self) -> None:
        self._ms = 0
        self._head = b""
        self.time = b""
        self.refresh()

    def refresh(self) -> None:
        """Read the clock."""
        ms = time_ns() // 1_000_000
        if ms != self._ms:
            self._ms = ms
            now = datetime.fromtimestamp(ms / 1000, UTC)
            self.time = now.isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()
            self._head = b"%08x-%04x" % (ms >> 16, ms & 0xFFFF)

    def new_id(self) -> bytes:
        """Return an id that nobody has."""
        bits = random.getrandbits(74)
        return b"%s-7%03x-%04x-%012x" % (self._head, bits >> 62, 0x8000 | bits >> 48 & 0x3FFF, bits & 0xFFFFFFFFFFFF)


def single_templates(count: int = 1200) -> list[Template]:
    """Return requests of one event each."""
    source = random.Random(SEED)
    visitors = _visitors(source)
    return [_template(visitor, [_event(source, visitor)]) for visitor in source.choices(visitors, k=count)]


def batch_templates(count: int = 60, events: int = BATCH_EVENTS) -> list[Template]:
    """Return requests of many events each."""
    source = random.Random(SEED)
    visitors = _visitors(source)
    return [
        _template(visitor, [_event(source, visitor) for _ in range(events)])
        for visitor in source.choices(visitors, k=count)
    ]


def session_templates(sessions: int) -> list[RenewedTemplate]:
    """Return requests of one whole session each, every one of another visitor; no two events are alike."""
    source = random.Random(SEED)
    agents = tomllib.loads(_AGENTS_FILE.read_text(encoding="utf-8"))["agents"]
    visitors = (_visitor(source, source.choice(agents)) for _ in range(sessions))
    return [_session_template(source, visitor) for visitor in visitors]


def _session_template(source: random.Random, visitor: Visitor) -> RenewedTemplate:
    plain = _template(visitor, [_event(source, visitor) for _ in range(source.randint(*SESSION_EVENTS))])
    return RenewedTemplate(plain, visitor.visitor_id.encode(), visitor.session_id.encode())


def _visitors(source: random.Random) -> list[Visitor]:
    agents = tomllib.loads(_AGENTS_FILE.read_text(encoding="utf-8"))["agents"]
    return [_visitor(source, source.choice(agents)) for _ in range(VISITORS)]


def _visitor(source: random.Random, agent: dict[str, str]) -> Visitor:
    address = f"{source.choice((5, 31, 77, 85, 91, 109, 178, 217))}.{source.randrange(256)}.{source.randrange(256)}.7"
    language = source.choice(_LANGUAGES)
    headers = {**agent, "accept": "*/*", "accept-encoding": "gzip, deflate, br, zstd", "accept-language": language}
    headers |= {"origin": "https://shop.example", "referer": "https://shop.example/", "x-forwarded-for": address}
    context: dict[str, Any] = {
        "resolution": source.choice(_SCREENS),
        "language": language,
        "timezone": source.choice(_ZONES),
        "touch_points": 5 if "Mobile" in agent["user-agent"] else 0,
    }
    if "sec-ch-ua" in agent:
        context["hints"] = {"model": "", "platformVersion": "15.0.0", "formFactors": []}
    return Visitor(
        visitor_id=_uuid(source),
        session_id=_uuid(source),
        headers="".join(f"{name}: {value}\r\n" for name, value in headers.items()),
        context=context,
        campaign=source.choice(_UTM) if source.random() < 0.3 else "",
        referrer=source.choice(_REFERRERS) if source.random() < 0.5 else "",
    )


def _event(source: random.Random, visitor: Visitor) -> dict[str, Any]:
    number = source.randrange(PRODUCTS)
    url = f"https://shop.example/tyres/{number}?page={source.randrange(5)}"
    if visitor.campaign and source.random() < 0.5:
        url += "&" + visitor.campaign
    title = f"Winter tyre {number} - Shop"
    return {
        "id": _ID_MARK,
        "name": source.choice(("$page_view", "$product_viewed", "$cart_added", *_OWN_NAMES)),
        "time": _TIME_MARK,
        "session_id": visitor.session_id,
        "page": {"url": url, "title": title, "referrer": visitor.referrer},
        "props": _props(source, number, url, title),
    }


def _props(source: random.Random, number: int, url: str, title: str) -> dict[str, Any]:
    """Return 3 to 8 properties; the first four serve page views and products alike."""
    props: dict[str, Any] = {
        "$url": url,
        "$title": title,
        "$name": f"Winter tyre {number}",
        "$amount": 10 * number + 990,
        "$img": f"https://shop.example/img/{number}.webp",
        "in_stock": source.random() < 0.8,
        "variant": source.choice(("summer", "winter", "all year")),
        "position": source.randrange(40),
    }
    return dict(list(props.items())[: source.randint(3, 8)])


def _template(visitor: Visitor, events: Sequence[dict[str, Any]]) -> Template:
    body = orjson.dumps(
        {
            "site": "default",
            "visitor_id": visitor.visitor_id,
            "user_id": None,
            "sent_at": _TIME_MARK,
            "tracker": "1.0.0",
            "context": visitor.context,
            "events": list(events),
        }
    )
    head = "POST /collect HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: text/plain;charset=UTF-8\r\n"
    request = (head + visitor.headers + f"content-length: {len(body)}\r\n\r\n").encode() + body
    return split_template(request, len(events))


def split_template(request: bytes, events: int) -> Template:
    """Return a request cut at its marks."""
    pieces: list[bytes] = []
    times: list[int] = []
    ids: list[int] = []
    for at_times, part in enumerate(request.split(_TIME_MARK.encode())):
        if at_times:
            times.append(len(pieces))
            pieces.append(b"")
        for at_ids, piece in enumerate(part.split(_ID_MARK.encode())):
            if at_ids:
                ids.append(len(pieces))
                pieces.append(b"")
            pieces.append(piece)
    return Template(tuple(pieces), tuple(times), tuple(ids), events)


def _uuid(source: random.Random) -> str:
    digits = f"{source.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
