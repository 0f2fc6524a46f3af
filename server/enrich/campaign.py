"""What an address says of the campaign that led to it: UTM values and click ids. Pure; never raises."""

import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

UTM_NAMES = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
_UTM_NAMES = frozenset(UTM_NAMES)
MAX_QUERY_CHARS = 8192
MAX_VALUE_CHARS = 255
MAX_CACHED_CHARS = 512
_MAX_RAW_CHARS = 12 * MAX_VALUE_CHARS  # one character takes at most 12 in an address: four bytes as %F0

# Click ids that only a paid click brings.
PAID_CLICK_IDS = frozenset(
    {
        "gclid",  # Google Ads
        "gbraid",
        "wbraid",
        "dclid",  # Google Display & Video
        "gad_source",
        "gad_campaignid",
        "msclkid",  # Microsoft Advertising
        "ttclid",  # TikTok
        "twclid",  # X
        "li_fat_id",  # LinkedIn
        "yclid",  # Yandex Direct
        "ymclid",  # Yandex Market
        "vkclid",  # VK
        "rb_clickid",  # VK Advertising, before myTarget
        "erid",  # the mark that Russian law asks of every advertisement
        "epik",  # Pinterest
        "rdt_cid",  # Reddit
        "sccid",  # Snapchat
        "qclid",  # Quora
        "tblci",  # Taboola
        "obclid",  # Outbrain
        "dicbo",
        "ef_id",  # Adobe Advertising
        "irclid",  # Impact
        "irclickid",
        "cjevent",  # CJ Affiliate
        "awc",  # Awin
        "sznclid",  # Sklik
    }
)
# Click ids that unpaid links carry as well.
CLICK_IDS = PAID_CLICK_IDS | {
    "fbclid",  # every link out of Facebook
    "igshid",  # a link shared out of Instagram
    "igsh",
    "ysclid",  # Yandex's search results
    "srsltid",  # Google's free product listings
    "mc_cid",  # Mailchimp
}


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def utm_from_url(url: str) -> dict[str, str]:
    """Return the UTM values of an address, decoded and cut; a name that is missing or empty is not in it.

    Shape:  keys are out of UTM_NAMES; the first value of a name wins; read from the query, from the fragment
            only where there is no query.
    """
    return _values(_query(url), _UTM_NAMES) if _has_query(url) else {}


def utm_from_values(values: Mapping[str, Any], beginning: str = "") -> dict[str, str]:
    """Return the UTM values among other values, cut; what is no text or empty is not in it.

    Shape:  keys are out of UTM_NAMES; beginning stands in front of them in `values`.
    """
    told = ((name, values.get(beginning + name)) for name in UTM_NAMES)
    return {name: _CONTROL.sub("", text[:MAX_VALUE_CHARS]) for name, text in told if isinstance(text, str) and text}


def click_ids_from_url(url: str) -> dict[str, str]:
    """Return the click ids of an address by their names in lower case; read like UTM values."""
    return _values(_query(url), CLICK_IDS) if _has_query(url) else {}


def is_paid_click(click_ids: Iterable[str]) -> bool:
    """Return whether one of these click ids is brought only by an advertisement."""
    return not PAID_CLICK_IDS.isdisjoint(click_ids)


def told_by_url(url: str) -> tuple[Mapping[str, str], bool]:
    """Return an address's UTM values, and whether it carries the click id of an advertisement.

    Shape:  the values are shared between calls and not to be changed: pages have few addresses and many visitors.
    """
    # strangers choose the address: long ones would fill the cache
    return _told(url) if len(url) <= MAX_CACHED_CHARS else _told.__wrapped__(url)


@lru_cache(maxsize=4096)
def _told(url: str) -> tuple[Mapping[str, str], bool]:
    return utm_from_url(url), is_paid_click(click_ids_from_url(url))


def _has_query(url: str) -> bool:
    return "?" in url or "#" in url


def _query(url: str) -> str:
    before, _, fragment = url.partition("#")
    query = before.partition("?")[2]
    if query or not fragment:
        return query
    _, mark, after = fragment.partition("?")  # routers keep a query of their own there: #/shop?utm_source=x
    return after if mark else fragment


def _values(query: str, names: AbstractSet[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for part in query[:MAX_QUERY_CHARS].split("&"):
        name, _, raw = part.partition("=")
        # Pages that escape their links for HTML twice write &amp; between parameters.
        name = name.removeprefix("amp;")
        if "%" in name:
            name = unquote_plus(name[:_MAX_RAW_CHARS])
        name = name.lower()
        if name in names and name not in values and (value := _decode(raw[:_MAX_RAW_CHARS])):
            values[name] = value
    return values


def _decode(raw: str) -> str:
    value = unquote_plus(raw)
    if not value.isprintable():
        # Decoding may bring forth what the request's own check has kept out.
        value = _CONTROL.sub("", value)
    return value.strip()[:MAX_VALUE_CHARS].rstrip()
