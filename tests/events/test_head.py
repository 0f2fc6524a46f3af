"""What is asked of every event is read from its line alone, and only where a column is."""

from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.events.head import Head, read_event, read_heads
from tests.factories import make_record

TEXTS = ("visitor_id", "user_id", "country", "region", "city")
LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text()
PROPS = st.dictionaries(st.sampled_from((*Head.__struct_fields__, "a")), LEAVES | st.lists(LEAVES))


@given(columns=st.dictionaries(st.sampled_from(TEXTS), st.text()), props=PROPS, time=st.integers(-(2**62), 2**62))
def test_a_head_is_the_event_in_small(columns: dict[str, str], props: dict[str, Any], time: int) -> None:
    line = make_record(**columns, time=time, props=props).event
    ((seq, head, kept),) = read_heads([(7, line)])
    event = read_event(line)
    assert (seq, kept) == (7, line)
    assert msgspec.structs.asdict(head) == {name: event.get(name) for name in Head.__struct_fields__}


def test_what_is_unknown_may_be_left_out() -> None:
    ((_, head, _),) = read_heads([(1, b'{"id":"1","site":"s","name":"n","time":5}')])
    assert head == Head(id="1", site="s", name="n", time=5)


@pytest.mark.parametrize("line", [b"", b"no", b"[]", b'{"id":"1","site":"s","name":"n"}', orjson.dumps({"time": "x"})])
def test_what_no_event_is_has_no_head(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        read_heads([(1, line)])
