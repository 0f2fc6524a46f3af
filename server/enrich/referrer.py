"""Where a visitor came from: the referrer's domain. Pure; never raises. What kind of place it is: `channels.py`."""

import re
from collections.abc import Set as AbstractSet
from functools import lru_cache

from server.enrich.channels import listed_domain
from server.enrich.page_url import split_url
from server.enrich.public_suffix import MAX_HOST_CHARS, registrable_domain

MAX_CACHED_CHARS = 512
MAX_REFERRER_CHARS = 2048  # only the host at its beginning is read
_ANDROID = "android-app://"
_HOST = re.compile(r"[^\s\x00-\x20\"'%/<>?@\\^`{|}\x7f\ud800-\udfff]{1,253}")
_NO_ORIGINS: frozenset[str] = frozenset()


def referrer_domain(
    referrer: str | None, own_host: str | None, own_origins: AbstractSet[str] = _NO_ORIGINS
) -> str | None:
    """Return the domain that a visitor came from, or None where there is none or it is the site itself.

    Shape:  what the referrer's owner registered, by the Public Suffix List: `example.co.uk` of
            `www.blog.example.co.uk`; longer where `channels.toml` knows a longer one (`mail.google.com`); an Android
            app's package for `android-app://…`. own_origins are the site's configured ones, `https://shop.example`.
            All hosts of one registered domain are one site, whichever of them is asked about.
    """
    if not referrer:
        return None
    # strangers choose both: long ones would fill the cache
    find = _find if len(referrer) + len(own_host or "") <= MAX_CACHED_CHARS else _find.__wrapped__
    return find(referrer, own_host, frozenset(own_origins))


@lru_cache(maxsize=4096)  # pages have few referrers and many visitors
def _find(referrer: str, own_host: str | None, own_origins: frozenset[str]) -> str | None:
    if referrer[: len(_ANDROID)].lower() == _ANDROID:
        package = re.split(r"[/?#]", referrer[len(_ANDROID) : MAX_REFERRER_CHARS], maxsplit=1)[0].lower()
        return package if _HOST.fullmatch(package) else None
    host = split_url(referrer[:MAX_REFERRER_CHARS])[0]
    site = _site_of(host) if host and len(host) <= MAX_HOST_CHARS else None
    if site is None or (own_host and site == _site_of(own_host[:MAX_HOST_CHARS])):
        return None
    return None if own_origins and site in _sites_of(own_origins) else _shown(host or "")


@lru_cache(maxsize=4096)
def _site_of(host: str) -> str | None:
    """Return what names the owner of a host, or None for what no host looks like."""
    cleaned = _clean(host)
    return registrable_domain(cleaned) if cleaned else None


@lru_cache(maxsize=256)
def _sites_of(origins: frozenset[str]) -> frozenset[str | None]:
    return frozenset(_site_of(split_url(origin)[0] or "") for origin in origins)


@lru_cache(maxsize=4096)
def _shown(host: str) -> str | None:
    cleaned = _clean(host)
    if cleaned is None:
        return None
    domain, listed = registrable_domain(cleaned), listed_domain(cleaned)
    return listed if listed is not None and len(listed) > len(domain) else domain


def _clean(host: str) -> str | None:
    """Return a host in lower case without port, `www.` and final dot, or None for what no host looks like."""
    host = host.lower()
    if not host.startswith("["):
        host = host.partition(":")[0].rstrip(".").removeprefix("www.")
    return host if _HOST.fullmatch(host) else None
