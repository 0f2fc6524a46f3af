"""`footfall doctor`: looks at everything that goes wrong in practice and says what to do about it."""

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from http.client import HTTPException
from urllib.parse import urlsplit

from server.asking import OPENER, base_url_of, is_there, read_base_url
from server.checking_folder import check_copies, check_disk, check_folder, check_fsync, check_keys
from server.enrich.client_ip import embedded_ipv4, parse_address
from server.enrich.geo import Geo, places_in
from server.errors import FootfallError, SettingsError
from server.findings import Finding, Level, show
from server.guard import most_connections
from server.proxies import LIST_HEADER, UNIX_SOCKET
from server.settings import Settings

TIMEOUT_S = 3
OLD_GEO_DAYS = 60


Check = Callable[[Settings], Iterator[Finding]]


def examine(settings: Settings, base_url: str | None = None) -> int:
    """Print all findings; return 1 when there is a problem, else 0. Shape: base_url as for `check_address`."""
    has_problem = False
    ask: Check = partial(check_address, base_url=base_url)
    for check in (*_CHECKS, ask):
        for finding in check(settings):
            show(finding)
            has_problem = has_problem or finding.level == "problem"
    return 1 if has_problem else 0


def examine_geo(settings: Settings, addresses: Sequence[str]) -> int:
    """Print what is known of the source of places and of each address; return 1 when there is a problem, else 0."""
    findings = list(check_geo(settings))
    geo = Geo(settings.geoip)
    findings += [_look_up(geo, text) for text in addresses]
    geo.close()
    for finding in findings:
        show(finding)
    return 1 if any(finding.level == "problem" for finding in findings) else 0


def _look_up(geo: Geo, text: str) -> Finding:
    address = parse_address(text)
    if address is None:
        return Finding("problem", f"{text[:80]}: no address", "Write it like 203.0.113.7 or 2001:db8::1.")
    behind = embedded_ipv4(address)
    shown = f"{address} (stands for {behind})" if behind else str(address)
    if not (behind or address).is_global:
        return Finding("note", f"{shown}: private or reserved, has no place")
    place = geo.lookup(text)
    known = [part for part in (place.city, place.region, place.country) if part]
    return Finding("ok" if known else "note", f"{shown}: {', '.join(known) or 'not known'}")


def check_limits(settings: Settings) -> Iterator[Finding]:
    """Yield how many connections and events are taken, and what the system allows."""
    possible = most_connections()
    if possible < settings.max_connections:
        advice = f"Raise the limit of open files (ulimit -n, LimitNOFILE) to {2 * settings.max_connections + 256}."
        yield Finding("note", f"files for {possible} connections, not for {settings.max_connections}", advice)
    else:
        yield Finding("ok", f"{settings.max_connections} connections, {settings.max_requests} requests at once")
    for whose, limit in (("network", settings.network_events_per_minute), ("site", settings.site_events_per_minute)):
        yield Finding("ok", f"events a minute of one {whose}: {'no limit' if limit is None else limit}")


def check_geo(settings: Settings) -> Iterator[Finding]:
    """Yield which file says where visitors are, how old it is and what its licence asks for."""
    geo = Geo(settings.geoip)
    try:
        if geo.problem:
            yield Finding("problem", f"places: {settings.geoip} {geo.problem}", "Download it anew.")
        yield Finding("ok", f"places: {geo.describe()}")
        yield from _file_findings(geo)
    finally:
        geo.close()


def _file_findings(geo: Geo) -> Iterator[Finding]:
    file, asked = geo.file, geo.attribution()
    if file is None:
        yield Finding("note", "regions and cities are not known", "Set FOOTFALL_GEOIP to a city file (.mmdb).")
        return
    known = places_in(file)
    if known:
        yield Finding("ok", f"places: it knows {', '.join(known)}")
    else:
        yield Finding("problem", f"places: {file.database_type} holds no places", "Take a country or city file.")
    age_days = file.age_days(datetime.now(UTC))
    if age_days > OLD_GEO_DAYS:
        advice = "Addresses move: download it anew, every month."
        yield Finding("note", f"places: the file is {age_days} days old", advice)
    yield Finding("ok", f"places: licence {asked.licence}")
    if asked.text:
        yield Finding(
            "ok", f"places: the dashboard shows {asked.text!r} with a link to {asked.url}, as the licence asks"
        )


