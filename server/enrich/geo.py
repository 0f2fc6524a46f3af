"""Where an address is: country, region and city from a .mmdb file, or the country from iptocc without one.

Receiving never waits or fails for a place: every trouble is an empty Place. One Geo lives as long as the
server; a file that is replaced or overwritten is noticed by `reload_if_changed`.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from server.enrich.client_ip import MAX_ADDRESS_CHARS, Address, embedded_ipv4, parse_address
from server.enrich.geo_file import IPTOCC, Attribution, GeoFile, GeoFileError, Stamp, open_geo_file, stamp_of

CACHED_ADDRESSES = 4096
_NO_COUNTRIES = frozenset({"XX", "ZZ", "T1"})
_COUNTRY_CODE_LENGTH = 2

log = logging.getLogger("footfall.geo")


@dataclass(frozen=True, slots=True)
class Place:
    """A place. Shape: country is ISO 3166-1 alpha-2; region and city are English names; unknown is None."""

    country: str | None = None
    region: str | None = None
    city: str | None = None


NOWHERE = Place()
_Find = Callable[[str], Any]


class Geo:
    """The place lookup. Owns the reader of the file.

    Shape:  path is a .mmdb of any maker, nested or flat, country or city; None or a file that cannot be read
            leaves the country of iptocc. folder takes the file's private copy.
    """

    def __init__(self, path: Path | None, folder: Path | None = None) -> None:
        self._path = path
        self._folder = folder
        self._stamp: Stamp | None = None
        self._cached = _cache(_country_of_allocation)
        self.file: GeoFile | None = None
        self.problem = ""
        self.reload_if_changed()

    def lookup(self, ip: str | None) -> Place:
        """Return the place of an address; private, unknown and unreadable ones are nowhere."""
        return self._cached(ip) if ip and len(ip) <= MAX_ADDRESS_CHARS else NOWHERE

    def reload_if_changed(self) -> bool:
        """Take a new, replaced or overwritten file into use; return whether that happened.

        While it is missing or broken the old one answers, and the log says so once.
        """
        if self._path is None:
            return False
        stamp, before = stamp_of(self._path), self._stamp
        self._stamp = stamp
        if stamp is None:
            self._tell(self._path, "is missing")
            return False
        return stamp != before and self._open(self._path)

    def describe(self) -> str:
        """Return which source answers, its type and its date, in one line for people."""
        trouble = f" ({self._path} {self.problem})" if self.problem else ""
        if self.file is None:
            return f"iptocc: country only, from the registries' allocations{trouble}"
        return f"{self.file.path}: {self.file.database_type}, built {self.file.built_at:%Y-%m-%d}{trouble}"

    def attribution(self) -> Attribution:
        """Return what the licence of the answering source asks to be shown."""
        return IPTOCC if self.file is None else self.file.attribution

    def close(self) -> None:
        """Give the file back; lookups answer nowhere from then on."""
        self._cached = _cache(lambda _: None)
        if self.file is not None:
            self.file.reader.close()
            self.file = None

    def _open(self, path: Path) -> bool:
        try:
            file = open_geo_file(path, self._folder)
        except GeoFileError as error:
            self._tell(path, str(error))
            return False
        if self.problem:
            log.info("%s answers again", path)
        self.problem = ""
        self.file = file
        # The old reader is not closed: a lookup on another thread may be in it; the last one frees it.
        self._cached = _cache(file.reader.get)
        return True

    def _tell(self, path: Path, problem: str) -> None:
        if problem != self.problem:
            log.warning("%s %s: %s", path, problem, "the old one answers on" if self.file else "iptocc answers")
        self.problem = problem


def _country_of_allocation(ip: str) -> dict[str, Any]:
    from iptocc import country_code

    return {"country_code": country_code(ip)}


def _cache(find: _Find) -> Callable[[str], Place]:
    @lru_cache(maxsize=CACHED_ADDRESSES)
    def lookup(ip: str) -> Place:
        address = parse_address(ip)
        return NOWHERE if address is None else _find_place(find, address)

    return lookup


def _find_place(find: _Find, address: Address) -> Place:
    address = embedded_ipv4(address) or address
    if not address.is_global:
        return NOWHERE
    try:
        record = find(str(address))
    except Exception:  # noqa: BLE001 - a damaged file may raise anything, and no event may fail for it
        return NOWHERE
    return _place(record) if isinstance(record, dict) else NOWHERE


def _place(record: dict[str, Any]) -> Place:
    """Return the place of a record, nested as MaxMind's or flat as third parties' are."""
    country = record.get("country")
    code = country.get("iso_code") if isinstance(country, dict) else record.get("country_code", country)
    subdivisions = record.get("subdivisions")
    nested_region = subdivisions[0] if isinstance(subdivisions, list) and subdivisions else None
    return Place(
        _country(code),
        _name(nested_region) or _name(record.get("state1")) or _name(record.get("region")),
        _name(record.get("city")),
    )


def _country(code: object) -> str | None:
    if not isinstance(code, str) or len(code) != _COUNTRY_CODE_LENGTH:
        return None
    return None if (code := code.upper()) in _NO_COUNTRIES else code


def _name(value: object) -> str | None:
    if isinstance(value, dict):
        names = value.get("names")
        value = (names.get("en") if isinstance(names, dict) else None) or value.get("iso_code")
    return value.strip() or None if isinstance(value, str) else None


def places_in(file: GeoFile) -> list[str]:
    """Return which of country, region, city some record of a file holds: none for a file of something else."""
    known: set[str] = set()
    try:
        for record in file.sample():
            place = _place(record) if isinstance(record, dict) else NOWHERE
            known |= {name for name in ("country", "region", "city") if getattr(place, name)}
    except Exception as error:  # noqa: BLE001 - a damaged file may raise anything
        log.warning("%s is damaged: %s", file.path, error)
    return [name for name in ("country", "region", "city") if name in known]
