"""A user's properties: what the seven operations do to them, and what becomes of two sets when users are merged.

Pure. The properties are the fold of the recorded operations in the order of their time, so they can be rebuilt.

Operations, each `{"op", "key", "value"}`, in their order, each for itself: one that cannot be carried out is ignored
with a reason and the next goes on.
    update_or_create  sets the value
    set_once          sets it where there is none
    add               adds a number; nothing counts as 0
    append            puts a value at the end of a list; nothing counts as an empty list
    union             the same for each value that the list does not hold yet
    exclude           takes values out of a list
    delete            removes the property; no value is needed

Merging `other` into `known`: what `known` has stays, what it deleted stays deleted, what it never had is taken from
`other`, lists are united. `$initial_*` keeps the older of the two and `$last_*` the newer; `$sessions` adds up.

Bound: what would make the properties larger than MAX_BYTES is not carried out, and is left out of a merge. It goes by
the properties alone, whoever says it, so that they can be made anew.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, NamedTuple

import orjson

from server.events.wire import MAX_LIST_LENGTH, MAX_PROPERTY_NAME_LENGTH, MAX_SAFE_INTEGER, MAX_TEXT_LENGTH

MAX_OPERATIONS = 250
MAX_PROPERTIES = 1_000
MAX_BYTES = 65_536
"""How much one person's properties may take as JSON, with what is kept of removed ones."""
SESSIONS = "$sessions"
_MOST_OF_NUMBER = 32  # with what stands around it

