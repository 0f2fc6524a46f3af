"""Real server processes on loopback: started, asked, killed. Used by the promise tests, the e2e tests and the bench."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPException
from pathlib import Path
from typing import Any

SERVE = ("-m", "server", "serve")
ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 30.0
REQUEST_TIMEOUT_S = 10.0
_POLL_S = 0.01
_GREETING = re.compile(r"listens on (http://\S+:(\d+))")
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a developer's proxy knows no loopback


@dataclass(frozen=True)
class RealServer:
    """One running process. Shape: log_file holds both of its outputs."""

    process: subprocess.Popen[bytes]
    base_url: str
    port: int
    data_dir: Path
    log_file: Path

    @cached_property
    def secret_key(self) -> str:
        """Return the secret key of the site `default`."""
        return (self.data_dir / "keys" / "secret_key").read_text(encoding="ascii").strip()

    def is_running(self) -> bool:
        """Return whether the process lives."""
        return self.process.poll() is None

    def kill(self) -> None:
        """End it as a crash would: SIGKILL, nothing is told, nothing is written."""
        self.process.kill()
        self.process.wait()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Ask it to end and return its exit status; a process that does not listen is killed and an error."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def get(self, path: str) -> "Reply":
        """Return the answer to a request with the secret key, whatever its status."""
        return fetch(f"{self.base_url}{path}", headers={"authorization": f"Bearer {self.secret_key}"})

    def post(self, path: str, body: Any) -> "Reply":
        """Return the answer to a JSON body sent with the secret key, whatever its status."""
        headers = {"authorization": f"Bearer {self.secret_key}", "content-type": "application/json"}
        return fetch(f"{self.base_url}{path}", headers=headers, body=json.dumps(body).encode())

    def metric(self, name: str) -> float:
        """Return a number of /metrics that has no labels."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics").body.decode(), re.MULTILINE)
        if found is None:
            raise LookupError(f"/metrics has no {name}")
        return float(found.group(1))

    def wait_until_stored(self, timeout_s: float = 20.0) -> None:
        """Return once no accepted event waits for the store any more. Errors: TimeoutError."""
        end = time.monotonic() + timeout_s
        while self.metric("footfall_queue_waiting") > 0:
            if time.monotonic() > end:
                raise TimeoutError(f"events still wait for the store; the log says:\n{self.log()}")
            time.sleep(_POLL_S)

    def stored_ids(self) -> list[str]:
        """Return the ids of all stored events, as often as each is stored."""
        lines = self.get("/api/export?format=ndjson").body.splitlines()
        return [json.loads(line)["id"] for line in lines]

    def log(self) -> str:
        """Return what it has written to its outputs."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")


@dataclass(frozen=True)
class Reply:
    """An answer. Shape: header names are as they came; compare them with `header`."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body's value."""
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """Return a header's value."""
        return {key.lower(): value for key, value in self.headers.items()}.get(name.lower())


def fetch(
    url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None, method: str | None = None
) -> Reply:
    """Return the answer to a GET, to a POST where there is a body, or as `method` says; every status is an answer.

    Errors: OSError where no whole answer came, as from a server that is killed while it writes.
    """
    request = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)  # noqa: S310 - our own server
    try:
        with _DIRECT.open(request, timeout=REQUEST_TIMEOUT_S) as answer:
            return Reply(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, dict(error.headers), error.read())
    except HTTPException as error:
        raise ConnectionResetError("the answer was cut off") from error


def start_server(
    data_dir: Path,
    *,
    command: Sequence[str] = SERVE,
    environment: Mapping[str, str] | None = None,
    port: int = 0,
    wrapper: Sequence[str] = (),
    pass_fds: Sequence[int] = (),
) -> RealServer:
    """Return a server that listens.

    Shape:  command are the interpreter's arguments, wrapper a program that replaces itself by it, pass_fds what it
            inherits; environment is added to a clean one, where every FOOTFALL_ variable of the caller is left out;
            port 0 takes a free one.
    Errors: RuntimeError with the log when it ends or says nothing for START_TIMEOUT_S seconds.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    log_file = data_dir.with_name(data_dir.name + ".log")
    variables = {name: value for name, value in os.environ.items() if not name.startswith("FOOTFALL_")}
    variables |= {"FOOTFALL_DATA_DIR": str(data_dir), "FOOTFALL_PORT": str(port), **(environment or {})}
    with log_file.open("ab") as log:
        said_before = log.tell()
        arguments = [*wrapper, sys.executable, *command]
        process = subprocess.Popen(arguments, cwd=ROOT, env=variables, stdout=log, stderr=log, pass_fds=pass_fds)
    end = time.monotonic() + START_TIMEOUT_S
    while True:
        said = log_file.read_bytes()[said_before:].decode(errors="replace")
        if found := _GREETING.search(said):
            return RealServer(process, found.group(1), int(found.group(2)), data_dir, log_file)
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            process.wait()
            raise RuntimeError(f"the server did not start:\n{said}")
        time.sleep(_POLL_S)
