"""`footfall replay`: asks the running server to send rejected events through its pipeline again, site by site."""

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from server.errors import BadRequest, FootfallError
from server.settings import Settings
from server.web.keys import complete_sites, open_keys

TIMEOUT_S = 600


def replay(settings: Settings, chosen: Mapping[str, Any], site: str | None) -> int:
    """Replay what was chosen and print what became of it; return the exit status. Errors: FootfallError.

    Shape:  chosen is the body of `POST /api/rejected/replay`; status 1 says that some are still rejected.
    """
    sites = complete_sites(settings, open_keys(settings))
    if site is not None and site not in sites:
        raise BadRequest("unknown_site", f"There is no site {site!r}.")
    remaining = 0
    for key in [site] if site is not None else sites:
        body = dict(chosen)
        while True:
            told = _ask(settings, body, sites[key].secret_key or "")
            remaining += len(told["rejected"])
            sys.stdout.write(f"{key}: {told['accepted']} accepted, {told['duplicate']} duplicate\n")
            for each in told["rejected"]:
                sys.stdout.write(f"  {each['rejected_id']} {each['id']!r}: {each['code']}: {each['message']!r}\n")
            if told["next"] is None:
                break
            body["cursor"] = told["next"]
    return 1 if remaining else 0


def _ask(settings: Settings, body: Mapping[str, Any], secret_key: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://{settings.host}:{settings.port}/api/rejected/replay",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {secret_key}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - http, our own address
            told: dict[str, Any] = json.load(answer)
            return told
    except urllib.error.HTTPError as error:
        with error:
            raise FootfallError("replay_failed", f"The server answered {error.code}: {error.read(500)!r}.") from error
    except OSError as error:
        raise FootfallError("no_server", f"No server answers: {error}.", "Start it: it owns the store.") from error
