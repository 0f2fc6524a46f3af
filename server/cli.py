"""The command `footfall`: serve, demo, snippet, export, doctor, geo, version. Called by people and process managers."""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from server import __version__
from server.errors import FootfallError, SettingsError
from server.log_lines import log_to
from server.settings import Settings, read_settings
from server.storage.folder import private_files

EXIT_WRONG_SETTINGS = 2

_EPILOG = """\
examples:
  footfall serve                         listen on 127.0.0.1:8000, keep everything in ./data
  FOOTFALL_PORT=9000 footfall serve      every setting has a variable, see docs/settings.md
  footfall demo                          the same, with a demo shop to try it on
  footfall snippet --url https://t.example  what to paste into the pages
  footfall export --format csv > all.csv everything that is stored
  footfall geo 203.0.113.7               where an address is, and which file says so
  footfall doctor                        what is wrong here, and what to do about it
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0 done, 1 failed, 2 wrong settings or usage."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    run: Callable[[argparse.Namespace], int] | None = getattr(chosen, "run", None)
    if run is None:
        parser.print_help()
        return EXIT_WRONG_SETTINGS
    log_to(logging.StreamHandler(sys.stderr))
    try:
        return run(chosen)
    except SettingsError as error:
        print("footfall cannot start:", file=sys.stderr)
        for problem in error.problems:
            print(f"  - {problem}", file=sys.stderr)
        return EXIT_WRONG_SETTINGS
    except FootfallError as error:
        print(f"footfall: {error.message} {error.hint}", file=sys.stderr)
        return 1
    except OSError as error:  # a disk that is full, a folder that may not be entered
        print(f"footfall: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="footfall",
        description="A self-hosted event tracker: one script tag, one process, one folder.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    serve = _add(commands, "serve", _serve, "receive, keep and show events")
    serve.add_argument("--workers", type=int, metavar="N", help="receive with N processes, and answer with one more")
    demo = _add(commands, "demo", _demo, "serve, with a demo shop under a site of its own")
    for each in (serve, demo):
        each.add_argument("--check", action="store_true", help="only tell whether the settings are right")
    _add_snippet(commands)
    export = _add(commands, "export", _export, "write all stored events to standard output or a file")
    export.add_argument("--format", choices=("ndjson", "csv", "parquet"), default="ndjson")
    export.add_argument("--output", type=Path, metavar="FILE", help="parquet needs one; default: standard output")
    for name in ("site", "name", "since", "until"):
        export.add_argument(f"--{name}", help="as in GET /api/events")
    _add_replay(commands)
    backup = _add(
        commands, "backup", _backup, "write a copy of everything into a new folder, also while the server runs"
    )
    backup.add_argument("target", type=Path, metavar="TARGET", help="a new folder")
    restore = _add(commands, "restore", _restore, "put a backup in the place of the data folder; the server is stopped")
    restore.add_argument("source", type=Path, metavar="SOURCE", help="the folder of a backup")
    restore.add_argument("--force", action="store_true", help="replace what the data folder holds, for good")
    doctor = _add(commands, "doctor", _doctor, "check folder, disk, keys, geo file, proxies and the running server")
    doctor.add_argument("--url", metavar="BASE", help="ask through this public address which visitor's address arrives")
    geo = _add(commands, "geo", _geo, "tell which file says where visitors are, and where an address is")
    geo.add_argument("address", nargs="*", metavar="ADDRESS", help="any address to look up")
    version = commands.add_parser("version", help="print the version")
    version.set_defaults(run=_version)
    return parser


def _add_replay(commands: Any) -> None:
    replay = _add(commands, "replay", _replay, "send rejected events through the running server's pipeline again")
    replay.add_argument(
        "ids", nargs="*", metavar="ID", help="rejected_id or event id; none: all that the options leave"
    )
    for name in ("site", "code", "since", "until"):
        replay.add_argument(f"--{name}", help="as in GET /api/rejected")
    replay.add_argument("--dry-run", action="store_true", help="only tell what would become of them")


def _add_snippet(commands: Any) -> None:
    snippet = _add(commands, "snippet", _snippet, "print what to paste into the pages")
    snippet.add_argument("--site", metavar="KEY", help="key of the site; default: the first one")
    snippet.add_argument(
        "--url", metavar="BASE", help="address of this server as browsers see it; default: host and port"
    )
    snippet.add_argument("--integrity", action="store_true", help="pin this very version; paste anew after an update")


def _add(commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text.capitalize() + ".", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file; ./footfall.toml when it exists")
    parser.add_argument("--host", metavar="ADDRESS", help="FOOTFALL_HOST")
    parser.add_argument("--port", metavar="PORT", help="FOOTFALL_PORT")
    parser.add_argument("--data-dir", metavar="FOLDER", help="FOOTFALL_DATA_DIR")
    parser.set_defaults(run=run)
    return parser


def _settings(chosen: argparse.Namespace) -> Settings:
    return read_settings(file=chosen.config, host=chosen.host, port=chosen.port, data_dir=chosen.data_dir)


def _serve(chosen: argparse.Namespace) -> int:
    from server.serving import serve
    from server.supervising import supervise

    settings = _settings(chosen)
    if chosen.check:
        return _check(settings)
    with private_files():
        if chosen.workers is not None:
            return supervise(settings, chosen.workers, shows_demo=False)
        return serve(settings, shows_demo=False, check=_check_of_next_life())


def _demo(chosen: argparse.Namespace) -> int:
    from server.serving import serve

    settings = _settings(chosen)
    if chosen.check:
        return _check(settings)
    with private_files():
        return serve(settings, shows_demo=True, check=_check_of_next_life())


def _check(settings: Settings) -> int:
    """Return the exit status of what would start. Errors: SettingsError."""
    from server.routes import create_routes

    create_routes(settings)  # which tells of paths that cannot be
    return 0


def _check_of_next_life() -> list[str]:
    """Return the command that tells whether this very command, as it is on disk now, would start."""
    return [sys.executable, *sys.orig_argv[1:], "--check"]


def _snippet(chosen: argparse.Namespace) -> int:
    from server.asking import read_base_url
    from server.web.keys import site_keys
    from server.web.script import Script

    settings = _settings(chosen)
    known = site_keys(settings)
    site = chosen.site or known[0]
    if site not in known:
        raise SettingsError([f"--site: there is no site {site}; there are: {', '.join(known)}"])
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base_url = read_base_url(chosen.url or f"http://{host}:{settings.port}")
    print(Script(settings).snippet(base_url, site, is_pinned=chosen.integrity).html())
    return 0


def _export(chosen: argparse.Namespace) -> int:
    from server.exporting import export

    filters = {name: getattr(chosen, name) for name in ("site", "name", "since", "until") if getattr(chosen, name)}
    return export(_settings(chosen), chosen.format, chosen.output, filters)


def _replay(chosen: argparse.Namespace) -> int:
    from server.replaying import replay

    body = {name: getattr(chosen, name) for name in ("code", "since", "until") if getattr(chosen, name)}
    ids = [int(each) if each.isdecimal() else each for each in chosen.ids]
    body |= {"ids": ids} if ids else {"all": True}
    return replay(_settings(chosen), body | {"dry_run": chosen.dry_run}, chosen.site)


def _backup(chosen: argparse.Namespace) -> int:
    from server.backing import back_up

    with private_files():
        return back_up(_settings(chosen), chosen.target)


def _restore(chosen: argparse.Namespace) -> int:
    from server.restoring import restore

    with private_files():
        restore(chosen.source, _settings(chosen).data_dir, force=chosen.force)
    return 0


def _doctor(chosen: argparse.Namespace) -> int:
    from server.doctor import examine

    return examine(_settings(chosen), chosen.url)


def _geo(chosen: argparse.Namespace) -> int:
    from server.doctor import examine_geo

    return examine_geo(_settings(chosen), chosen.address)


def _version(_: argparse.Namespace) -> int:
    print(f"footfall {__version__}")
    return 0
