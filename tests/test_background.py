"""What repeats beside the requests goes on after a fault."""

import threading

import pytest

from server.background import Repeated


def test_a_fault_is_told_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    calls = 0
    again = threading.Event()

    def work() -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise RuntimeError("nobody foresaw it")
        again.set()

    repeated = Repeated(work, 0.01, "a thing")
    assert again.wait(10)
    repeated.close()
    assert "nobody foresaw it" in caplog.text
    assert "a thing" in caplog.text
