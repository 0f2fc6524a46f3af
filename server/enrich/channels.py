"""The channel: what kind of way brought a visitor. Pure; never raises. The names are data in `channels.toml`.

The words are six: direct, organic, social, email, referral, paid. What has none of its own is a referral, a link
that somebody placed: affiliates, partners, text messages, push notifications, QR codes, and assistants such as
chatgpt.com, which are told apart by referrer_domain and utm_source.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal, cast

from server.enrich.public_suffix import MAX_HOST_CHARS, registrable_domain

Channel = Literal["direct", "organic", "social", "email", "referral", "paid"]

_MAX_LABELS = 10
_MAX_ENDING_LABELS = 2
_MAX_ENDING_LABEL_CHARS = 3
_WORDS = re.compile(r"[^\W_]+")
_NO_MEDIUM = frozenset({"", "none", "not set", "null", "undefined"})


def channel_of(referrer_domain: str | None, utm: Mapping[str, str], *, is_paid_click: bool) -> Channel:
    """Return what kind of way a visitor came: the advertisement first, then the tags, then the referrer.

    Shape:  utm has the keys `utm_source` … that are known; is_paid_click says that the address carries a click
            id that only advertisements bring.
    """
    if is_paid_click:
        return "paid"
    if utm:
        return _tagged(_word(utm, "utm_medium"), _word(utm, "utm_source"), referrer_domain)
    return _of_domain(referrer_domain[:MAX_HOST_CHARS]) if referrer_domain else "direct"


def listed_domain(host: str) -> str | None:
    """Return the longest domain of the list that a host is in, the whole host for a webmail's, else None."""
    labels = host.split(".", _MAX_LABELS)
    if len(labels) > _MAX_LABELS:
        return None
    channels = _channels()
    if labels[0] in channels.prefixes and host not in channels.domains and registrable_domain(host) != host:
        return host
    return next(
        (domain for start in range(len(labels)) if (domain := ".".join(labels[start:])) in channels.domains), None
    )


def _word(utm: Mapping[str, str], name: str) -> str:
    return utm.get(name, "")[:MAX_HOST_CHARS].strip().lower()


def _tagged(medium: str, source: str, referrer_domain: str | None) -> Channel:
    phrase = " ".join(_WORDS.findall(medium))
    by_medium = _of_medium(phrase)
    if by_medium is not None:
        return by_medium
    by_source = _of_source(source, is_alone=phrase in _NO_MEDIUM)
    if by_source is not None:
        return by_source
    # the link is tagged, but its words are not known: the referrer may tell
    return _of_domain(referrer_domain[:MAX_HOST_CHARS]) if referrer_domain else "referral"


@lru_cache(maxsize=2048)
def _of_medium(phrase: str) -> Channel | None:
    mediums = _channels().mediums
    if phrase in mediums:
        return mediums[phrase]
    kinds = {mediums[word] for word in phrase.split() if word in mediums}
    return next((kind for kind in _channels().kinds if kind in kinds), None)


@lru_cache(maxsize=2048)
def _of_source(source: str, *, is_alone: bool) -> Channel | None:
    channels = _channels()
    if source in channels.sources:
        return channels.sources[source]
    if source in channels.alone:
        return channels.alone[source] if is_alone else None
    if "." not in source:
        return None
    found = _of_domain(source)
    return found if found != "referral" or listed_domain(source) else None


@dataclass(frozen=True, slots=True)
class _Channels:
    kinds: list[Channel] = field(default_factory=list)
    names: dict[str, Channel] = field(default_factory=dict)
    domains: dict[str, Channel] = field(default_factory=dict)
    prefixes: dict[str, Channel] = field(default_factory=dict)
    sources: dict[str, Channel] = field(default_factory=dict)
    alone: dict[str, Channel] = field(default_factory=dict)
    mediums: dict[str, Channel] = field(default_factory=dict)


@lru_cache(maxsize=1)
def _channels() -> _Channels:
    found = _Channels()
    for name, lists in tomllib.loads((Path(__file__).parent / "channels.toml").read_text("utf-8")).items():
        kind = cast("Channel", name)
        found.kinds.append(kind)
        found.names.update(dict.fromkeys(lists["names"], kind))
        found.domains.update(dict.fromkeys(lists["domains"] + lists["apps"], kind))
        found.prefixes.update(dict.fromkeys(lists["prefixes"], kind))
        found.sources.update(dict.fromkeys(lists["names"] + lists["sources"], kind))
        found.alone.update(dict.fromkeys(lists["alone"], kind))
        found.mediums.update(dict.fromkeys(lists["mediums"], kind))
    return found


@lru_cache(maxsize=4096)
def _of_domain(domain: str) -> Channel:
    """Return the channel of a domain: by the longest known domain it is in, else by the name before its ending."""
    channels = _channels()
    listed = listed_domain(domain)
    if listed is not None:
        return channels.domains.get(listed) or channels.prefixes[listed.partition(".")[0]]
    name, *ending = registrable_domain(domain).split(".")
    is_country = len(ending) <= _MAX_ENDING_LABELS and all(len(each) <= _MAX_ENDING_LABEL_CHARS for each in ending)
    return channels.names.get(name, "referral") if ending and is_country else "referral"
