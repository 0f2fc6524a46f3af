"""What stays of an erased visitor or user: a digest, so that late events and old backups do not bring them back.

File `erased.jsonl` in the data folder, one JSON object a line, only ever appended to, each line on disk before the
erasure begins: {"salt", "site", "kind", "digest", "erased_at"}; kind is `visitor` or `user`, erased_at milliseconds.
The digest is SHA-256 of "salt/site/kind/id": the id itself is nowhere in it. A folder has one salt, made with the
first line; after a restore the lines of another folder, with its salt, may be among them.
What was born until erased_at is gone and stays gone; what the same id does afterwards is new.
"""

import hashlib
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from server.storage.migrations import sync_path

FILE_NAME = "erased.jsonl"
SALT_BYTES = 16
MERGE = "$user_merged"
NEVER = -(2**63)

Kind = Literal["visitor", "user"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """One erased id. Units: erased_at is milliseconds since the epoch, UTC."""

    salt: str
    site: str
    kind: str
    digest: str
    erased_at: int

    def covers(self, time_ms: int) -> bool:
        """Return whether what happened at a moment is gone."""
        return time_ms <= self.erased_at

    def is_of(self, site: str, kind: Kind, value: str) -> bool:
        """Return whether this is the tombstone of an id."""
        return (self.site, self.kind) == (site, kind) and self.digest == digest_of(self.salt, site, kind, value)


def digest_of(salt: str, site: str, kind: str, value: str) -> str:
    """Return the digest by which an erased id is known."""
    digest = digest_start(salt, site, kind)
    digest.update(value.encode())
    return digest.hexdigest()


def digest_start(salt: str, site: str, kind: str) -> "hashlib._Hash":
    """Return the beginning of such a digest; the id is still to be added."""
    return hashlib.sha256(f"{salt}/{site}/{kind}/".encode())


def read_tombstones(path: Path) -> list[Tombstone]:
    """Return all tombstones of a file, none when there is no file. A line that was cut off by a crash is none."""
    found = []
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            found.append(Tombstone(**orjson.loads(line)))
        except (orjson.JSONDecodeError, TypeError):
            continue
    return found


def add_tombstones(path: Path, site: str, ids: Sequence[tuple[Kind, str]], now_ms: int) -> list[Tombstone]:
    """Return the tombstones of these ids, once they are on disk. Errors: OSError."""
    known = read_tombstones(path)
    salt = known[-1].salt if known else secrets.token_hex(SALT_BYTES)
    made = [
        Tombstone(salt=salt, site=site, kind=kind, digest=digest_of(salt, site, kind, value), erased_at=now_ms)
        for kind, value in ids
    ]
    _append(path, made)
    return made


def merge_tombstones(path: Path, others: Iterable[Tombstone]) -> None:
    """Add those that the file does not have. Errors: OSError."""
    known = set(read_tombstones(path))
    _append(path, [each for each in dict.fromkeys(others) if each not in known])


def _append(path: Path, tombstones: Sequence[Tombstone]) -> None:
    if not tombstones:
        return
    is_new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        # a line that a crash cut off must not swallow the next
        file.write(b"".join(b"\n" + orjson.dumps(asdict(each)) for each in tombstones) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        sync_path(path.parent)


def subjects_of(event: Mapping[str, Any]) -> list[tuple[Kind, str]]:
    """Return whom a stored event is about: erased with any of them.

    Shape:  its visitor and its user; of a `$user_merged` also both of those who were merged, who may stand in its
            properties alone. The store's own condition says the same in SQL.
    """
    found: list[tuple[Kind, str]] = []
    if event.get("visitor_id") is not None:
        found.append(("visitor", event["visitor_id"]))
    if event.get("user_id") is not None:
        found.append(("user", event["user_id"]))
    if event["name"] == MERGE:
        props = event.get("props") or {}
        found += [
            ("visitor" if props.get(f"{name}_kind") == "visitor" else "user", value)
            for name in ("$from", "$to")
            if isinstance(value := props.get(name), str)
        ]
    return found


class Erased:
    """Says whether somebody was erased at a moment. Shape: made of tombstones; ids that were looked for are kept."""

    def __init__(self, tombstones: Iterable[Tombstone]) -> None:
        self._until = {(each.site, each.kind, each.salt, each.digest): each.erased_at for each in tombstones}
        self._salts = {salt for _, _, salt, _ in self._until}
        self._known: dict[tuple[str, str, str], int] = {}

    def covers(self, site: str, subjects: Iterable[tuple[str, str]], time_ms: int) -> bool:
        """Return whether an event at this time is gone with one of its subjects."""
        return any(self._erased_at(site, kind, value) >= time_ms for kind, value in subjects)

    def _erased_at(self, site: str, kind: str, value: str) -> int:
        key = (site, kind, value)
        if key not in self._known:
            found = (
                self._until.get((site, kind, salt, digest_of(salt, site, kind, value)), NEVER) for salt in self._salts
            )
            self._known[key] = max(found, default=NEVER)
        return self._known[key]