Moment = tuple[int, str]
"""When something was said: (milliseconds since the epoch, event id), so that two things at once have an order."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """An operation that was not carried out. Shape: reason is stable and machine-readable."""

    index: int
    op: str
    key: str
    reason: str


@dataclass(slots=True)
class Result:
    """What operations did. Shape: affected and unchanged are keys, each once."""

    affected: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)


class _One(NamedTuple):
    """What is kept of one property. Shape: value is None where it has none, moment where none is kept."""

    value: Any
    is_deleted: bool
    moment: Moment | None

    def size(self, key: str) -> int:
        """Return how many bytes it takes as JSON."""
        kept: list[Any] = [] if self.value is None else [key, self.value]
        kept += [key] if self.is_deleted else []
        kept += [] if self.moment is None else [key, self.moment]
        return len(orjson.dumps(kept)) if kept else 0


@dataclass(slots=True)
class Properties:
    """Shape: deleted are keys that were removed, which is not the same as never set; moments tell of `$initial_*`
    and `$last_*` when they were set.
    """  # noqa: D205 - the shape is all there is to say

    values: dict[str, Any] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    moments: dict[str, Moment] = field(default_factory=dict)
    _bytes: int | None = field(default=None, init=False, repr=False, compare=False)  # as far as it is known
    _most_bytes: int | None = field(default=None, init=False, repr=False, compare=False)  # it is not more than that

    def apply(self, operations: Sequence[Any], moment: Moment) -> Result:
        """Carry out operations in their order."""
        result = Result()
        for index, operation in enumerate(operations):
            op, key = _named(operation)
            if index >= MAX_OPERATIONS:
                result.ignored.append(Ignored(index, op, key, "too_many_operations"))
                continue
            reason = fault_of(operation)
            if reason is None:
                reason = self._carry_out(result, operation, moment)
            if reason is not None:
                result.ignored.append(Ignored(index, op, key, reason))
        return result

    def absorb(self, other: "Properties") -> None:
        """Take in what another, later unknown, set of properties has; see the head of this page."""
        for key, value in other.values.items():
            before = self._one(key)
            if key == SESSIONS and _is_number(self.values.get(key)) and _is_number(value):
                self.values[key] += value
            elif self._yields(key, other):
                self.values[key] = list(value) if isinstance(value, list) else value
                self.deleted.discard(key)
                if key in other.moments:
                    self.moments[key] = other.moments[key]
            elif isinstance(value, list) and isinstance(mine := self.values.get(key), list):
                self.values[key] = _united(mine, value)
            else:
                continue
            self._fit(key, before)

    def encode(self) -> list[Any]:
        """Return the stored form: JSON values only."""
        return [self.values, sorted(self.deleted), self.moments]

    def _yields(self, key: str, other: "Properties") -> bool:
        """Return whether the other's value takes the place of this one's."""
        mine, theirs = self.moments.get(key), other.moments.get(key)
        if key in self.values and mine is not None and theirs is not None:
            return tuple(theirs) < tuple(mine) if key.startswith("$initial_") else tuple(theirs) > tuple(mine)
        return key not in self.values and key not in self.deleted

    def _carry_out(self, result: Result, operation: Mapping[str, Any], moment: Moment) -> str | None:
        """Carry out an operation without a fault of its own, or return why it cannot be; then nothing is changed."""
        op, key = _named(operation)
        before = self._one(key)
        reason = _CARRY_OUT[op](self.values, key, operation.get("value"))
        if reason is not None:
            return reason
        if before.value is None and key in self.values and len(self.values) > MAX_PROPERTIES:
            del self.values[key]
            return "too_many_properties"
        self._mark(op, key, is_changed=not _same(before.value, self.values.get(key)), moment=moment)
        if not self._fit(key, before):
            return "too_large"
        self._note(result, key, before.value)
        return None

    def _one(self, key: str) -> _One:
        return _One(self.values.get(key), key in self.deleted, self.moments.get(key))

    def _fit(self, key: str, before: _One) -> bool:
        """Return whether there is room for what has become of a property; where not, it is as before again."""
        if self._is_far_from_full(key):
            return True
        now = self._one(key)
        grown = now.size(key) - before.size(key)
        if self._bytes is None:
            self._bytes = sum(self._one(each).size(each) for each in {*self.values, *self.deleted})
        else:
            self._bytes += grown
        if grown <= 0 or self._bytes <= MAX_BYTES:
            return True
        self._bytes -= grown
        self._restore(key, before)
        return False

    def _is_far_from_full(self, key: str) -> bool:
        """Return whether a rough sum, which only grows, says that there is room: nearly always, at a tenth the cost."""
        if self._most_bytes is None:
            self._most_bytes = sum(self._at_most(each) for each in {*self.values, *self.deleted})
        else:
            self._most_bytes += self._at_most(key)
        return self._most_bytes <= MAX_BYTES

    def _at_most(self, key: str) -> int:
        """Return what one property cannot take more than: six bytes a character, as in an escape of JSON's."""
        value, characters, numbers = self.values.get(key), 3 * len(key), 3
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, list):
            characters += sum(len(each) for each in value if isinstance(each, str))
            numbers += len(value)
        if key in self.moments:
            characters += len(self.moments[key][1])
        return 6 * characters + _MOST_OF_NUMBER * numbers

    def _restore(self, key: str, before: _One) -> None:
        # a value that was there keeps its place among the others: merges go by that
        if before.value is None:
            self.values.pop(key, None)
        else:
            self.values[key] = before.value
        if before.is_deleted:
            self.deleted.add(key)
        else:
            self.deleted.discard(key)
        if before.moment is None:
            self.moments.pop(key, None)
        else:
            self.moments[key] = before.moment

    def _mark(self, op: str, key: str, *, is_changed: bool, moment: Moment) -> None:
        """Keep what is known of a property besides its value."""
        if op == "delete":
            self.deleted.add(key)
            self.moments.pop(key, None)
        elif key in self.values:
            self.deleted.discard(key)
        if is_changed and key.startswith(("$initial_", "$last_")) and key in self.values:
            self.moments[key] = moment

    def _note(self, result: Result, key: str, before: Any) -> None:
        if _same(before, self.values.get(key)):
            if key not in result.affected and key not in result.unchanged:
                result.unchanged.append(key)
            return
        if key not in result.affected:
            result.affected.append(key)
        if key in result.unchanged:
            result.unchanged.remove(key)


