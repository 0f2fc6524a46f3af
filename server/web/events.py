"""`/api/events` and what belongs to it: events in with the secret key, events out."""

import csv
import io
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from server.errors import BadRequest, Unavailable
from server.events.model import COLUMNS, Source
from server.events.wire import decode
from server.ingest.beacon import Beacon
from server.ingest.checking import check_events
from server.ingest.repeats import KeyedRequest, read_key
from server.reports.events import list_events, stream_events, write_events
from server.reports.filters import Filter
from server.reports.names import list_names
from server.storage.base import Store
from server.storage.export_files import export_name
from server.web.answers import JsonAnswer
from server.web.backup import is_operator
from server.web.beacons import events_of
from server.web.collect import encode_outcome
from server.web.parts import Parts
from server.web.queries import parts_of, read_filter, read_limit, read_with_bots, store_of, with_person
from server.web.requests import RequestHead, read_body

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
CHUNK_BYTES = 256 * 1024
_TRIAL = {"1": True, "true": True, "0": False, "false": False}
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


async def post_events(request: Request) -> Response:
    """Take one event, a list, or {"events": […]}; the secret key may set time, address, agent and user.

    Shape:  `?validate=1` answers with the verdicts and stores nothing. With an Idempotency-Key the same request is
            answered the same for a week, and another one under its key refused.
    """
    parts = parts_of(request)
    site = parts.auth.site_of_key(request)
    head = RequestHead(request.scope)
    body = await read_body(head, request.receive)
    value, is_odd = decode(body)
    envelope = value if isinstance(value, dict) else {}
    events = events_of(_listed(value))
    named = envelope.get("site", site.key)  # of the batch, or of the one event
    if named != site.key:
        raise BadRequest("other_site", f"This key writes to the site {site.key!r} only.", "Leave `site` out.")
    beacon = Beacon(site=site, source=Source.SERVER, received_ms=parts.clock(), is_trusted=True, is_odd=is_odd)
    if _is_trial(request):
        verdicts = await run_in_threadpool(check_events, parts.receiver.pipeline, parts.queue, beacon, events)
        return Response(encode_outcome(verdicts), media_type="application/json", headers={"x-footfall-stored": "no"})
    key = head.get(b"idempotency-key")
    if key is not None:
        return await _receive_once(parts, beacon, events, read_key(site.key, key, body))
    outcome = await parts.receiver.receive(beacon, events)
    return Response(encode_outcome(outcome), media_type="application/json")


async def _receive_once(parts: Parts, beacon: Beacon, events: Sequence[Any], request: KeyedRequest) -> Response:
    """Take the events of a request that has a key; answer as before where it was taken before."""
    with parts.repeats.once(request) as known:
        if known is not None:
            return Response(known, media_type="application/json", headers={"idempotent-replayed": "true"})
        outcome = await parts.receiver.receive(
            beacon,
            request.with_ids(events),
            lambda database, found: parts.repeats.keep(database, request, encode_outcome(found)),
        )
    return Response(encode_outcome(outcome), media_type="application/json")


def _is_trial(request: Request) -> bool:
    """Return whether events are only to be checked. Errors: BadRequest for a word that might have meant either."""
    given = request.query_params.get("validate", "0")
    if given not in _TRIAL:
        raise BadRequest("bad_validate", "validate is 1 or 0.")
    return _TRIAL[given]


async def get_events(request: Request) -> Response:
    """Return events, newest first; as lines of JSON where the request accepts application/x-ndjson."""
    wanted = await run_in_threadpool(with_person, request, read_filter(request))
    return await answer_events(request, wanted)


async def answer_events(request: Request, wanted: Filter) -> Response:
    """Return the events of a question, in the form that the request accepts."""
    store = store_of(request)
    if "application/x-ndjson" in request.headers.get("accept", ""):
        return _stream(json_lines(store, wanted), "application/x-ndjson")
    limit = read_limit(request.query_params, DEFAULT_LIMIT, MAX_LIMIT)
    cursor = request.query_params.get("cursor") or None
    events, following = await run_in_threadpool(list_events, store, wanted, limit, cursor)
    return JsonAnswer({"events": events, "next": following})


async def get_names(request: Request) -> Response:
    """Return which events there are; those of bots only with `bots=include`."""
    read = read_filter(request, with_bots=read_with_bots(request))
    wanted = await run_in_threadpool(with_person, request, read)
    return JsonAnswer({"names": await run_in_threadpool(list_names, store_of(request), wanted)})


async def get_export(request: Request) -> Response:
    """Return all events as a file: ndjson, csv or parquet; of every site with the operator's key."""
    read = read_filter(request, sees_all=is_operator(request))
    wanted = await run_in_threadpool(with_person, request, read)
    store = store_of(request)
    file_format = request.query_params.get("format", "ndjson")
    writers: Mapping[str, Callable[[], Any]] = {
        "ndjson": lambda: _stream(json_lines(store, wanted), "application/x-ndjson", "events.ndjson"),
        "csv": lambda: _stream(csv_lines(store, wanted), "text/csv; charset=utf-8", "events.csv"),
    }
    if file_format == "parquet":
        return await _parquet(store, wanted, parts_of(request).settings.data_dir)
    if file_format not in writers:
        raise BadRequest("unknown_format", "format is one of ndjson, csv, parquet.")
    answer: Response = writers[file_format]()
    return answer


def csv_lines(store: Store, wanted: Filter) -> Iterator[bytes]:
    """Yield a CSV file; texts that a spreadsheet would run as formulas get a quote in front."""
    yield _csv([list(COLUMNS)])
    for events in stream_events(store, wanted):
        yield _csv([[_cell(event[name]) for name in COLUMNS] for event in events])


def json_lines(store: Store, wanted: Filter) -> Iterator[bytes]:
    """Yield one line of JSON for each event."""
    for events in stream_events(store, wanted):
        yield b"".join(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE) for event in events)


async def _parquet(store: Store, wanted: Filter, folder: Path) -> Response:
    file = await run_in_threadpool(_write_parquet, store, wanted, folder / export_name())
    headers = {"content-length": str(os.fstat(file.fileno()).st_size)}
    return _stream(_chunks(file), "application/vnd.apache.parquet", "events.parquet", headers)


def _write_parquet(store: Store, wanted: Filter, path: Path) -> BinaryIO:
    """Return the open file, which has no name any more: whatever ends this process or the answer, nothing is left.

    Errors: Unavailable when somebody was erased meanwhile, of whom it may tell.
    """
    try:
        write_events(store, wanted, path)
        return path.open("rb")
    except FileNotFoundError as error:
        raise Unavailable(
            "erased_meanwhile", "Somebody was erased while the file was made.", "Ask again.", retry_after_s=1
        ) from error
    finally:
        path.unlink(missing_ok=True)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _stream(
    lines: Iterator[bytes], media_type: str, filename: str | None = None, more: Mapping[str, str] | None = None
) -> StreamingResponse:
    content: AsyncIterator[bytes] = iterate_in_threadpool(lines)
    headers = {"content-disposition": f'attachment; filename="{filename}"'} if filename else {}
    headers |= more or {}
    return StreamingResponse(content, media_type=media_type, headers=headers)


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return value.get("events", [value])
    return value


def _csv(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, dict):
        return orjson.dumps(value).decode()
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return "'" + value
    return value
