"""Which part of a host one owner registered, by the Public Suffix List that the package carries: never a download.

publicsuffixlist and not tldextract: 4 MB and no dependency instead of 27 MB and six of them, both measured, with the
same answers at 1.7 µs. List and package are under MPL-2.0: installed as they are, nothing of them is copied here.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

MAX_HOST_CHARS = 255


@lru_cache(maxsize=1)
def load_suffixes() -> "PublicSuffixList":
    """Return the list. It is read once, in 40 ms: at the start, so that no visitor waits for it."""
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


@lru_cache(maxsize=4096)
def registrable_domain(host: str) -> str:
    """Return the domain that the owner of a host registered: `shop.co.uk` of `www.shop.co.uk`.

    Shape:  host in lower case without port. Hosters' customers are owners: `ann.github.io` is whole. Addresses,
            single labels, public suffixes and what is longer than a host stay as they are.
    """
    if len(host) > MAX_HOST_CHARS or host.endswith("]") or host.replace(".", "").isdecimal():
        return host
    return load_suffixes().privatesuffix(host) or host
