"""Log lines that nobody can forge: what strangers send may stand in a line, and never begins or colours one.

Called by the command line. Line breaks, escape sequences and characters that turn the reading direction are shown as
Python escapes; the lines of a traceback, which are meant, are indented.
"""

import logging
from typing import TextIO

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
INDENT = "    "


class PlainLines(logging.Formatter):
    """Formats a record as one line, and its traceback as lines that begin with INDENT."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base class's name
        """Return the line without any character that does more than show itself."""
        return escape_controls(super().formatMessage(record))

    def formatException(self, ei: object) -> str:  # noqa: N802 - as above
        """Return the traceback. An exception's text may hold what a request held."""
        return _indent(super().formatException(ei))  # type: ignore[arg-type]  # passed on as it came

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - as above
        """Return the stack."""
        return _indent(super().formatStack(stack_info))


def escape_controls(text: str) -> str:
    r"""Return the text with every character that does not print as itself written as an escape such as `\n`."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)


def log_to(stream: "logging.StreamHandler[TextIO]") -> None:
    """Have everything logged through this handler, in plain lines."""
    stream.setFormatter(PlainLines(FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[stream])


def _indent(text: str) -> str:
    return "\n".join(INDENT + escape_controls(line) for line in text.split("\n"))
