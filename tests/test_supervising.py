"""How long a dead process waits for its next life."""

import pytest

from server.supervising import FIRST_PAUSE_S, LONGEST_PAUSE_S, SHORT_LIFE_S, _Child


@pytest.mark.parametrize(
    ("life_s", "pause_s"), [(SHORT_LIFE_S / 2, LONGEST_PAUSE_S), (SHORT_LIFE_S * 2, FIRST_PAUSE_S)]
)
def test_a_long_life_ends_the_pauses_that_short_ones_made(life_s: float, pause_s: float) -> None:
    child = _Child("answering", lambda: 0, pid=1, started_s=100.0, pause_s=LONGEST_PAUSE_S)
    child.end(100.0 + life_s)
    assert (child.pid, child.pause_s) == (0, pause_s)
