"""What a browser says of itself beside the user agent string: client hints from headers and from the payload.

Everything here is chosen by strangers: any type may come, every text is cut. Meaning is given to the hints in
`user_agent.py`.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

MAX_HEADER_CHARS = 512
MAX_VALUE_CHARS = 64
MAX_BRANDS = 10
MAX_TOUCH_POINTS = 256

# mobile, platform, model, platform version, (brand, version) pairs, form factors
_Values = tuple[bool | None, str, str, str, tuple[tuple[str, str], ...], tuple[str, ...]]
_NO_VALUES: _Values = (None, "", "", "", (), ())


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

    def __hash__(self) -> int:
        """Return the hash of what differs most: hashing all of it took 1 µs of every event."""
        return hash((self.brands, self.platform, self.model))


def create_hints(
    sec_ch_ua: str | None, mobile: str | None, platform: str | None, payload: object, touch_points: object
) -> Hints:
    """Return the hints of one request.

    Shape:  the first three are header values; payload is what the browser's getHighEntropyValues gives
            (`model`, `platformVersion`, `fullVersionList`, `formFactors`, `brands`, `mobile`, `platform`) and
            touch_points its maxTouchPoints. What is of another type counts as missing, a payload as a whole.
    """
    points = touch_points if type(touch_points) is int and 0 < touch_points <= MAX_TOUCH_POINTS else 0
    headers = (_cut(sec_ch_ua), _cut(mobile), _cut(platform))
    if not payload or not isinstance(payload, dict):
        return _create(headers, _NO_VALUES, points)
    try:
        return _create(headers, _freeze(payload), points)
    except (TypeError, LookupError):  # no browser makes such a payload: nothing in it is believed
        return _create(headers, _NO_VALUES, points)


def _cut(header: str | None) -> str | None:
    return header[:MAX_HEADER_CHARS] if header else None


def _freeze(payload: dict[str, Any]) -> _Values:
    """Return the payload's values, cut and hashable, without a look at each one's type: that took twice as long.

    Errors: TypeError or LookupError when a value is not what browsers send.
    """
    get = payload.get
    mobile = get("mobile")
    brands = get("fullVersionList") or get("brands") or ()
    return (
        mobile if mobile is True or mobile is False else None,
        (get("platform") or "")[:MAX_VALUE_CHARS],
        (get("model") or "")[:MAX_VALUE_CHARS],
        (get("platformVersion") or "")[:MAX_VALUE_CHARS],
        tuple([(item["brand"][:MAX_VALUE_CHARS], item["version"][:MAX_VALUE_CHARS]) for item in brands[:MAX_BRANDS]]),
        tuple([form[:MAX_VALUE_CHARS] for form in (get("formFactors") or ())[:MAX_BRANDS]]),
    )


@lru_cache(maxsize=1024)
def _create(headers: tuple[str | None, str | None, str | None], values: _Values, points: int) -> Hints:
    brands, mobile, platform = headers
    is_mobile, named_platform, model, platform_version, pairs, forms = values
    if is_mobile is not None:
        mobile = "?1" if is_mobile else "?0"
    return Hints(
        brands,
        mobile,
        _clean(named_platform) or _clean((platform or "").strip('"')) or None,
        _clean(model),
        _clean(platform_version),
        tuple([(_clean(brand), _clean(version)) for brand, version in pairs]),
        tuple(filter(None, map(_clean, forms))),
        points,
    )


def _clean(text: str) -> str:
    return "".join(filter(str.isprintable, text[:MAX_VALUE_CHARS])).strip()


_BRAND = re.compile(r'"((?:[^"\\]|\\.)*)"\s*;\s*v="([^"]*)"')


def header_brands(raw: str | None) -> tuple[tuple[str, str], ...]:
    """Return the (brand, version) pairs of a Sec-CH-UA header. Source: RFC 8941, lists of strings."""
    if not raw:
        return ()
    pairs = _BRAND.findall(raw)[:MAX_BRANDS]
    return tuple((_clean(name.replace("\\", "")), _clean(version)) for name, version in pairs)


def is_grease(brand: str) -> bool:
    """Return whether a brand is the made-up one (`Not/A)Brand`, spelled anew in every release)."""
    letters = "".join(filter(str.isalpha, brand)).lower()
    return letters.startswith("not") and letters.endswith("brand")
