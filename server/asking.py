"""How a command asks the server that runs with the same settings, and how it makes sure that there is none.

Called by export, replay, backup and doctor.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

from server.errors import FootfallError, SettingsError
from server.restoring import folder_in_use
from server.settings import Settings

MAX_ERROR_BYTES = 64 * 1024
LIVE_TIMEOUT_S = 10.0
_SHOWN_CHARS = 300
# what an operator's environment says of proxies is about the world outside
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def base_url_of(settings: Settings) -> str:
    """Return where the server listens, as a program on the same machine reaches it."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def read_base_url(text: str) -> str:
    """Return a public address without a slash at its end. Errors: SettingsError when pages could not use it."""
    try:
        parts = urlsplit(text)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # brackets or a port that are none
        is_usable = False
    if not is_usable or any(each in text for each in "?#@") or not text.isprintable() or " " in text:
        raise SettingsError([f"--url: {text!r} is no address such as https://t.example or https://t.example/stats"])
    return text.rstrip("/")


def ask_server(
    settings: Settings, path: str, key: str, timeout_s: float, body: Mapping[str, Any] | None = None
) -> HTTPResponse | None:
    """Return the server's answer to a GET, or to a POST where there is a body; None when no server answers.

    Errors: FootfallError in the server's words, when something else listens there, or when it takes too long.
    """
    if not is_there(settings):
        return None
    request = urllib.request.Request(  # noqa: S310 - http, our own address
        base_url_of(settings) + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key}"},
    )
    try:
        answer: HTTPResponse = OPENER.open(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        with error:
            raise _in_the_servers_words(settings, error.code, error.read(MAX_ERROR_BYTES)) from error
    except (OSError, HTTPException) as error:
        message = f"The server at {base_url_of(settings)} gave no answer: {error or repr(error)}."
        raise FootfallError("no_answer", message, "See its log.") from error
    return answer


def is_there(settings: Settings) -> bool:
    """Return whether a Footfall listens where the settings say, before it is told a key.

    Errors: FootfallError when something else does.
    """
    url = base_url_of(settings) + "/health/live"
    try:
        with OPENER.open(url, timeout=LIVE_TIMEOUT_S) as answer:
            told = json.loads(answer.read(MAX_ERROR_BYTES))
    except urllib.error.HTTPError as error:
        with error:
            raise _in_the_servers_words(settings, error.code, error.read(MAX_ERROR_BYTES)) from error
    except OSError:
        return False
    except (HTTPException, ValueError):
        told = None
    if not isinstance(told, dict) or not {"status", "version"} <= told.keys():
        message = f"What listens at {base_url_of(settings)} is no Footfall."
        raise FootfallError("not_ours", message, "See --host and --port.")
    return True


def read_answer(answer: HTTPResponse, size: int | None = None) -> bytes:
    """Return the next bytes of an answer, or all of them; none at its end.

    Errors: FootfallError when it ends too early, as that of a server that is killed.
    """
    try:
        return answer.read(size)
    except (HTTPException, OSError) as error:
        raise FootfallError("cut_off", f"The server's answer was cut off: {error!r}.", "See its log.") from error


def _in_the_servers_words(settings: Settings, status: int, body: bytes) -> FootfallError:
    """Return an error answer as an error; strangers' control characters, as another server might send, are escaped."""
    try:
        told = json.loads(body)["error"]
        code, message, hint = (str(told.get(name) or "") for name in ("code", "message", "hint"))
    except (ValueError, KeyError, TypeError, AttributeError):
        text = body.decode("utf-8", "replace").strip()[:_SHOWN_CHARS]
        code, message = "not_ours", f"'{text}'"
        hint = "Is that Footfall? See --host and --port."
    where = f"{base_url_of(settings)} answered {status}"
    return FootfallError(code, f"{where}, {_printable(code)}: {_printable(message)}", _printable(hint))


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


@contextmanager
def folder_without_server(settings: Settings) -> Iterator[None]:
    """Keep servers away from the data folder while a command works in it. Errors: FootfallError when one has it."""
    with ExitStack() as held:
        try:
            held.enter_context(folder_in_use(settings.data_dir, alone=True))
        except FootfallError as error:
            raise no_answer(settings) from error
        except OSError as error:
            raise FootfallError(
                "no_folder", f"{settings.data_dir} cannot be used: {error}.", "See --data-dir."
            ) from error
        yield


def no_answer(settings: Settings) -> FootfallError:
    """Return what a person reads where a server has the folder but does not answer."""
    where = base_url_of(settings)
    return FootfallError(
        "no_answer",
        f"Something has {settings.data_dir} open, but no server answers at {where}.",
        "If a server runs elsewhere, name its --host and --port (FOOTFALL_HOST, FOOTFALL_PORT); else wait for what"
        " works in the folder.",
    )
