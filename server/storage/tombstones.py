"""What stays of an erased visitor or user: a digest, so that late events and old backups do not bring them back.

File `erased.jsonl` in the data folder, one JSON object a line, only ever appended to, each line on disk before the
erasure begins: {"salt", "site", "kind", "digest", "erased_at"}; kind is `visitor` or `user`, erased_at milliseconds.
The digest is SHA-256 of "salt/site/kind/id": the id itself is nowhere in it. A folder has one salt, made with the
first line; after a restore the lines of another folder, with its salt, may be among them.
What was born until erased_at is gone and stays gone; what the same id does afterwards is new.

A visitor who was several people's in turn is erased for the time in which it was one's: {"since", "until"},
milliseconds, inclusive and exclusive, each left out where there is no such bound. Such a tombstone is of those events
alone that name nobody else.
"""

import hashlib
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson

from server.storage.migrations import sync_path

FILE_NAME = "erased.jsonl"
SALT_BYTES = 16
MERGE = "$user_merged"

Kind = Literal["visitor", "user"]


class ErasedId(NamedTuple):
    """An id that is to be erased. Units: since_ms (inclusive) and until_ms (exclusive) are milliseconds, UTC."""

    kind: Kind
    id: str
    since_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """One erased id. Units: erased_at, since and until are milliseconds since the epoch, UTC; None is no bound."""

    salt: str
    site: str
    kind: str
    digest: str
    erased_at: int
    since: int | None = None
    until: int | None = None

    def covers(self, time_ms: int) -> bool:
        """Return whether what happened at a moment is gone."""
        is_after = self.until is not None and time_ms >= self.until
        is_before = self.since is not None and time_ms < self.since
        return time_ms <= self.erased_at and not is_before and not is_after

    def is_bounded(self) -> bool:
        """Return whether others have the same id at other times."""
        return self.since is not None or self.until is not None

    def encode(self) -> bytes:
        """Return the line that is kept, without bounds that there are not."""
        return orjson.dumps({name: value for name, value in asdict(self).items() if value is not None})


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


def add_tombstones(path: Path, site: str, ids: Sequence[tuple[Kind, str] | ErasedId], now_ms: int) -> list[Tombstone]:
    """Return the tombstones of these ids, once they are on disk. Errors: OSError."""
    known = read_tombstones(path)
    salt = known[-1].salt if known else secrets.token_hex(SALT_BYTES)
    made = [
        Tombstone(
            salt=salt,
            site=site,
            kind=each.kind,
            digest=digest_of(salt, site, each.kind, each.id),
            erased_at=now_ms,
            since=each.since_ms,
            until=each.until_ms,
        )
        for each in (ErasedId(*known_id) for known_id in ids)
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
        file.write(b"".join(b"\n" + each.encode() for each in tombstones) + b"\n")
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
        self._stones: dict[tuple[str, str, str, str], list[Tombstone]] = {}
        for each in tombstones:
            self._stones.setdefault((each.site, each.kind, each.salt, each.digest), []).append(each)
        self._salts = {salt for _, _, salt, _ in self._stones}
        self._known: dict[tuple[str, str, str], list[Tombstone]] = {}

    def covers(self, site: str, subjects: Iterable[tuple[str, str]], time_ms: int) -> bool:
        """Return whether an event at this time is gone with one of its subjects (`subjects_of`)."""
        named = list(subjects)
        return any(
            each.covers(time_ms) and (len(named) == 1 or not each.is_bounded())
            for kind, value in named
            for each in self._of(site, kind, value)
        )

    def _of(self, site: str, kind: str, value: str) -> list[Tombstone]:
        key = (site, kind, value)
        if key not in self._known:
            self._known[key] = [
                each
                for salt in self._salts
                for each in self._stones.get((site, kind, salt, digest_of(salt, site, kind, value)), ())
            ]
        return self._known[key]