def decode_properties(encoded: Sequence[Any]) -> Properties:
    """Return properties from their stored form."""
    values, deleted, moments = encoded
    return Properties(values, set(deleted), {key: (int(at[0]), str(at[1])) for key, at in moments.items()})


def fault_of(operation: Any) -> str | None:
    """Return why an operation can never be carried out, whatever the user's properties are; None where it may be."""
    op, key = _named(operation)
    if op not in _CARRY_OUT:
        return "unknown_operation"
    if not 0 < len(key) <= MAX_PROPERTY_NAME_LENGTH:
        return "bad_key"
    return None if op == "delete" else _fault_of_value(op, operation.get("value"))


def _fault_of_value(op: str, value: Any) -> str | None:
    if value is None or value == "":
        return "empty_value"
    if op == "add":
        return None if _is_number(value) else "not_a_number"
    many = value if isinstance(value, list) and op != "append" else [value]
    if len(many) > MAX_LIST_LENGTH:
        return "list_too_long"
    return next((reason for each in many if (reason := _fault_of_one(each)) is not None), None)


def _named(operation: Any) -> tuple[str, str]:
    if not isinstance(operation, Mapping):
        return "", ""
    op, key = operation.get("op"), operation.get("key")
    return op if isinstance(op, str) else "", key if isinstance(key, str) else ""


def _fault_of_one(value: Any) -> str | None:
    if isinstance(value, str):
        return "text_too_long" if len(value) > MAX_TEXT_LENGTH else None
    if isinstance(value, bool) or _is_number(value):
        return None
    return "bad_value"


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= MAX_SAFE_INTEGER if isinstance(value, int) else isfinite(value)


def _same(before: Any, after: Any) -> bool:
    """Return whether nothing changed; True and 1 are two things."""
    return type(before) is type(after) and before == after


def _update(values: dict[str, Any], key: str, value: Any) -> str | None:
    values[key] = value
    return None


def _set_once(values: dict[str, Any], key: str, value: Any) -> str | None:
    values.setdefault(key, value)
    return None


def _add(values: dict[str, Any], key: str, value: Any) -> str | None:
    now = values.get(key, 0)
    if not _is_number(now):
        return "wrong_type"
    if not _is_number(now + value):
        return "number_too_large"
    values[key] = now + value
    return None


def _append(values: dict[str, Any], key: str, value: Any) -> str | None:
    return _extend(values, key, [value])


def _union(values: dict[str, Any], key: str, value: Any) -> str | None:
    return _extend(values, key, value if isinstance(value, list) else [value], only_new=True)


def _extend(values: dict[str, Any], key: str, added: list[Any], *, only_new: bool = False) -> str | None:
    now = values.get(key, [])
    if not isinstance(now, list):
        return "wrong_type"
    longer = _united(now, added) if only_new else now + added
    if len(longer) > MAX_LIST_LENGTH:
        return "list_full"
    values[key] = longer
    return None


def _united(first: list[Any], second: list[Any]) -> list[Any]:
    united, known = list(first), {(type(each), each) for each in first}
    for each in second:
        if (type(each), each) not in known:
            known.add((type(each), each))
            united.append(each)
    return united[:MAX_LIST_LENGTH]


def _exclude(values: dict[str, Any], key: str, value: Any) -> str | None:
    now = values.get(key, [])
    if not isinstance(now, list):
        return "wrong_type"
    unwanted = value if isinstance(value, list) else [value]
    if key in values:
        gone = {(type(each), each) for each in unwanted}
        values[key] = [each for each in now if (type(each), each) not in gone]
    return None


def _delete(values: dict[str, Any], key: str, _: Any) -> str | None:
    values.pop(key, None)
    return None


_CARRY_OUT: dict[str, Callable[[dict[str, Any], str, Any], str | None]] = {
    "update_or_create": _update,
    "set_once": _set_once,
    "add": _add,
    "append": _append,
    "union": _union,
    "exclude": _exclude,
    "delete": _delete,
}
OPERATION_NAMES = tuple(_CARRY_OUT)
