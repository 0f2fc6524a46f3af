"""What a browser says of itself beside the user agent string: client hints from headers and from the payload.

Everything here is chosen by strangers: any type may come, every text is cut. Meaning is given to the hints in
`user_agent.py`.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

import orjson

MAX_HEADER_CHARS = 512
MAX_VALUE_CHARS = 64
MAX_BRANDS = 10
MAX_PAYLOAD_BYTES = 4096
MAX_TOUCH_POINTS = 256


@dataclass(frozen=True, slots=True)
class Hints:
    """Client hints, the payload's already preferred to the headers'. Hashable: part of a cache's key.

    Shape:  brands and mobile are header values (`"Chromium";v="126", …`, `?1`); platform is a bare name;
            full_version_list holds (brand, version) pairs, full versions or at least the major ones;
            model, platform_version and form_factors are empty when unknown.
    """

    brands: str | None = None
    mobile: str | None = None
    platform: str | None = None
    model: str = ""
    platform_version: str = ""
    full_version_list: tuple[tuple[str, str], ...] = ()
    form_factors: tuple[str, ...] = ()
    touch_points: int = 0


def create_hints(
    sec_ch_ua: str | None, mobile: str | None, platform: str | None, payload: object, touch_points: object
) -> Hints:
    """Return the hints of one request.

    Shape:  the first three are header values; payload is what the browser's getHighEntropyValues gives
            (`model`, `platformVersion`, `fullVersionList`, `formFactors`, `brands`, `mobile`, `platform`) and
            touch_points its maxTouchPoints. Whatever is of another type counts as missing.
    """
    encoded = _encode(payload) if payload and isinstance(payload, dict) else b""
    points = touch_points if type(touch_points) is int and 0 < touch_points <= MAX_TOUCH_POINTS else 0
    return _create(_cut(sec_ch_ua), _cut(mobile), _cut(platform), encoded, points)


def _cut(header: str | None) -> str | None:
    return header[:MAX_HEADER_CHARS] if header else None


def _encode(payload: dict[object, object]) -> bytes:
    """Return the payload as a key for the cache, empty when it is no plain JSON or too long to be honest."""
    try:
        encoded = orjson.dumps(payload)
    except (TypeError, ValueError, RecursionError):
        return b""
    return encoded if len(encoded) <= MAX_PAYLOAD_BYTES else b""


@lru_cache(maxsize=1024)
def _create(brands: str | None, mobile: str | None, platform: str | None, encoded: bytes, points: int) -> Hints:
    payload: dict[str, object] = orjson.loads(encoded) if encoded else {}
    if isinstance(payload.get("mobile"), bool):
        mobile = "?1" if payload["mobile"] else "?0"
    return Hints(
        brands,
        mobile,
        _text(payload.get("platform")) or _text(platform).strip('"') or None,
        _text(payload.get("model")),
        _text(payload.get("platformVersion")),
        _brands(payload.get("fullVersionList")) or _brands(payload.get("brands")),
        _texts(payload.get("formFactors")),
        points,
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        return ""
    # Cut before and after: the first bounds the work, the second the result.
    return "".join(filter(str.isprintable, value[: 2 * MAX_VALUE_CHARS])).strip()[:MAX_VALUE_CHARS]


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(filter(None, map(_text, value[:MAX_BRANDS])))


def _brands(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, list):
        return ()
    items = (item for item in value[:MAX_BRANDS] if isinstance(item, dict))
    pairs = ((_text(item.get("brand")), _text(item.get("version"))) for item in items)
    return tuple(pair for pair in pairs if pair[0])


_BRAND = re.compile(r'"((?:[^"\\]|\\.)*)"\s*;\s*v="([^"]*)"')


def header_brands(raw: str | None) -> tuple[tuple[str, str], ...]:
    """Return the (brand, version) pairs of a Sec-CH-UA header. Source: RFC 8941, lists of strings."""
    if not raw:
        return ()
    pairs = _BRAND.findall(raw)[:MAX_BRANDS]
    return tuple((_text(name.replace("\\", "")), _text(version)) for name, version in pairs)


def is_grease(brand: str) -> bool:
    """Return whether a brand is the made-up one (`Not/A)Brand`, spelled anew in every release)."""
    letters = "".join(filter(str.isalpha, brand)).lower()
    return letters.startswith("not") and letters.endswith("brand")
