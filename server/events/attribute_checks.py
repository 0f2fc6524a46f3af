"""One check function per attribute type: what is accepted, what is corrected, what refuses the event.

Built once when the catalogue is read and called for every listed attribute of every event, so the common
case (a value that is right already) comes first and allocates nothing. No check ever changes the value that
it was given: a refused event is kept as it came.

Codes of corrections:  truncated, rounded, converted, unknown_value.
Codes of refusals:     wrong_type, invalid_value.
"""

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

from server.errors import EventRejected
from server.events.attributes import Attribute, AttributeType
from server.events.model import Correction

Check = Callable[[object, list[Correction]], object]
"""Returns the value to store, the given object itself when it was right; appends what it corrected.

Errors: EventRejected. Never called with None: a null attribute counts as missing.
"""

MAX_INTEGER = 2**53
"""Beyond it JavaScript, and so every browser that sends or shows the event, cannot tell neighbours apart."""

_NUMBER = re.compile(r"\s*+[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?\s*+", re.ASCII)
"""Possessive, so that thousands of digits and a letter are refused in one pass."""

_UNLIMITED = 2**62
_KINDS = {
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


def create_check(attribute: Attribute) -> Check:
    """Return the function that checks a value of the attribute."""
    name = attribute.name
    match attribute.type:
        case AttributeType.TEXT:
            return _create_text_check(name, attribute.max_length)
        case AttributeType.INTEGER:
            return _create_integer_check(name)
        case AttributeType.ID:
            return _create_id_check(name)
        case AttributeType.ENUM:
            return _create_enum_check(attribute)
        case AttributeType.LIST_OF_TEXT:
            return _create_list_check(_create_text_check(name, attribute.max_length))
        case AttributeType.LIST_OF_INTEGER:
            return _create_list_check(_create_integer_check(name))


def _create_text_check(name: str, max_length: int | None) -> Check:
    """Accept text; turn a number or boolean into its text form; cut what is too long."""
    limit = _UNLIMITED if max_length is None else max_length
    converted = Correction("converted", f"{name} was turned into text")
    truncated = Correction("truncated", f"{name} was cut to {max_length} characters")

    def check(value: object, corrections: list[Correction]) -> object:
        if type(value) is str:
            text = value
        else:
            text = _text_form(name, value)
            corrections.append(converted)
        if len(text) > limit:
            corrections.append(truncated)
            return text[:limit]
        return text

    return check


def _create_enum_check(attribute: Attribute) -> Check:
    """Accept one of the values; where others are allowed, keep and report them."""
    name, values = attribute.name, frozenset(attribute.values)
    as_text = _create_text_check(name, None)
    expected = f"{name} must be one of: {', '.join(attribute.values)}"
    unknown = Correction("unknown_value", f"{name} is usually one of: {', '.join(attribute.values)}")

    def check(value: object, corrections: list[Correction]) -> object:
        text = as_text(value, corrections)
        if text not in values:
            if not attribute.allows_other_values:
                raise EventRejected("invalid_value", expected)
            corrections.append(unknown)
        return text

    return check


def _create_integer_check(name: str) -> Check:
    """Accept an integer within ±2^53; round other numbers and numeric text half away from zero.

    Nothing is reported when the number itself stays the same: 12.0 and "12" are 12.
    """
    rounded = Correction("rounded", f"{name} was rounded to a whole number")

    def check(value: object, corrections: list[Correction]) -> object:
        if type(value) is int and -MAX_INTEGER <= value <= MAX_INTEGER:
            return value
        exact = _exact_number(name, value)
        if exact.copy_abs() > MAX_INTEGER:
            raise EventRejected("invalid_value", f"{name} must be within -2^53 and 2^53")
        whole = exact.to_integral_value(ROUND_HALF_UP)
        if whole != exact:
            corrections.append(rounded)
        return int(whole)

    return check


def _create_id_check(name: str) -> Check:
    """Accept text; write an integer out, because 64-bit ids do not survive JavaScript's numbers.

    The parser makes a float of an integer beyond 64 bits: from 2^53 on nobody knows which of its neighbours was sent.
    """

    def check(value: object, _corrections: list[Correction]) -> object:
        if type(value) is str:
            return value
        if type(value) is int or (type(value) is float and value.is_integer() and abs(value) < MAX_INTEGER):
            return f"{Decimal(int(value)):f}"
        if type(value) is float and abs(value) >= MAX_INTEGER:
            raise EventRejected("wrong_type", f"{name} must be text: as a number it has lost digits, send it as text")
        raise _wrong_type(name, "text or a whole number", value)

    return check


def _create_list_check(check_item: Check) -> Check:
    """Accept a list whose items pass their check; make a scalar a list of one.

    Null items stay: in parallel lists they say that this one product has no picture. However many items are
    corrected, each kind of correction is reported once.
    """

    def check(value: object, corrections: list[Correction]) -> object:
        items = value if type(value) is list else [value]
        found: list[Correction] = []
        checked = [None if item is None else check_item(item, found) for item in items]
        if found:
            corrections.extend(dict.fromkeys(found))
        return checked

    return check


def _text_form(name: str, value: object) -> str:
    """Return a boolean or number as JSON writes it; Decimal writes integers that are too long for `str`."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, float):
        _exact_number(name, value)  # refuses what is not finite
        return repr(value)
    if isinstance(value, int):
        return f"{Decimal(value):f}"
    raise _wrong_type(name, "text", value)


def _exact_number(name: str, value: object) -> Decimal:
    """Return a number or numeric text exactly.

    Decimal, because binary fractions would round "0.49999999999999999999" up, and because it neither builds
    the billion digits of "1e999999999" nor refuses integers of many digits as `str` does.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        try:
            exact = Decimal(value)  # type: ignore[arg-type]  # narrowed by the line above, in a way mypy cannot follow
        except ArithmeticError:  # an exponent beyond Decimal's own limits
            raise EventRejected("invalid_value", f"{name} must be within -2^53 and 2^53") from None
        if not exact.is_finite():
            raise EventRejected("wrong_type", f"{name} must be finite")
        return exact
    raise _wrong_type(name, "a number", value)


def _wrong_type(name: str, expected: str, value: object) -> EventRejected:
    return EventRejected("wrong_type", f"{name} must be {expected}, not {_KINDS.get(type(value), 'this')}")