def check_proxies(settings: Settings) -> Iterator[Finding]:
    """Yield whose word on addresses is believed."""
    trusted = ", ".join(str(network) for network in settings.trusted_proxies)
    if any(network.mask == 0 and network != UNIX_SOCKET for network in settings.trusted_proxies):
        advice = "Name the proxy's own address: now every visitor may claim any address."
        yield Finding("problem", f"everybody is a trusted proxy: {trusted}", advice)
    elif trusted:
        yield Finding("ok", f"{settings.proxy_header} is believed from {trusted}, from nobody else")
    else:
        advice = "Behind a reverse proxy set FOOTFALL_TRUSTED_PROXIES to its address, else every visitor has it."
        yield Finding("note", "no proxy is trusted: the peer's address counts", advice)
        if settings.proxy_header != LIST_HEADER:
            yield Finding("note", f"FOOTFALL_PROXY_HEADER is {settings.proxy_header}, and nobody is believed in it")


def check_listening(settings: Settings) -> Iterator[Finding]:
    """Yield whether the server is there, ready, and serves the tracker."""
    base_url = base_url_of(settings)
    try:
        if not is_there(settings):
            yield Finding("note", f"nothing listens at {base_url}", "Start it with `footfall serve`.")
            return
    except FootfallError as error:
        yield Finding("problem", error.message, error.hint)
        return
    for path, what in (("/health/ready", "the server is ready"), (settings.script_path, "the tracker is served")):
        try:
            with OPENER.open(base_url + path, timeout=TIMEOUT_S):
                yield Finding("ok", f"{what}: {base_url}{path}")
        except urllib.error.HTTPError as error:
            with error:
                yield Finding("problem", f"{base_url}{path} answers {error.code}", error.read(300).decode("latin-1"))
        except (OSError, HTTPException) as error:
            yield Finding("problem", f"{base_url}{path}: {error or repr(error)}", "See the server's log.")


def check_address(settings: Settings, base_url: str | None = None) -> Iterator[Finding]:
    """Yield, in the running server's words, which address it believes this program to have and why.

    Shape:  base_url is the server's address as visitors see it, so that the proxies between are asked too; without
            one the server is asked directly, and says nothing when it is not there.
    """
    key = settings.secret_key or _kept_key(settings)
    try:
        asked = read_base_url(base_url or base_url_of(settings)) + "/api/debug/ip"
    except SettingsError as error:
        yield Finding("problem", str(error))
        return
    if key is None:
        level: Level = "note" if base_url is None else "problem"
        yield Finding(level, "no secret key here: the server cannot be asked what it makes of addresses")
        return
    try:
        if base_url is None and not is_there(settings):  # what else may listen there gets no key
            return
        opener = OPENER if base_url is None else urllib.request.build_opener()
        request = urllib.request.Request(asked, headers={"authorization": f"Bearer {key}"})  # noqa: S310 - checked above
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            told = json.load(answer)
            sentences, seen = told["explanation"], told.get("origin")
    except (FootfallError, OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        if base_url is not None:
            yield Finding("problem", f"{asked}: {error}", "Is that the server, and is this its data folder?")
        return
    yield Finding("ok", f"{asked} says of this very request:")
    for sentence in sentences:
        yield Finding("ok", f"  {sentence}")
    if base_url is not None and seen is not None:
        yield _compare_origins(base_url, seen)


def _compare_origins(base_url: str, seen: str) -> Finding:
    """Return whether the server knows under which address browsers ask for it: forms and cookies depend on it."""
    asked = urlsplit(base_url.lower())
    scheme, _, host = seen.partition("://")
    port = {"http": ":80", "https": ":443"}[asked.scheme]
    if asked.netloc.removesuffix(port) != host:
        advice = (
            "Have the proxy pass the header Host on (nginx: proxy_set_header Host $http_host), else nobody can sign in"
            " by plain http or with an older browser."
        )
        return Finding("problem", f"asked as {base_url}, the server takes its address for {seen}", advice)
    if asked.scheme != scheme:
        advice = (
            "Have the proxy send X-Forwarded-Proto and name it in FOOTFALL_TRUSTED_PROXIES, else the dashboard's cookie"
            " travels by plain http too."
        )
        return Finding("problem", f"asked as {base_url}, the server takes this for {scheme}", advice)
    return Finding("ok", f"  Browsers ask for it as {seen}: forms are taken and the cookie is right.")


def _kept_key(settings: Settings) -> str | None:
    """Return a secret key that the running server knows: a site's from the settings, or one it made itself."""
    for site in settings.sites.values():
        if site.secret_key:
            return site.secret_key
    folder = settings.data_dir / "keys"
    for path in [folder / "secret_key", *sorted(folder.glob("*.secret_key"))]:
        with contextlib.suppress(OSError):
            return path.read_text(encoding="ascii").strip()
    return None


_CHECKS: tuple[Check, ...] = (
    check_folder,
    check_keys,
    check_disk,
    check_fsync,
    check_limits,
    check_copies,
    check_geo,
    check_proxies,
    check_listening,
)
