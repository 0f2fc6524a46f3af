"""`footfall export`: asks the running server, because the store's file has one owner; without one opens the file.

The output file gets its name when it is whole and on disk: an export that fails leaves what was there.
"""

import os
import sqlite3
import stat
import sys
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import duckdb

from server.asking import ask_server, folder_without_server, no_answer, read_answer
from server.errors import BadRequest, FootfallError, Unavailable
from server.events.wire import read_instant
from server.identity.people_file import PEOPLE_FILE
from server.ingest.owed import Owed
from server.ingest.people import People
from server.ingest.queue import Queue
from server.ingest.queue_file import QUEUE_FILE
from server.ingest.telling import Followers
from server.outgoing.outbox import Outbox
from server.outgoing.outbox_file import OUTBOX_FILE
from server.reports.events import write_events
from server.reports.filters import Filter
from server.restoring import finish_restore, is_restore_begun
from server.settings import Settings
from server.storage.duckdb import DuckDBStore
from server.storage.duckdb_file import STORE_FILE
from server.storage.migrations import SchemaError, sync_path
from server.web.backup import operator_token
from server.web.events import csv_lines, json_lines
from server.web.keys import read_cookie_key, read_secret_key, site_keys

TIMEOUT_S = 3600  # a Parquet file is whole before its first byte is sent
CHUNK_BYTES = 256 * 1024


def export(settings: Settings, file_format: str, output: Path | None, filters: Mapping[str, str]) -> int:
    """Write all events that match, return the exit status. Errors: FootfallError, SettingsError."""
    if file_format == "parquet" and output is None:
        raise BadRequest("no_file", "Parquet is binary.", "Name a file: --output events.parquet")
    wanted = _read_filter(filters)
    answer = _ask(settings, file_format, filters)
    if answer is None:
        _export_file(settings, file_format, output, wanted)
        return 0
    with answer, _writing(output) as path, _open(path) as target:
        while chunk := read_answer(answer, CHUNK_BYTES):
            target.write(chunk)
    return 0


def _ask(settings: Settings, file_format: str, filters: Mapping[str, str]) -> HTTPResponse | None:
    """Return the answer of the server that runs with these settings, None when none does."""
    if "site" in filters and filters["site"] not in (known := site_keys(settings)):
        raise BadRequest("unknown_site", f"There is no site {filters['site']!r}; there are: {', '.join(known)}.")
    try:
        # without a site all of them, as without a server; no site's own key sees the others
        site = filters.get("site")
        key = read_secret_key(settings, site) if site else operator_token(read_cookie_key(settings))
    except BadRequest:
        if (settings.data_dir / STORE_FILE).exists():  # a server whose key is in its environment alone
            return None
        raise
    query = urllib.parse.urlencode({**filters, "format": file_format})
    return ask_server(settings, f"/api/export?{query}", key, TIMEOUT_S)


def _export_file(settings: Settings, file_format: str, output: Path | None, wanted: Filter) -> None:
    path = settings.data_dir / STORE_FILE
    if not path.exists() and not is_restore_begun(settings.data_dir):
        raise BadRequest("no_store", f"There is no store in {settings.data_dir}.", "Name the folder: --data-dir")
    with folder_without_server(settings):
        try:
            finish_restore(settings.data_dir)
            store = DuckDBStore(path)
        except (OSError, duckdb.Error, SchemaError) as error:
            raise FootfallError("no_store", f"{path} cannot be opened: {error}", "See `footfall doctor`.") from error
        try:
            _erase_owed(settings.data_dir, store)
            with _writing(output) as target:
                _write(store, file_format, target, wanted)
        except Unavailable as error:  # by a program that does not hold the folder's lock
            raise no_answer(settings) from error
        finally:
            store.close()


def _erase_owed(data_dir: Path, store: DuckDBStore) -> None:
    """Remove who was erased in this folder before an older backup was restored. Errors: FootfallError, Unavailable."""
    owed = Owed(data_dir, store)
    if not owed.is_due():
        return
    try:
        with ExitStack() as opened:
            queue = Queue(data_dir / QUEUE_FILE)
            opened.callback(queue.close)
            outbox = Outbox(data_dir / OUTBOX_FILE)
            opened.callback(outbox.close)
            people = People(data_dir / PEOPLE_FILE, queue.put)
            opened.callback(people.close)
            owed.pay(queue, Followers(people=people, outbox=outbox))
    except (OSError, duckdb.Error, sqlite3.Error, SchemaError) as error:
        message = f"Who was erased cannot be removed from {data_dir}, which is first: {error}"
        raise FootfallError("not_erased", message, "See `footfall doctor`.") from error


def _write(store: DuckDBStore, file_format: str, path: Path | None, wanted: Filter) -> None:
    if file_format == "parquet" and path is not None:
        write_events(store, wanted, path)
        return
    lines = csv_lines(store, wanted) if file_format == "csv" else json_lines(store, wanted)
    with _open(path) as target:
        target.writelines(lines)


def _read_filter(filters: Mapping[str, str]) -> Filter:
    return Filter(
        site=filters.get("site"),
        name=filters.get("name"),
        since_ms=_instant(filters.get("since")),
        until_ms=_instant(filters.get("until")),
    )


def _instant(text: str | None) -> int | None:
    if text is None:
        return None
    found = read_instant(text)
    if found is None:
        raise BadRequest("bad_time", f"{text!r} is no instant.", "Use RFC 3339, for example 2026-11-23T14:00:00Z.")
    return found


@contextmanager
def _writing(output: Path | None) -> Iterator[Path | None]:
    """Yield where to write; the file gets its name when all is written and on disk, else none of it remains.

    Shape:  None is standard output, which is written as it is, and so is what is no file, such as a pipe.
    Errors: FootfallError where it cannot be written.
    """
    target = output.resolve() if output is not None else None  # a link stays a link
    try:
        if target is None or (target.exists() and not target.is_file()):
            yield target
            return
        # of each its own: the next may begin before this one ends
        partial = target.with_name(f"{target.name}.{uuid4().hex[:8]}.partial")
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
        try:
            partial.touch()
            if mode is not None:  # whoever could not read the old one shall not read the new one
                partial.chmod(mode)
            yield partial
            if mode is not None:  # the engine makes a file of its own
                partial.chmod(mode)
            sync_path(partial)
            partial.replace(target)
            sync_path(target.parent)
        finally:
            partial.unlink(missing_ok=True)
    except (OSError, duckdb.IOException) as error:
        if output is None:
            raise FootfallError("cannot_write", f"Standard output cannot be written: {error}.") from error
        hint = "Name a file in a folder that can be written and has room; what was there is as it was."
        raise FootfallError("cannot_write", f"{output} cannot be written: {error}.", hint) from error


def _open(path: Path | None) -> BinaryIO:
    return path.open("wb") if path is not None else os.fdopen(sys.stdout.fileno(), "wb", closefd=False)
