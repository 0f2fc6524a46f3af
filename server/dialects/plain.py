"""JSON values as the pipeline will keep them, for answers that show them before they are stored."""

import re
from math import isfinite
from typing import Any

from server.events.wire import MAX_SAFE_INTEGER, MAX_TEXT_LENGTH

_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_DEPTH = 200  # far beyond what is accepted, far below what encoders refuse


def plain(value: Any, depth: int = _MAX_DEPTH) -> Any:
    """Return the value without what JSON lets in and no encoder lets out: lone surrogates, NaN, great depth."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, int | float):
        return _number(value)
    if not isinstance(value, dict | list):
        return value
    if depth == 0:
        return None
    if isinstance(value, list):
        return [plain(each, depth - 1) for each in value]
    return {plain(name): plain(each, depth - 1) for name, each in value.items()}


def _number(value: Any) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else None
    if abs(value) <= MAX_SAFE_INTEGER:
        return value
    return str(value) if value.bit_length() <= MAX_TEXT_LENGTH else "0"
