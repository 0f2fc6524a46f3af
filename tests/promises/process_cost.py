"""What a process has taken from the machine, as the kernel counts it."""

import re
from pathlib import Path

from tests.real_server import RealServer


def processor_s(server: RealServer) -> float:
    """Return the processor time of all threads that live. Units: seconds, in nanosecond steps."""
    tasks = Path(f"/proc/{server.process.pid}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9


def memory_bytes(server: RealServer, field: str = "VmRSS") -> int:
    """Return the resident memory: now (`VmRSS`) or the most until now (`VmHWM`)."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise LookupError(f"there is no {field}")
    return int(found.group(1)) * 1024
