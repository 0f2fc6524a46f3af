"""The servers under measurement: pinned to one core, frozen while another one has its turn, read through /proc."""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.variants import VARIANTS
from tests.real_server import SERVE, RealServer, start_server

SERVER_CORE = 0
LOAD_CORE = 1
FOOTFALL = "footfall"
PASSWORD = "of the bench"  # noqa: S105 - of servers that live for minutes, on loopback
_ENVIRONMENT = {
    "FOOTFALL_ADMIN_PASSWORD": PASSWORD,
    # as behind a proxy, where most servers stand: addresses, and so places, differ
    "FOOTFALL_TRUSTED_PROXIES": "127.0.0.0/8",
}


@dataclass(frozen=True, slots=True)
class Contestant:
    """One server process."""

    name: str
    server: RealServer

    @property
    def port(self) -> int:
        """Return where it listens."""
        return self.server.port

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let it run inside the block and freeze it after that, so that it takes nothing from the others."""
        os.kill(self.server.process.pid, signal.SIGCONT)
        try:
            yield
        finally:
            os.kill(self.server.process.pid, signal.SIGSTOP)

    def cpu_s(self) -> float:
        """Return the processor time that all its threads have taken. Units: seconds, nanosecond resolution."""
        tasks = Path(f"/proc/{self.server.process.pid}/task")
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9

    def rss_bytes(self) -> int:
        """Return its resident memory."""
        fields = Path(f"/proc/{self.server.process.pid}/status").read_text().split("VmRSS:", 1)[1]
        return int(fields.split()[0]) * 1024


def start_contestant(name: str, folder: Path) -> Contestant:
    """Return a running server: Footfall itself or one of VARIANTS, with a data folder of its own."""
    command = SERVE if name == FOOTFALL else ("-m", "bench.variants", name)
    allowed = os.sched_getaffinity(0)
    pin(SERVER_CORE)  # a child inherits it, and so do all its threads
    try:
        return Contestant(name, start_server(folder / name, command=command, environment=_ENVIRONMENT))
    finally:
        os.sched_setaffinity(0, allowed)


@contextmanager
def own_folder(folder: Path) -> Iterator[Path]:
    """Give a measurement a folder of its own, which is removed afterwards, and have the load on its own core."""
    pin(LOAD_CORE)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=folder) as own:
        yield Path(own)


@contextmanager
def footfall_alone(folder: Path) -> Iterator[Contestant]:
    """Start Footfall in a folder of its own, with no other server beside it; end it afterwards."""
    with own_folder(folder) as own:
        footfall = start_contestant(FOOTFALL, own)
        try:
            yield footfall
        finally:
            footfall.server.kill()


@contextmanager
def all_contestants(folder: Path, footfall: Contestant) -> Iterator[dict[str, Contestant]]:
    """Start all variants beside a running Footfall, frozen; end them all afterwards."""
    contestants = {FOOTFALL: footfall}
    try:
        for name in VARIANTS:
            contestants[name] = start_contestant(name, folder)
        for contestant in contestants.values():
            os.kill(contestant.server.process.pid, signal.SIGSTOP)
        yield contestants
    finally:
        for contestant in contestants.values():
            contestant.server.kill()


def busy_s() -> float:
    """Return how long the server's core has been busy with anything since the machine started. Units: seconds."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{SERVER_CORE}":
            user, nice, system, _idle, _iowait, irq, softirq, steal = (int(field) for field in fields[:8])
            return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return 0.0


def pin(core: int) -> bool:
    """Bind this process to one core; return False where there is none of that number."""
    try:
        os.sched_setaffinity(0, {core})
    except OSError:
        return False
    return True
