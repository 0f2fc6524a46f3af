"""`footfall replay`: asks the running server to send rejected events through its pipeline again, site by site."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from server.asking import ask_server, base_url_of, read_answer
from server.errors import BadRequest, FootfallError
from server.settings import Settings
from server.web.keys import read_secret_key, site_keys

TIMEOUT_S = 600


def replay(settings: Settings, chosen: Mapping[str, Any], site: str | None) -> int:
    """Replay what was chosen and print what became of it; return the exit status. Errors: FootfallError, SettingsError.

    Shape:  chosen is the body of `POST /api/rejected/replay`; status 1 says that some are still rejected, or that
            ids were named and some of them are nobody's.
    """
    sites = site_keys(settings)
    if site is not None and site not in sites:
        raise BadRequest("unknown_site", f"There is no site {site!r}; there are: {', '.join(sites)}.")
    keys = {key: read_secret_key(settings, key) for key in ([site] if site is not None else sites)}
    remaining = found = 0
    for key, secret_key in keys.items():
        body = dict(chosen)
        while True:
            told = _ask(settings, body, secret_key)
            _tell(key, told)
            remaining += len(told["rejected"])
            found += told["accepted"] + told["duplicate"] + len(told["rejected"])
            if told["next"] is None:
                break
            body["cursor"] = told["next"]
    missing = len(set(chosen.get("ids", []))) - found
    if missing > 0:
        sys.stdout.write(
            f"{missing} of the ids named no rejected event; GET /api/rejected lists those that there are\n"
        )
    return 1 if remaining or missing > 0 else 0


def _tell(site: str, told: Mapping[str, Any]) -> None:
    sys.stdout.write(f"{site}: {told['accepted']} accepted, {told['duplicate']} duplicate\n")
    for each in told["rejected"]:
        sys.stdout.write(f"  {each['rejected_id']} {each['id']!r}: {each['code']}: {each['message']!r}\n")


def _ask(settings: Settings, body: Mapping[str, Any], secret_key: str) -> dict[str, Any]:
    answer = ask_server(settings, "/api/rejected/replay", secret_key, TIMEOUT_S, body)
    if answer is None:
        hint = "Start it: it owns the store; or name its --host and --port."
        raise FootfallError("no_server", f"No server answers at {base_url_of(settings)}.", hint)
    with answer:
        told: dict[str, Any] = json.loads(read_answer(answer))
    return told
