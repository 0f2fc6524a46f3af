"""`footfall serve --workers N`: N processes receive, one writes and answers, and this one keeps them alive.

Who does what
    collectors   answer `/collect`, the tracker's files and Segment's calls; they share the queue's file, and so its
                 promise. Everything else they pass on to the one that answers (web/relay.py).
    answering    the writer, the store, the API, the pages. One, because the store's file is for one process.
    supervisor   listens, but accepts nothing; starts the others, starts a dead one again, stops all in order.

Why it holds
    Each collector has listening sockets of its own on the one port (SO_REUSEPORT), so that the kernel shares
    connections out evenly. Any other process of this user could listen beside them: so this one listens only once the
    folder is its own and the port is nobody's. It holds all of them open: while a dead collector is started again, its
    connections wait. Where the kernel does not share out (not Linux), all accept from one socket.
    Whatever dies, what was acknowledged is in the queue's file, and the writer asks the store how far it got.
    All children watch a pipe whose other end is here: when this process dies, they stop.
    A child that cannot be started at all ends everything: the settings are wrong. One that has served before is tried
    again for as long as it takes, because the disk may be full, and the others go on.

Stopping
    Readiness turns red, and the collectors go on for `drain_s`; then no new connections, and they finish what they
    have; then the one that answers moves what is left in the queue into the store. Each may take STOP_S, after that it
    is killed, which loses nothing.
"""

import gc
import logging
import mmap
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from uvicorn.config import STARTUP_FAILURE

from server.app import create_app
from server.errors import SettingsError
from server.holding import hold_folder
from server.ingest.tally import SharedTallies
from server.inner_socket import listen_inside, remove_socket
from server.listening import listen, take_over
from server.routes import create_routes
from server.serving import BACKLOG, GRACE_S, RESTART, Life, cannot_listen, run_server, tell_where
from server.settings import Settings
from server.web.keys import Keys, complete_sites, is_password_shown, open_keys
from server.web.parts import Parts
from server.web.relay import Behind
from server.web.shares import Shares

MAX_WORKERS = 64
STOP_S = 3 * GRACE_S
SHORT_LIFE_S = 5.0
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
_SOONEST_S = 0.001  # a timer of 0 never comes
_CANNOT_START = (2, STARTUP_FAILURE)  # wrong settings: where none has served yet, another try ends the same
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGALRM, RESTART)

log = logging.getLogger("footfall.supervisor")


@dataclass(slots=True)
class _Child:
    """One process and how to make it.

    Shape:  pause_s is how long to wait before it is made again, due_s when that is over; served is one byte of memory
            that all its lives share with this process, not 0 once one of them has listened.
    """

    name: str
    work: Callable[[], int]
    pid: int = 0
    starts: int = 0
    started_s: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    due_s: float = 0.0
    served: mmap.mmap = field(default_factory=lambda: mmap.mmap(-1, 1))

    def end(self, now_s: float) -> None:
        """Note its death; after a long life it may soon start again."""
        self.pid = 0
        if now_s - self.started_s > SHORT_LIFE_S:
            self.pause_s = FIRST_PAUSE_S

    def may_live_again(self, status: int) -> bool:
        """Return whether another try makes sense after it ended with a status.

        What has served was set up well: a full disk or the like keeps it away, and that passes. The others go on
        meanwhile.
        """
        return self.served[0] != 0 or (status not in _CANNOT_START and self.pause_s < LONGEST_PAUSE_S)

    def plan(self, now_s: float) -> None:
        """Have it started again after a pause that grows while it dies soon."""
        self.due_s = now_s + self.pause_s
        self.pause_s = min(2 * self.pause_s, LONGEST_PAUSE_S)


def supervise(settings: Settings, workers: int, *, shows_demo: bool) -> int:
    """Serve with several processes until told to stop; return the exit status. Errors: SettingsError."""
    if not 1 <= workers <= MAX_WORKERS:
        raise SettingsError([f"--workers: a number from 1 to {MAX_WORKERS}"])
    if settings.role != "all":
        raise SettingsError(["--workers: only in the role `all`, which it shares out"])
    if (handed_over := take_over()) is not None:
        _close_all_but((), [handed_over])
        raise SettingsError(["--workers: it listens by itself and takes no sockets of a service manager's"])
    create_routes(settings)  # a child could tell of paths that cannot be only when all have been started
    with hold_folder(settings):  # first: who may not have the folder must not listen for a moment either
        listening = _listen(settings, workers)
        with listen_inside(BACKLOG) as (inner, path):
            shares = Shares(app_socket=str(path), keys=_make_keys(settings), tallies=SharedTallies(len(listening)))
            try:
                return _Supervisor(settings, listening, inner, shares, shows_demo=shows_demo).run()
            finally:
                gc.unfreeze()  # as in serving


