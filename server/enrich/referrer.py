"""Where a visitor came from: the referrer's domain, and the channel it belongs to. Pure; never raises.

The names of search engines, social networks and mail services are data in `channels.toml`.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from server.enrich.page_url import split_url

Channel = Literal["direct", "organic", "social", "email", "referral", "paid"]

MAX_HOST_CHARS = 255
MAX_REFERRER_CHARS = 2048  # only the host at its beginning is read
_ANDROID = "android-app://"
_HOST = re.compile(r"[^\s\x00-\x20\"'%/<>?@\\^`{|}\x7f\ud800-\udfff]{1,253}")
_PAID_MEDIUM = re.compile(r"paid|^(?:[a-z_ -]*cp[acmv]|[a-z_ -]*ppc|display|banner|retargeting|remarketing|ads?)$")
_MEDIUMS: Mapping[str, Channel] = {
    "email": "email",
    "e-mail": "email",
    "e_mail": "email",
    "mail": "email",
    "newsletter": "email",
    "social": "social",
    "social-network": "social",
    "social_network": "social",
    "social-media": "social",
    "social_media": "social",
    "smm": "social",
    "sm": "social",
    "organic": "organic",
    "referral": "referral",
    "affiliate": "referral",
    "partner": "referral",
    "link": "referral",
}
_MAX_LABELS = 10
_MAX_ENDING_LABELS = 2
_MAX_ENDING_LABEL_CHARS = 3


def referrer_domain(referrer: str | None, own_host: str | None) -> str | None:
    """Return the domain that a visitor came from, or None where there is none or it is the site itself.

    Shape:  lower case without `www.`, user and port; an Android app's package for `android-app://…`. The
            site's own host, what is below it and what it is below are no referrers.
    """
    if not referrer:
        return None
    return _domain(referrer[:MAX_REFERRER_CHARS], own_host[:MAX_HOST_CHARS] if own_host else None)


@lru_cache(maxsize=2048)
def _domain(referrer: str, own_host: str | None) -> str | None:
    if referrer[: len(_ANDROID)].lower() == _ANDROID:
        return _clean(re.split(r"[/?#]", referrer[len(_ANDROID) :], maxsplit=1)[0])
    host = split_url(referrer)[0]
    domain = _clean(host) if host else None
    if domain is None or (own_host and _is_same_site(domain, _clean(own_host))):
        return None
    return domain


def _clean(host: str) -> str | None:
    """Return a host in lower case without port, `www.` and final dot, or None for what no host looks like."""
    host = host.lower()
    if not host.startswith("["):
        host = host.partition(":")[0].rstrip(".").removeprefix("www.")
    return host if _HOST.fullmatch(host) else None


def _is_same_site(domain: str, own: str | None) -> bool:
    if own is None:
        return False
    return domain == own or domain.endswith(f".{own}") or own.endswith(f".{domain}")


def channel(referrer_domain: str | None, utm: Mapping[str, str], has_click_id: bool) -> Channel:  # noqa: FBT001 - asked as is
    """Return what kind of way a visitor came: the advertisement first, then the tags, then the referrer.

    Shape:  utm has the keys `utm_source` … that are known; has_click_id says that the address carries a click
            id that only advertisements bring.
    """
    if has_click_id:
        return "paid"
    if utm:
        return _tagged(_word(utm, "utm_medium"), _word(utm, "utm_source"), referrer_domain)
    return _of_domain(referrer_domain[:MAX_HOST_CHARS]) if referrer_domain else "direct"


def _word(utm: Mapping[str, str], name: str) -> str:
    return utm.get(name, "")[:MAX_HOST_CHARS].strip().lower()


def _tagged(medium: str, source: str, referrer_domain: str | None) -> Channel:
    if medium and _PAID_MEDIUM.search(medium):
        return "paid"
    if medium in _MEDIUMS:
        return _MEDIUMS[medium]
    known = _channels().sources.get(source) or (_of_domain(source) if source else "referral")
    if known == "referral" and referrer_domain:
        return _of_domain(referrer_domain[:MAX_HOST_CHARS])
    return known


@dataclass(frozen=True, slots=True)
class _Channels:
    names: dict[str, Channel]
    domains: dict[str, Channel]
    sources: dict[str, Channel]


@lru_cache(maxsize=1)
def _channels() -> _Channels:
    data = tomllib.loads((Path(__file__).parent / "channels.toml").read_text("utf-8"))
    found = _Channels({}, {}, {})
    for kind, lists in data.items():
        found.names.update(dict.fromkeys(lists["names"], kind))
        found.domains.update(dict.fromkeys(lists["domains"] + lists["apps"], kind))
        found.sources.update(dict.fromkeys(lists["names"] + lists["sources"], kind))
    return found


@lru_cache(maxsize=2048)
def _of_domain(domain: str) -> Channel:
    """Return the channel of a domain: by the longest known domain it is in, else by a name before its ending."""
    channels = _channels()
    labels = domain.split(".", _MAX_LABELS)
    if len(labels) > _MAX_LABELS:
        return "referral"
    for start in range(len(labels)):
        if found := channels.domains.get(".".join(labels[start:])):
            return found
    for ending in range(1, _MAX_ENDING_LABELS + 1):
        name, rest = labels[-ending - 1 : -ending], labels[-ending:]
        if name and name[0] in channels.names and all(len(label) <= _MAX_ENDING_LABEL_CHARS for label in rest):
            return channels.names[name[0]]
    return "referral"
