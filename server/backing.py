"""`footfall backup`: asks the running server, because the store's file has one owner; without one opens the folder."""

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

from server.app import close_parts, create_parts
from server.errors import BadRequest, FootfallError
from server.ingest.backup import BackupError, Sources, make_backup
from server.settings import Settings
from server.web.backup import operator_token
from server.web.keys import open_keys

TIMEOUT_S = 3600


def back_up(settings: Settings, target: Path) -> int:
    """Write a backup folder, return the exit status. Errors: FootfallError, SettingsError."""
    if not settings.data_dir.is_dir():
        raise BadRequest("no_folder", f"There is no data folder {settings.data_dir}.", "Name it: --data-dir")
    sizes = _ask_server(settings, target.resolve())
    if sizes is None:
        sizes = _open_folder(settings, target.resolve())
    sys.stdout.write(f"{target}: {len(sizes)} files, {sum(sizes.values())} bytes\n")
    return 0


def _ask_server(settings: Settings, target: Path) -> dict[str, int] | None:
    """Return the sizes of what the server has written, None when none runs."""
    request = urllib.request.Request(
        f"http://{settings.host}:{settings.port}/api/backup",
        data=json.dumps({"target": str(target)}).encode(),
        headers={"Authorization": f"Bearer {operator_token(open_keys(settings))}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - http, our own address
            sizes: dict[str, int] = json.load(answer)["files"]
            return sizes
    except urllib.error.HTTPError as error:
        with error:
            raise FootfallError("backup_failed", f"The server answered {error.code}: {error.read(500)!r}.") from error
    except OSError:
        return None


def _open_folder(settings: Settings, target: Path) -> dict[str, int]:
    parts = create_parts(settings)
    try:
        if parts.store is None or parts.writer is None:
            raise BadRequest("no_store", "The role `collect` has no store.", "Run it where the store is.")
        sources = Sources(data_dir=settings.data_dir, store=parts.store, writer=parts.writer, outbox=parts.outbox)
        return make_backup(sources, target, parts.clock())
    except BackupError as error:
        raise FootfallError("backup_failed", str(error)) from error
    finally:
        close_parts(parts)
