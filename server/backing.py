"""`footfall backup`: asks the running server, because the store's file has one owner; without one opens the folder."""

import json
import sqlite3
import sys
from pathlib import Path

from server.app import close_parts, create_parts
from server.asking import ask_server, folder_without_server, no_answer, read_answer
from server.errors import BadRequest, FootfallError, Unavailable
from server.ingest.backup import BackupError, Sources, make_backup
from server.settings import Settings
from server.web.backup import operator_token
from server.web.keys import read_cookie_key

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
    token = operator_token(read_cookie_key(settings))
    answer = ask_server(settings, "/api/backup", token, TIMEOUT_S, {"target": str(target)})
    if answer is None:
        return None
    with answer:
        sizes: dict[str, int] = json.loads(read_answer(answer))["files"]
    return sizes


def _open_folder(settings: Settings, target: Path) -> dict[str, int]:
    with folder_without_server(settings):
        parts = create_parts(settings, is_serving=False)
        try:
            if parts.store is None or parts.writer is None:
                raise BadRequest("no_store", "The role `collect` has no store.", "Run it where the store is.")
            sources = Sources(data_dir=settings.data_dir, store=parts.store, writer=parts.writer, outbox=parts.outbox)
            return make_backup(sources, target, parts.clock())
        except (BackupError, OSError, sqlite3.Error) as error:
            hint = "Name a new folder where there is room."
            raise FootfallError("backup_failed", f"No backup was made: {error}", hint) from error
        except Unavailable as error:
            raise no_answer(settings) from error
        finally:
            close_parts(parts)
