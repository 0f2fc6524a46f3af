"""Where an address is: country, region and city from a .mmdb file, or the country from iptocc without one.

Receiving never waits or fails for a place: every trouble is an empty Place. One Geo lives as long as the
server; a replaced file is noticed by `reload_if_changed`. Replace files by renaming: the reader maps them into
memory, and a file that shrinks under it ends the process.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.enrich.client_ip import MAX_ADDRESS_CHARS, Address, parse_address

if TYPE_CHECKING:
    from maxminddb import Reader

CACHED_ADDRESSES = 4096
_NO_COUNTRIES = frozenset({"XX", "ZZ", "T1"})
_COUNTRY_CODE_LENGTH = 2


@dataclass(frozen=True, slots=True)
class Place:
    """A place. Shape: country is ISO 3166-1 alpha-2; region and city are English names; unknown is None."""

    country: str | None = None
    region: str | None = None
    city: str | None = None


NOWHERE = Place()
_Find = Callable[[str], Any]
_Stamp = tuple[int, int, int]


class Geo:
    """The place lookup. Owns the reader of the file.

    Shape:  path is a .mmdb of any maker, nested or flat, country or city; None or a file that cannot be read
            leaves the country of iptocc.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._reader: Reader | None = None
        self._stamp: _Stamp | None = None
        self._problem = ""
        self._cached = _cache(_country_of_allocation)
        self.reload_if_changed()

    def lookup(self, ip: str | None) -> Place:
        """Return the place of an address; private, unknown and unreadable ones are nowhere."""
        return self._cached(ip) if ip and len(ip) <= MAX_ADDRESS_CHARS else NOWHERE

    def reload_if_changed(self) -> bool:
        """Take a new or replaced file into use. Return whether that happened; a broken one leaves the old."""
        if self._path is None:
            return False
        stamp, before = _stamp(self._path), self._stamp
        self._stamp = stamp
        if stamp is None:
            self._problem = "the file is missing"
            return False
        return stamp != before and self._open(self._path)

    def describe(self) -> str:
        """Return which source answers, its type and its date, in one line for people."""
        trouble = f" ({self._path}: {self._problem})" if self._problem else ""
        if self._reader is None:
            return f"iptocc: country only, from the registries' allocations{trouble}"
        metadata = self._reader.metadata()
        built = datetime.fromtimestamp(metadata.build_epoch, UTC)
        return f"{self._path}: {metadata.database_type}, built {built:%Y-%m-%d}{trouble}"

    def close(self) -> None:
        """Give the file back; lookups answer nowhere from then on."""
        self._cached = _cache(lambda _: None)
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _open(self, path: Path) -> bool:
        import geoip2.database
        from maxminddb import InvalidDatabaseError

        try:
            # geoip2's own methods refuse files whose type does not name them, which are the free ones of most
            # makers: the raw record is read from the reader below.
            reader = geoip2.database.Reader(path)._db_reader  # noqa: SLF001 - see above
            reader.get("192.0.2.1")  # a damaged tree shows here rather than at a visitor
        except (OSError, ValueError, InvalidDatabaseError) as error:
            self._problem = f"cannot be read: {error}"
            return False
        self._problem = ""
        self._reader = reader
        # The old reader is not closed: a lookup on another thread may be in it; the last one frees it.
        self._cached = _cache(reader.get)
        return True


def _stamp(path: Path) -> _Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


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
    if isinstance(address, IPv6Address) and address.sixtofour:
        address = address.sixtofour
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
