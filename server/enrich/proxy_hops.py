"""The hops that proxies wrote into a header, read from the right, where the proxies we know are.

Called by `client_ip.py`, which decides whom to believe. The left end is a stranger's: no work or meaning
depends on it before everything right of it was read.
"""

import re
from collections.abc import Iterator, Sequence

MAX_HEADER_CHARS = 2048


def _cut(line: str) -> str:
    """Keep the right end of a line; the piece that the cut goes through must not pass for an address."""
    if len(line) <= MAX_HEADER_CHARS:
        return line
    return "cut," + line[-MAX_HEADER_CHARS:].partition(",")[2]


def plain_hops(lines: Sequence[str]) -> Iterator[str]:
    """Return the hops of X-Forwarded-For, the nearest proxy's first."""
    for line in reversed(lines):
        yield from reversed(_cut(line).split(","))


def forwarded_hops(lines: Sequence[str]) -> Iterator[str]:
    """Return the `for` of each element of Forwarded, the nearest proxy's first; empty where there is none.

    Source: RFC 7239, section 4; quoted strings are understood.
    """
    for line in reversed(lines):
        for element in _elements_from_right(_cut(line)):
            yield _forwarded_for(element)


def _elements_from_right(line: str) -> Iterator[str]:
    """Split at the commas that stand outside quotes, last first.

    Read from the right, because a visitor's unbalanced quote at the left must not swallow what the proxies
    appended to it.
    """
    end = position = len(line)
    while True:
        comma = line.rfind(",", 0, position)
        quote = line.rfind('"', comma + 1, position)
        if quote == -1:
            yield line[comma + 1 : end]
            if comma == -1:
                return
            end = position = comma
            continue
        position = _opening_quote(line, quote)
        if position == -1:
            yield ""
            return


def _opening_quote(line: str, closing: int) -> int:
    opening = line.rfind('"', 0, closing)
    while opening > 0 and line[opening - 1] == "\\":
        opening = line.rfind('"', 0, opening)
    return opening


_PAIR = re.compile(r'\s*([^=;,"\s]+)=("(?:[^"\\]|\\.)*"|[^";,]*)\s*(?:;|$)')


def _forwarded_for(element: str) -> str:
    """Return the `for` of one element, or an empty text, which no address reads like."""
    position = 0
    while position < len(element):
        pair = _PAIR.match(element, position)
        if pair is None:
            return ""
        if pair[1].lower() == "for":
            return re.sub(r"\\(.)", r"\1", pair[2].strip('"'))
        position = pair.end()
    return ""
