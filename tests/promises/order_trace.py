"""Reads strace's account of a server and tells which answers left before the sync that covers their events.

What is durable is told from the calls alone: the pages that a commit writes into the queue's log hold the events as
text, the header of a transaction's last frame says that it is the last (https://sqlite.org/fileformat2.html#walformat),
and a sync covers what was written whole before it began. Nothing is asked of the server.
"""

import ast
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CALLS = "read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,pwrite64,pwritev,fsync,fdatasync"
LOG = "queue.sqlite-wal"
EVENT_ID = re.compile(r"order-\d+-end")
PAGE_BYTES = 4096
FRAME_HEADER_BYTES = 24
END_TIMEOUT_S = 30.0
SYNCS = {"fsync", "fdatasync"}
READS = {"read", "readv", "recvfrom", "recvmsg"}
_BEGUN = re.compile(r"^(\d+) +(\w+)\(\d+<([^>]*)>(.*)$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. \w+ resumed>(.*)$")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')


def strace_of(trace: Path) -> tuple[str, ...]:
    """Return the command in front of a server's that has its calls written into a file.

    Shape:  the traced process takes the place of the command, so that signals reach it.
    """
    return ("strace", "-D", "-f", "--seccomp-bpf", "-y", f"-s{PAGE_BYTES}", f"-etrace={CALLS}", "-o", str(trace))


def why_no_strace(folder: Path) -> str | None:
    """Return why nothing can be traced here, None when it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    trace = folder / "try"
    tried = subprocess.run([*strace_of(trace), "true"], capture_output=True, check=False)
    if tried.returncode or not wait_for_end(trace):
        return f"nothing can be traced here: {tried.stderr.decode(errors='replace').strip()[-200:]}"
    return None


def wait_for_end(trace: Path) -> bool:
    """Return whether the account of the whole process is there, within seconds: strace outlives what it traces."""
    end = time.monotonic() + END_TIMEOUT_S
    while time.monotonic() < end:
        if trace.exists() and b"+++ exited" in trace.read_bytes()[-200:]:
            return True
        time.sleep(0.05)
    return False


@dataclass(slots=True)
class Findings:
    """What the account says. Shape: early are ids whose answer 200 left before they were durable."""

    answers: int = 0
    syncs: int = 0
    early: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Call:
    """The begin of a system call, its end, or both where nothing came between. Shape: rest stands behind the file."""

    process: str
    name: str
    file: str
    rest: str
    is_begin: bool
    is_end: bool

    def text(self) -> str:
        """Return what was read or written, as strace escapes it."""
        found = _TEXT.search(self.rest)
        return found.group(1) if found else ""


def examine(trace: Path) -> Findings:
    """Return what a finished account says."""
    reader = _Reader()
    with trace.open(encoding="utf-8", errors="replace") as lines:
        for call in _calls(lines):
            reader.take(call)
    return reader.findings


def _calls(lines: Iterator[str]) -> Iterator[_Call]:
    """Yield begins and ends of calls in their order."""
    begun: dict[str, _Call] = {}
    for line in lines:
        if found := _BEGUN.match(line):
            process, name, file, rest = found.groups()
            is_whole = not rest.endswith("<unfinished ...>")
            call = _Call(process, name, file, rest, is_begin=True, is_end=is_whole)
            if not is_whole:
                begun[process] = call
            yield call
        elif (found := _RESUMED.match(line)) and found.group(1) in begun:
            call = begun.pop(found.group(1))
            yield _Call(call.process, call.name, call.file, call.rest + found.group(2), is_begin=False, is_end=True)


class _Reader:
    """Follows each event: written, committed, synced; and each connection: asked, answered."""

    def __init__(self) -> None:
        self.findings = Findings()
        self._asked: dict[str, set[str]] = {}
        self._written: set[str] = set()
        self._committed: list[str] = []
        self._is_last_frame = False
        self._covered: dict[str, int] = {}
        self._settled = 0
        self._durable: set[str] = set()

    def take(self, call: _Call) -> None:
        """Take the next call in."""
        if call.file.startswith("socket:"):
            if call.name in READS and call.is_end:
                if ids := set(EVENT_ID.findall(call.text())):
                    self._asked[call.file] = ids
            elif call.name not in READS and call.is_begin and call.text().startswith("HTTP/1.1 200"):
                ids = self._asked.pop(call.file, set())
                self.findings.answers += bool(ids)
                self.findings.early += ids - self._durable
        elif call.file.endswith(LOG):
            if call.name in SYNCS:
                self._sync(call)
            elif call.is_end:
                self._write(call.text())

    def _write(self, text: str) -> None:
        """Take a write into the log in: a frame's header, or its page."""
        content = ast.literal_eval(f'b"{text}"')
        if len(content) == FRAME_HEADER_BYTES:
            self._is_last_frame = content[4:8] != bytes(4)
            return
        self._written.update(EVENT_ID.findall(text))
        if self._is_last_frame:
            self._committed += self._written
            self._written.clear()

    def _sync(self, call: _Call) -> None:
        if call.is_begin:
            self._covered[call.process] = len(self._committed)
        if call.is_end and call.rest.rstrip().endswith("= 0"):
            covered = self._covered[call.process]
            self._durable.update(self._committed[self._settled : covered])
            self._settled = max(self._settled, covered)
            self.findings.syncs += 1
