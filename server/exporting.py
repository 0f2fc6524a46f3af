"""`footfall export`: asks the running server, because the store's file has one owner; without one opens the file."""

import shutil
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http.client import HTTPResponse
from pathlib import Path
from typing import BinaryIO

from server.errors import BadRequest, FootfallError
from server.events.wire import read_instant
from server.reports.events import write_events
from server.reports.filters import Filter
from server.settings import Settings
from server.storage.duckdb import DuckDBStore
from server.web.backup import operator_token
from server.web.events import csv_lines, json_lines
from server.web.keys import complete_sites, open_keys

TIMEOUT_S = 30
CHUNK_BYTES = 256 * 1024


def export(settings: Settings, file_format: str, output: Path | None, filters: Mapping[str, str]) -> int:
    """Write all events that match, return the exit status. Errors: BadRequest, FootfallError."""
    if file_format == "parquet" and output is None:
        raise BadRequest("no_file", "Parquet is binary.", "Name a file: --output events.parquet")
    answer = _ask_server(settings, file_format, filters)
    if answer is not None:
        with answer, _open(output) as target:
            shutil.copyfileobj(answer, target, CHUNK_BYTES)
        return 0
    _export_file(settings, file_format, output, filters)
    return 0


def _ask_server(settings: Settings, file_format: str, filters: Mapping[str, str]) -> HTTPResponse | None:
    """Return the answer of the server that runs with these settings, None when none does."""
    keys = open_keys(settings)
    sites = complete_sites(settings, keys)
    if "site" in filters and filters["site"] not in sites:
        raise BadRequest("unknown_site", f"There is no site {filters['site']!r}.")
    # without a site all of them, as without a server; no site's own key sees the others
    key = sites[filters["site"]].secret_key if "site" in filters else operator_token(keys)
    query = urllib.parse.urlencode({**filters, "format": file_format})
    request = urllib.request.Request(
        f"http://{settings.host}:{settings.port}/api/export?{query}",
        headers={"Authorization": f"Bearer {key}"},
    )
    try:
        answer: HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT_S)  # noqa: S310 - as above
    except urllib.error.HTTPError as error:
        with error:
            raise FootfallError("export_failed", f"The server answered {error.code}: {error.read(500)!r}.") from error
    except OSError:
        return None
    return answer


def _export_file(settings: Settings, file_format: str, output: Path | None, filters: Mapping[str, str]) -> None:
    wanted = Filter(
        site=filters.get("site"),
        name=filters.get("name"),
        since_ms=_instant(filters.get("since")),
        until_ms=_instant(filters.get("until")),
    )
    path = settings.data_dir / "events.duckdb"
    if not path.exists():
        raise BadRequest("no_store", f"There is no store in {settings.data_dir}.", "Name the folder: --data-dir")
    store = DuckDBStore(path)
    try:
        if file_format == "parquet" and output is not None:
            write_events(store, wanted, output)
            return
        lines = csv_lines(store, wanted) if file_format == "csv" else json_lines(store, wanted)
        with _open(output) as target:
            target.writelines(lines)
    finally:
        store.close()


def _instant(text: str | None) -> int | None:
    if text is None:
        return None
    found = read_instant(text)
    if found is None:
        raise BadRequest("bad_time", f"{text!r} is no instant.", "Use RFC 3339, for example 2026-11-23T14:00:00Z.")
    return found


def _open(output: Path | None) -> BinaryIO:
    return output.open("wb") if output is not None else open(sys.stdout.fileno(), "wb", closefd=False)
