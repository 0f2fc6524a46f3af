"""Everything that can go wrong, as one tree. Only `app.py` turns it into HTTP.

FootfallError            answers a whole request: status + {"error": {"code", "message", "hint"}}
├─ BadRequest       400  nothing in the body can ever be accepted
├─ NotAuthorised    401  no key, or a wrong one
├─ Forbidden        403  the origin is not one of the site's
├─ NotFound         404  no such site, path or user
├─ Conflict         409  the same is being done right now; with Retry-After
├─ TooLarge         413  more bytes or events than a request may carry
├─ Unprocessable    422  the request contradicts an earlier one
├─ TooManyRequests  429  with Retry-After
└─ Unavailable      503  the event cannot be made durable now; with Retry-After
EventRejected            one event of a batch: kept with its reason, its neighbours stand
SettingsError            stops the start and lists every problem at once
"""

import sqlite3
from collections.abc import Sequence
from typing import ClassVar

EVENT_FAULTS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
)
"""What an event's own values can bring about: the same again would fail the same. All else is worth another try."""


class FootfallError(Exception):
    """Answers a whole request.

    Shape:  code is stable and machine-readable; message says what is wrong, hint what to do about it;
            retry_after_s becomes the Retry-After header.
    """

    status: ClassVar[int] = 500

    def __init__(self, code: str, message: str, hint: str = "", *, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.retry_after_s = retry_after_s


class BadRequest(FootfallError):
    """Nothing in the request can ever be accepted."""

    status = 400


class NotAuthorised(FootfallError):
    """No key, or a wrong one."""

    status = 401


class Forbidden(FootfallError):
    """The key or site is known but may not do this."""

    status = 403


class NotFound(FootfallError):
    """No such site, path or thing."""

    status = 404


class Conflict(FootfallError):
    """The same is being done right now; its outcome can be asked for shortly."""

    status = 409


class TooLarge(FootfallError):
    """More bytes or events than one request may carry; smaller requests are welcome."""

    status = 413


class Unprocessable(FootfallError):
    """The request contradicts an earlier one and can never be carried out."""

    status = 422


class TooManyRequests(FootfallError):
    """Asked again too soon."""

    status = 429


class Unavailable(FootfallError):
    """The promise "accepted means durable" cannot be made now; nothing was stored."""

    status = 503


class EventRejected(Exception):
    """One event of a batch cannot be accepted. Shape: code is stable, message is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class SettingsError(Exception):
    """The settings are wrong. Shape: problems, one sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)
