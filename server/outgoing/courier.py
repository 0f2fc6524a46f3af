"""Carries one webhook at a time to one target, over a connection that is pinned to checked addresses.

Nothing of the target is trusted: no redirect is followed, no proxy of the environment is used, an answer's body is read
up to MAX_ANSWER_BYTES and thrown away, and the whole exchange ends with EXCHANGE_TIMEOUT_S, however slowly its bytes
come. A connection is used again while a line is worked through: what it is connected to has been checked.
"""

import contextlib
import functools
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse

from server import __version__
from server.clock import Clock
from server.outgoing.cloud_event import CONTENT_TYPE
from server.outgoing.schedule import read_retry_after
from server.outgoing.settling import Outcome
from server.outgoing.target import BadTarget, Guard, Target, read_target

CONNECT_TIMEOUT_S = 5.0
EXCHANGE_TIMEOUT_S = 15.0
MAX_ANSWER_BYTES = 64 * 1024
MAX_INTERIM = 20
USER_AGENT = f"Footfall/{__version__}"


class Courier:
    """Owns at most one connection. For one thread; `abort` may come from another.

    Shape:  tls is the context that targets' certificates are checked with, None for the system's authorities.
    """

    def __init__(self, guard: Guard, clock: Clock, tls: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        self._clock = clock
        self._tls = tls
        self._connection: _Pinned | None = None
        self._is_aborted = False

    def carry(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Return what one attempt came to; never raises for what a target or a network does."""
        try:
            target = read_target(url)
            if self._connection is not None and self._connection.target != target:
                self.close()
            if self._connection is not None:
                try:
                    return self._exchange(self._connection, headers, body)
                except (ConnectionError, ssl.SSLError, HTTPException):  # closed while it was idle: nobody's fault
                    self.close()
            return self._exchange(self._open(target), headers, body)
        except BadTarget as error:
            return Outcome(error=error.message)
        except TimeoutError:
            self.close()
            return Outcome(error="no answer in time")
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            return Outcome(error=_told(error))

    def abort(self) -> None:
        """End what is under way, so that a stop waits for no target."""
        self._is_aborted = True
        if (connection := self._connection) is not None:
            connection.cut()

    @property
    def is_aborted(self) -> bool:
        """Return whether an attempt may have failed by our own doing."""
        return self._is_aborted

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self, target: Target) -> "_Pinned":
        """Return a connection that is yet to be made. Errors: BadTarget."""
        tls = (self._tls or _system_tls()) if target.is_tls else None
        self._connection = _Pinned(target, self._guard.pin(target), tls)
        return self._connection

    def _exchange(self, connection: "_Pinned", headers: Mapping[str, str], body: bytes) -> Outcome:
        """Send a webhook and read the answer. Errors: OSError, HTTPException; TimeoutError when its time is over."""
        timer = threading.Timer(EXCHANGE_TIMEOUT_S, connection.cut_late)
        timer.daemon = True
        timer.start()
        try:
            if self._is_aborted:
                raise ConnectionAbortedError("stopping")
            all_headers = {**headers, "content-type": CONTENT_TYPE, "user-agent": USER_AGENT, "accept": "*/*"}
            answer = connection.ask(all_headers, body)
            outcome = self._read(answer)
            is_spent = answer.will_close or not answer.isclosed()  # more than is read is left in it
        except (OSError, HTTPException, ValueError) as error:
            if connection.is_late:
                raise TimeoutError from error
            raise
        finally:
            timer.cancel()
        if connection.is_late:  # an answer that was cut off looks like one that has ended
            raise TimeoutError
        if is_spent:
            self.close()
        return outcome

    def _read(self, answer: HTTPResponse) -> Outcome:
        answer.read(MAX_ANSWER_BYTES)  # so that the connection can be used again
        if 200 <= answer.status < 300:  # noqa: PLR2004 - RFC 9110: successful
            return Outcome(status=answer.status)
        wait_s = read_retry_after(answer.getheader("retry-after"), self._clock())
        return Outcome(status=answer.status, error=f"the target answered {answer.status}", retry_after_s=wait_s)


class _Answer(HTTPResponse):
    """An answer that passes over interim ones. The library's own knows only 100 of them, and takes 103 for the last."""

    def begin(self) -> None:
        """Read the head of the first that is not interim, of at most MAX_INTERIM. Errors: OSError, HTTPException."""
        for _ in range(MAX_INTERIM):
            self.headers = None  # type: ignore[assignment]  # what tells the library that there is a head to read
            super().begin()
            if self.status >= HTTPStatus.OK:
                return
            if self.status == HTTPStatus.SWITCHING_PROTOCOLS:
                break
        self.will_close = True  # nobody knows what follows


class _Pinned(HTTPConnection):
    """An HTTP connection to addresses that were resolved before; the target's name goes into Host and TLS."""

    response_class = _Answer

    def __init__(self, target: Target, addresses: Sequence[str], tls: ssl.SSLContext | None) -> None:
        super().__init__(target.host, target.port)
        self.default_port = 443 if target.is_tls else 80  # what Host leaves out
        self.target = target
        self.is_late = False
        self._is_cut = False
        self._addresses = addresses
        self._context = tls

    def connect(self) -> None:
        """Connect to the first of the addresses that takes it; to none once it was cut. Errors: OSError."""
        for address in self._addresses[:-1]:
            try:
                return self._connect_to(address)
            except OSError:
                self.close()
                if self._is_cut:
                    raise
        return self._connect_to(self._addresses[-1])

    def ask(self, headers: Mapping[str, str], body: bytes) -> HTTPResponse:
        """Send a webhook and return the answer, its body yet to be read. Errors: OSError, HTTPException.

        Who refuses a large one may answer before all of it has come, and close: it cannot be sent, and is answered.
        """
        try:
            self.request("POST", self.target.path, body, headers)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError) as error:
            if self.sock is None:
                raise
            try:
                answer = self.getresponse()
            except (OSError, HTTPException):
                raise error from None  # there is no answer
            answer.will_close = True  # half a request is on its way: no other can follow
            answer.close()  # its body may have been lost with the connection, and nobody needs it
            return answer
        return self.getresponse()

    def cut(self) -> None:
        """End it from another thread: whoever waits for its bytes learns so at once, who connects soon."""
        self._is_cut = True  # first: a socket that is assigned after this is not seen here
        if (sock := self.sock) is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # below TLS, whose own would touch the reader's state

    def cut_late(self) -> None:
        """End it because its time is over."""
        self.is_late = True
        self.cut()

    def _connect_to(self, address: str) -> None:
        sock = self.sock = socket.create_connection((address, self.port), CONNECT_TIMEOUT_S)
        self._check_uncut()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            # the handshake comes after the assignment, so that a slow one can be cut
            name = self.target.host
            tls = self._context.wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
            self.sock = tls
            self._check_uncut()
            tls.do_handshake()
        self.sock.settimeout(EXCHANGE_TIMEOUT_S)

    def _check_uncut(self) -> None:
        """Raise when it was cut while there was no socket to shut down. Errors: OSError."""
        if self._is_cut:
            raise ConnectionAbortedError("cut while connecting")


@functools.cache
def _system_tls() -> ssl.SSLContext:
    """Return the context of the system's authorities; reading them takes longer than a request."""
    return ssl.create_default_context()


def _told(error: Exception) -> str:
    """Return an error in words that hold nothing of what a target has sent."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