class _Supervisor:
    """Owns the children."""

    def __init__(
        self,
        settings: Settings,
        listening: Sequence[Sequence[socket.socket]],
        inner: socket.socket,
        shares: Shares,
        *,
        shows_demo: bool,
    ) -> None:
        self._settings = settings
        self._listening = listening
        self._inner = inner
        self._shows_demo = shows_demo
        self._shares = shares
        self._lifeline, self._life = os.pipe()
        self._answering = _Child("answering", self._answer)
        self._collectors = [
            _Child(f"collector {number}", lambda number=number: self._collect(number))  # type: ignore[misc]  # bound now, not at the end
            for number in range(len(listening))
        ]

    def run(self) -> int:
        """Keep all alive until told to stop."""
        signal.signal(RESTART, signal.SIG_IGN)  # for the children; this one waits for it all the same
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # they are waited for, and children start without them
        gc.freeze()  # what is the same in all children stays one page
        for child in self._children():
            self._start(child)
        while (number := signal.sigwait(_SIGNALS)) in (signal.SIGCHLD, signal.SIGALRM, RESTART):
            if number == RESTART:  # one process can take its own place, several cannot yet
                log.warning("not restarted: with --workers stop and start it, for new code or settings")
            for child, status in self._reap():
                if not child.may_live_again(status):
                    log.error("%s cannot be started", child.name)
                    return self._stop(status or 1)
                child.plan(time.monotonic())
                log.warning("%s has died and is started again", child.name)
            self._start_those_due()
        return self._stop(0)

    def _children(self) -> tuple[_Child, ...]:
        return (self._answering, *self._collectors)

    def _start_those_due(self) -> None:
        """Start the dead whose pauses are over, and have a signal come when the next one's is.

        A pause is not slept through: another may die in it, and a stop must not wait.
        """
        for child in self._children():
            if not child.pid and child.due_s <= time.monotonic():
                self._start(child)
        waits = [child.due_s - time.monotonic() for child in self._children() if not child.pid]
        signal.setitimer(signal.ITIMER_REAL, max(min(waits), _SOONEST_S) if waits else 0)

    def _reap(self) -> list[tuple[_Child, int]]:
        """Return who has died, and with which status."""
        dead = []
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                for child in self._children():
                    if child.pid == pid:
                        child.end(time.monotonic())
                        dead.append((child, os.waitstatus_to_exitcode(status)))
        return dead

    def _start(self, child: _Child) -> None:
        child.started_s = time.monotonic()
        sys.stdout.flush()
        try:
            child.pid = os.fork()
        except OSError:  # no memory for another process now
            if not child.served[0]:
                raise
            log.exception("%s cannot be started now", child.name)
            child.plan(time.monotonic())
            return
        if child.pid:
            child.starts += 1
            return
        status = 1
        try:
            os.close(self._life)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            status = child.work()
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        except SettingsError as error:
            log.error("%s cannot start: %s", child.name, error)  # noqa: TRY400 - for people
            status = _CANNOT_START[0]
        except BaseException:
            log.exception("%s has ended", child.name)
        finally:
            with suppress(OSError):  # a full disk: this process must end here all the same
                sys.stdout.flush()
            os._exit(status)

    def _answer(self) -> int:
        public = self._listening[0][0]
        _close_all_but([public], self._listening)
        shares = self._shares
        shares.live_wire.watch(is_watched=False)  # a predecessor may have died with watchers
        app = create_app(
            replace(self._settings, role="app", drain_s=0), shares=shares, logs_password=False
        )  # the collectors drain

        def greet(parts: Parts, _: Sequence[socket.socket]) -> None:
            # a predecessor may have died before it told the password
            if self._answering.starts == 0 or not is_password_shown(self._settings, shares.keys):
                tell_where(parts, public, shows_demo=self._shows_demo)
            public.close()
            self._answering.served[0] = 1

        try:
            return run_server(app, Behind(app), self._settings, greet, [self._inner], Life(lifeline=self._lifeline))
        finally:
            if select.select([self._lifeline], [], [], 0)[0]:  # its end: the supervisor was killed, and removes nothing
                remove_socket(Path(shares.app_socket))

    def _collect(self, number: int) -> int:
        own = self._listening[number]
        _close_all_but(own, [*self._listening, [self._inner]])
        app = create_app(
            replace(self._settings, role="collect"), shares=replace(self._shares, slot=number), logs_password=False
        )

        def greet(_parts: Parts, _sockets: Sequence[socket.socket]) -> None:
            self._collectors[number].served[0] = 1

        return run_server(app, app, self._settings, greet, list(own), Life(lifeline=self._lifeline))

    def _stop(self, status: int) -> int:
        """End all in order."""
        self._shares.stop()
        _close_all_but((), self._listening)
        _end(self._collectors, STOP_S + self._settings.drain_s)
        _end([self._answering], STOP_S)
        return status


def _make_keys(settings: Settings) -> Keys:
    """Return the keys, and have those of all sites made: children at once would each make their own."""
    try:
        keys = open_keys(settings)
        complete_sites(settings, keys)
    except OSError as error:
        raise SettingsError([f"FOOTFALL_DATA_DIR: {settings.data_dir} cannot be used: {error}"]) from error
    return keys


def _end(children: Sequence[_Child], patience_s: float) -> None:
    """Ask children to stop and wait for them; kill those that take too long."""
    for child in children:
        if child.pid:
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGTERM)
    deadline = time.monotonic() + patience_s
    for child in children:
        while child.pid:
            with suppress(ChildProcessError):
                if os.waitpid(child.pid, os.WNOHANG)[0] == 0:
                    if time.monotonic() > deadline:
                        os.kill(child.pid, signal.SIGKILL)
                    time.sleep(0.01)
                    continue
            child.pid = 0


def _listen(settings: Settings, processes: int) -> list[list[socket.socket]]:
    """Return listening sockets for each collector. Errors: SettingsError."""
    try:
        return listen(settings.host, settings.port, BACKLOG, processes)
    except OSError as error:
        raise cannot_listen(settings, error) from error


def _close_all_but(kept: Sequence[socket.socket], groups: Sequence[Sequence[socket.socket]]) -> None:
    for each in chain.from_iterable(groups):
        if each not in kept:
            each.close()
