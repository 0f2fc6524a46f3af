"""Which process shows a page: the one that works when the page does. All descend from a driver that we started."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.remote.webdriver import WebDriver

QUIET_TICKS = 30  # in a second or in the work; a tick is mostly a hundredth of a second
PATIENCE_S = 20.0


def wait_until_quiet(driver_pid: int) -> None:
    """Return when no process below the driver's browser works much: one that has just started has work of its own.

    Errors: TimeoutError after PATIENCE_S seconds.
    """
    end = time.monotonic() + PATIENCE_S
    while _busiest(driver_pid, lambda: time.sleep(1))[1] > QUIET_TICKS:
        if time.monotonic() > end:
            raise TimeoutError("the browser does not come to rest")


def kill_worker(driver_pid: int, work: Callable[[], object]) -> None:
    """End with SIGKILL the process that is busiest while `work` runs, of those below the driver's browser.

    Errors: RuntimeError when none of them works.
    """
    pid, ticks = _busiest(driver_pid, work)
    if ticks <= QUIET_TICKS:
        raise RuntimeError("no process of the browser worked for the page")
    os.kill(pid, signal.SIGKILL)


def keep_alive(driver: WebDriver) -> None:
    """Let Firefox live on when one page's process dies, which its driver forbids by this variable."""
    if isinstance(driver, webdriver.Firefox):
        with driver.context(driver.CONTEXT_CHROME):
            driver.execute_script("""
                const { ctypes } = ChromeUtils.importESModule("resource://gre/modules/ctypes.sys.mjs");
                const libc = ctypes.open("libc.so.6");
                const unsetenv = libc.declare("unsetenv", ctypes.default_abi, ctypes.int, ctypes.char.ptr);
                unsetenv("MOZ_CRASHREPORTER_SHUTDOWN");
                libc.close();
            """)


def _busiest(driver_pid: int, work: Callable[[], object]) -> tuple[int, int]:
    """Return the process that takes most processor time during `work`, and how much."""
    before = _ticks(driver_pid)
    work()
    spent = {pid: ticks - before.get(pid, 0) for pid, ticks in _ticks(driver_pid).items()}
    return max(spent.items(), key=lambda each: each[1], default=(0, 0))


def _ticks(driver_pid: int) -> dict[int, int]:
    """Return the processor time of each process below the browser, which is the driver's child, in kernel ticks."""
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        pid = int(stat.parent.name)
        parents[pid], used[pid] = int(fields[1]), int(fields[11]) + int(fields[12])
    browsers = {pid for pid, parent in parents.items() if parent == driver_pid}
    found = set(browsers)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return {pid: used[pid] for pid in found - browsers}
