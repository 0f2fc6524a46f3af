"""Running the server: uvicorn with uvloop and httptools, and what a person reads when it starts."""

import asyncio
import errno
import gc
import logging
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from server.app import Application, create_app
from server.connections import guarded
from server.errors import SettingsError
from server.guard import IDLE_S, Guard, create_guard
from server.holding import hold_folder
from server.listening import keep, listen, live_again, take_over
from server.settings import Settings
from server.web.demo import with_demo
from server.web.express import express_protocol
from server.web.keys import keep_password, password_file
from server.web.parts import Parts

GRACE_S = 10
CHECK_S = 30
MAX_TOLD_CHARS = 2_000
BACKLOG = 2048
GC_THRESHOLD = 50_000
RESTART = signal.SIGUSR2  # not SIGHUP: that is also what a closed terminal sends
# how long a thread may keep the interpreter while another waits for it: the event loop waits that long at each read
# while the writer is at work
SWITCH_S = 0.0001

log = logging.getLogger("footfall")


Greet = Callable[[Parts, Sequence[socket.socket]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """How a server's process ends or begins anew.

    Shape:  lifeline is the reading end of a pipe, at whose end the server stops; None lives by signals alone, and
            may be told to restart. check is a command that fails when the next life could not start.
    """

    lifeline: int | None = None
    check: Sequence[str] = ()


class _Server(uvicorn.Server):
    """Tells when it listens; ends live streams before it waits for connections."""

    def __init__(
        self,
        config: uvicorn.Config,
        app: Starlette,
        greet: Greet,
        guard: Guard,
        life: Life,
    ) -> None:
        super().__init__(config)
        self._app = app
        self._greet = greet
        self._guard = guard
        self._lifeline = life.lifeline
        self._watching: asyncio.Task[None] | None = None
        self._is_restarting = False
        self._check = life.check
        self._checking: asyncio.Task[None] | None = None
        self.kept: list[int] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell where."""
        await super().startup(sockets)
        if self._lifeline is None:
            asyncio.get_running_loop().add_signal_handler(RESTART, self.restart)
        _calm_collector()
        self._watching = asyncio.create_task(self._guard.watch(cast("Any", self.server_state.connections)))
        sys.setswitchinterval(SWITCH_S)
        if self.started:
            self._greet(self._app.state.parts, self.servers[0].sockets)
        if self._lifeline is not None:
            asyncio.get_running_loop().add_reader(self._lifeline, self._stop)

    def _stop(self) -> None:
        """Stop as told to by a signal."""
        self.should_exit = True
        if self._lifeline is not None:
            asyncio.get_running_loop().remove_reader(self._lifeline)

    def restart(self) -> None:
        """Stop, and keep the listening sockets open for the process's next life, unless that could not start."""
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._restart_if_possible())

    async def _restart_if_possible(self) -> None:
        if self._check and (problem := await asyncio.to_thread(_problem_told_by, self._check)):
            log.error("not restarted, since the next start would fail: %s", problem)
            return
        self._is_restarting = self.should_exit = True

    @staticmethod
    def _refuse_restarts() -> None:
        """Ignore the signal from now on: where it is neither caught nor ignored, it kills.

        A closed loop does not catch it any more, nor does a next life before it listens; what is ignored, stays so
        over exec.
        """
        asyncio.get_running_loop().remove_signal_handler(RESTART)
        signal.signal(RESTART, signal.SIG_IGN)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Turn readiness red; end live streams, which never end by themselves; then stop as usual."""
        if self._lifeline is None:
            self._refuse_restarts()
        parts: Parts | None = getattr(self._app.state, "parts", None)
        if parts is not None:
            parts.stopping.set()
            if self._is_restarting:
                self.kept = keep([each.fileno() for server in self.servers for each in server.sockets])
            else:
                await asyncio.sleep(parts.settings.drain_s)  # load balancers find the readiness red meanwhile
            parts.live.close()
        await super().shutdown(sockets)
        if self._watching is not None:
            self._watching.cancel()


def _problem_told_by(check: Sequence[str]) -> str | None:
    """Return what a command says when it fails."""
    try:
        done = subprocess.run(check, capture_output=True, text=True, timeout=CHECK_S, check=False)  # noqa: S603 - our own
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.strip()[-MAX_TOLD_CHARS:] or f"status {done.returncode}"


def serve(settings: Settings, *, shows_demo: bool, check: Sequence[str] = ()) -> int:
    """Serve until told to stop; return the exit status. Errors: SettingsError.

    The port comes first: a start that fails for it makes no keys. Shape: check as in Life.
    """
    if shows_demo:
        settings = with_demo(settings)
    app = create_app(settings, logs_password=False)

    def greet(parts: Parts, sockets: Sequence[socket.socket]) -> None:
        tell_where(parts, sockets[0], shows_demo=shows_demo)

    handed_over = take_over()
    sockets = handed_over or listen_as_set(settings)
    with hold_folder(settings, is_handed_over=handed_over is not None):
        _heed_signals()
        app.start()  # here, where what is wrong is told in a sentence
        return run_server(app, app, settings, greet, sockets, Life(check=check))


def listen_as_set(settings: Settings) -> list[socket.socket]:
    """Return sockets that listen where the settings say. Errors: SettingsError."""
    try:
        return listen(settings.host, settings.port, BACKLOG)[0]
    except OSError as error:
        raise cannot_listen(settings, error) from error


def cannot_listen(settings: Settings, error: OSError) -> SettingsError:
    """Return what a person reads where nothing can listen, and what to do about it."""
    advice = ""
    if error.errno == errno.EADDRINUSE:
        advice = "; something listens there already, perhaps another Footfall: stop it, or set FOOTFALL_PORT (--port)"
    where = f"{settings.host} port {settings.port}"
    return SettingsError([f"FOOTFALL_HOST, FOOTFALL_PORT: cannot listen on {where}: {error.strerror or error}{advice}"])


def run_server(
    app: Application,
    asgi: ASGIApp,
    settings: Settings,
    greet: Greet,
    sockets: list[socket.socket],
    life: Life,
) -> int:
    """Serve an application until told to stop; return the exit status. Errors: SettingsError.

    Shape:  asgi is the application or what stands in front of it; sockets listen already.
    """
    guard = create_guard(settings, partial(_note_refusal, app))
    config = uvicorn.Config(
        asgi,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=guarded(guard, express_protocol(asgi) if isinstance(asgi, Application) else HttpToolsProtocol),
        ws="none",
        log_config=None,  # ours: lines that nobody can forge
        log_level="error",  # its warnings are about strangers' mistakes, and as many as they like
        access_log=False,
        proxy_headers=False,  # addresses are resolved by our own, stricter rules
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Server(config, app, greet, guard, life)
    _heed_signals()
    try:
        server.run(sockets)
    finally:
        gc.unfreeze()  # else the store's bindings take what was frozen for leaks, and say so at length
    if server.kept:
        live_again(server.kept)
    return 0 if server.started else 1


def _heed_signals() -> None:
    """Have signals end this process well, whenever they come."""
    # uvicorn stops gracefully and then raises the signal again: told to stop and having stopped is a success
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    signal.signal(RESTART, signal.SIG_IGN)  # until it listens; also in its next life


def _note_refusal(app: Application, code: str, status: int) -> None:
    """Count a request that was refused before the application saw it."""
    accounts = app.state.parts.accounts
    accounts.refused_requests[code] += 1
    if status and app.counts_answers:
        accounts.answers[status] += 1


def _calm_collector() -> None:
    """Have the garbage collector look seldom, and never at what the start has made.

    While requests wait for the disk their objects are alive and the youngest generation fills all the time:
    with the default of 700 the collector took 13 to 15 % of the event loop's time (measured). Nearly all
    garbage here goes by reference counting.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 100)


