"""Host and path of a page's address. Pure; urllib's splitter raises on hostile text and is ten times slower."""

from functools import lru_cache

MAX_CACHED_CHARS = 512
CACHED_ADDRESSES = 4096


def split_url(url: str) -> tuple[str | None, str | None]:
    """Return (host, path): the host lower-case without user and port, the path without query and fragment.

    Shape:  an address without a scheme and host is taken as a path; ("", None) never occurs, unknown is None.
            A backslash is a slash, as for browsers.
    Source: https://url.spec.whatwg.org/#concept-basic-url-parser
    """
    url = url.partition("#")[0].partition("?")[0]
    # strangers choose the address: long ones would fill the cache with 32 MB
    return _split(url) if len(url) <= MAX_CACHED_CHARS else _split.__wrapped__(url)


@lru_cache(maxsize=CACHED_ADDRESSES)
def _split(url: str) -> tuple[str | None, str | None]:
    scheme, separator, after = url.replace("\\", "/").partition("://")
    if not separator:
        return None, url or None
    if scheme.lower() not in {"http", "https"}:
        return None, None
    authority, slash, path = after.partition("/")
    host = authority.rpartition("@")[2].lower()
    host = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    return host or None, slash + path if slash else "/"
