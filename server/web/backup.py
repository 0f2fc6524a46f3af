"""`POST /api/backup`: a copy of everything, made by the process that has the files. For the operator of the machine.

The key is made from the data folder's cookie key: who can read the folder may copy it, a site's secret key may not.
"""

import hmac
import sqlite3
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from server.errors import BadRequest, NotAuthorised
from server.events.wire import decode
from server.identity.signature import sign
from server.ingest.backup import BackupError, Sources, make_backup
from server.web.answers import JsonAnswer
from server.web.queries import parts_of, store_of
from server.web.requests import RequestHead, read_body


def operator_token(cookie_key: str) -> str:
    """Return the key of whoever can read the data folder."""
    return sign("footfall.operator", cookie_key)


def is_operator(request: Request) -> bool:
    """Return whether the request carries the key of whoever can read the data folder."""
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    return hmac.compare_digest(given.encode(), operator_token(parts_of(request).keys.cookie_key).encode())


async def post_backup(request: Request) -> Response:
    """Write a backup into a new folder of the server's machine and say how large its files are."""
    parts = parts_of(request)
    if not is_operator(request):
        raise NotAuthorised("wrong_key", "A backup needs the operator's key.", "Use `footfall backup`.")
    body, _ = decode(await read_body(RequestHead(request.scope), request.receive))
    target = body.get("target") if isinstance(body, dict) else None
    if not isinstance(target, str) or not Path(target).is_absolute() or parts.writer is None:
        raise BadRequest("bad_target", "target is the absolute path of a new folder.")
    sources = Sources(
        data_dir=parts.settings.data_dir, store=store_of(request), writer=parts.writer, outbox=parts.outbox
    )
    try:
        sizes = await run_in_threadpool(make_backup, sources, Path(target), parts.clock())
    except (BackupError, OSError, sqlite3.Error) as error:
        raise BadRequest("backup_failed", str(error), "See that the folder is new and that there is room.") from error
    return JsonAnswer({"files": sizes})