def tell_where(parts: Parts, listening: socket.socket, *, shows_demo: bool) -> None:
    """Print where the server listens, and what a person needs to begin; keep a password that was made.

    Errors: OSError, SettingsError.
    """
    name = listening.getsockname()
    if isinstance(name, str):  # a service manager's socket in the file system: whoever is in front of it knows more
        sys.stdout.write(f"\n  The socket is {name}; behind it:\n")
        name = (parts.settings.host, parts.settings.port)
    sys.stdout.write(_greeting(parts, *name[:2], shows_demo=shows_demo))
    sys.stdout.flush()
    keep_password(parts.settings, parts.keys)  # now that it was shown


def _greeting(parts: Parts, host: str, port: int, *, shows_demo: bool) -> str:
    shown_host = f"[{host}]" if ":" in host else host
    base_url = f"http://{shown_host}:{port}"
    site = next(iter(parts.sites))
    lines = ["", f"  Footfall listens on {base_url}"]
    if shows_demo:
        lines.append(f"  Demo shop            {base_url}/demo/")
    lines += [f"  Dashboard            {base_url}/", f"  Password             {_password(parts)}"]
    lines += ["", "  Paste this into your pages:", ""]
    lines += ["    " + line for line in parts.script.snippet(base_url, site).html().splitlines()]
    return "\n".join([*lines, ""])


def _password(parts: Parts) -> str:
    if parts.keys.new_password is not None:
        return f"{parts.keys.new_password}   (shown only now; kept as a hash)"
    if parts.settings.admin_password is not None:
        return "as set by FOOTFALL_ADMIN_PASSWORD"
    if parts.settings.role == "collect":
        return "is the business of the server with the role `app`"
    return f"as shown at the first start (forgotten? delete {password_file(parts.settings)} and start again)"
