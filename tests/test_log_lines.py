"""What a stranger sends never begins a log line, colours one or turns its direction."""

import io
import logging

import pytest

from server.log_lines import INDENT, PlainLines, escape_controls

FORGED = "2026-11-23 14:03:22,000 INFO footfall: all is well"


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def log(stream: io.StringIO) -> logging.Logger:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(PlainLines("%(levelname)s %(message)s"))
    made = logging.Logger("test")  # noqa: LOG001 - one that no other test shares
    made.addHandler(handler)
    return made


@pytest.mark.parametrize(
    "text",
    [
        f"x\n{FORGED}",
        f"x\r{FORGED}",
        f"x\x1b[2J{FORGED}",
        f"x\u2028{FORGED}",
        f"x\x85{FORGED}",
        f"x\u202e{FORGED}",
        "\0",
    ],
    ids=["LF", "CR", "ESC", "LS", "NEL", "RLO", "NUL"],
)
def test_event_data_in_a_message_makes_one_plain_line(log: logging.Logger, stream: io.StringIO, text: str) -> None:
    log.warning("event %s was refused", text)
    assert stream.getvalue().endswith("\n")
    assert stream.getvalue()[:-1].isprintable()


def test_event_data_in_an_exception_is_indented_line_by_line(log: logging.Logger, stream: io.StringIO) -> None:
    log.error("a fault", exc_info=ValueError(f"bad\n{FORGED}\r{FORGED}"))
    first, *others = stream.getvalue().split("\n")[:-1]
    assert first == "ERROR a fault"
    assert all(line.startswith(INDENT) and line.isprintable() for line in others)
    assert any(FORGED in line for line in others)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("Привет, 世界", "Привет, 世界"), ("a\nb", r"a\nb"), ("\x1b[31m", r"\x1b[31m"), ("\u202e", r"\u202e"), ("", "")],
)
def test_what_prints_is_left_as_it_is(text: str, shown: str) -> None:
    assert escape_controls(text) == shown
