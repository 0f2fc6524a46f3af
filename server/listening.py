"""Sockets that outlive a process: taken over from a service manager, and handed on to the process's own next life.

While nobody accepts, connections wait in the socket's backlog instead of being refused; so a restart fails no request.
The way to hand sockets on is systemd's (https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html):
descriptors from 3 on, LISTEN_FDS tells how many, LISTEN_PID for which process. They are no settings: no person writes
them. Called by serving and supervising.
"""

import errno
import os
import socket
import sys
from collections.abc import Sequence
from itertools import chain

FIRST_DESCRIPTOR = 3
_COUNT, _PROCESS, _NAMES = "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"


def listen(host: str, port: int, backlog: int, processes: int = 1) -> list[list[socket.socket]]:
    """Return for each process the sockets that listen on all addresses of a host. Errors: OSError, when one is taken.

    Shape:  an address that this machine does not have is left out where it has another of them: `localhost` is two.
    """
    found: list[list[socket.socket]] = []
    missing: OSError | None = None
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, address in dict.fromkeys((family, address) for family, _, _, _, address in addresses):
        try:
            found.append(_bind_for(processes, family, address, backlog))
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                for each in chain.from_iterable(found):
                    each.close()
                raise
            missing = error
    if not found:
        raise missing or OSError(f"{host} has no address")
    return [list(each) for each in zip(*found, strict=True)]


def _bind_for(processes: int, family: int, address: tuple[object, ...], backlog: int) -> list[socket.socket]:
    """Return a socket for each process. Where the kernel does not share out (not Linux), all accept from one."""
    if processes == 1 or not sys.platform.startswith("linux"):
        return [_bind(family, address, backlog)] * processes
    _check_free(family, address)
    first = _bind(family, address, backlog, is_shared=True)
    return [first, *(_bind(family, first.getsockname(), backlog, is_shared=True) for _ in range(processes - 1))]


def _bind(family: int, address: tuple[object, ...], backlog: int, *, is_shared: bool = False) -> socket.socket:
    """Return a socket that listens; one of IPv6 leaves IPv4 to another. Errors: OSError.

    Shape:  is_shared lets others of this user listen beside it.
    """
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(address)
        listening.listen(backlog)
    except OSError:
        listening.close()
        raise
    return listening


def _check_free(family: int, address: tuple[object, ...]) -> None:
    """Refuse an address where somebody listens: one of this user's would share it in silence. Errors: OSError.

    Shape:  nothing listens for this, so no connection is taken; two that ask at the same moment both find it free.
    """
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the connections of who was there are no matter
        probe.bind(address)


def take_over() -> list[socket.socket] | None:
    """Return the listening sockets that this process was started with, None when it was with none.

    Shape:  the variables are removed: they are for this process alone.
    """
    count, process = os.environ.pop(_COUNT, ""), os.environ.pop(_PROCESS, "")
    os.environ.pop(_NAMES, None)
    if not count.isdecimal() or process != str(os.getpid()) or int(count) < 1:
        return None
    found = []
    for descriptor in range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + int(count)):
        os.set_inheritable(descriptor, False)
        found.append(socket.socket(fileno=descriptor))
    return found


def keep(descriptors: Sequence[int]) -> list[int]:
    """Return copies of descriptors, which stay open when their owner closes them."""
    return [os.dup(each) for each in descriptors]


def live_again(kept: Sequence[int]) -> None:
    """Replace this process by a new one of the same command line, with these sockets; does not return. Errors: OSError.

    It has the same process id, so that a service manager or container sees no restart, and the code and settings file
    that are on disk now.
    """
    # out of the way first: a copy must not overwrite one that is still to be moved
    high = [os.dup(each) for each in kept]
    while any(each < FIRST_DESCRIPTOR + len(kept) for each in high):
        high = [os.dup(each) for each in high]
    for place, descriptor in enumerate(high, FIRST_DESCRIPTOR):
        os.dup2(descriptor, place, inheritable=True)
    sys.stdout.flush()
    environment = {**os.environ, _COUNT: str(len(kept)), _PROCESS: str(os.getpid())}
    os.execve(sys.executable, sys.orig_argv, environment)  # noqa: S606 - this very program again
