"""Host and path of a page's address. Pure; urllib's splitter raises on hostile text and is ten times slower."""

from functools import lru_cache


@lru_cache(maxsize=4096)
def split_url(url: str) -> tuple[str | None, str | None]:
    """Return (host, path): the host lower-case without user and port, the path without query and fragment.

    Shape:  an address without a scheme and host is taken as a path; ("", None) never occurs, unknown is None.
    """
    rest = url.partition("#")[0].partition("?")[0]
    scheme, separator, after = rest.partition("://")
    if not separator:
        return None, rest or None
    if scheme.lower() not in {"http", "https"}:
        return None, None
    authority, slash, path = after.partition("/")
    host = authority.rpartition("@")[2].lower()
    host = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    return host or None, slash + path if slash else "/"
