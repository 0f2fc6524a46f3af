"""What an answer shows can always be encoded, and is what it was wherever it could be."""

import json

import orjson
from hypothesis import given
from hypothesis import strategies as st

from server.dialects.plain import plain

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
)
ORDINARY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(ANYTHING)
def test_anything_can_be_encoded(value: object) -> None:
    orjson.dumps(plain(json.loads(json.dumps(value))))


@given(ORDINARY)
def test_ordinary_values_stay(value: object) -> None:
    assert plain(value) == value


def test_depth_ends() -> None:
    deep: object = 1
    for _ in range(900):
        deep = [deep]
    assert orjson.dumps(plain(deep)).count(b"[") == 200
