"""A .mmdb file of places: opened so that replacing it harms nobody, and described for people.

The reader maps its file into memory: a file that shrinks under it, as `cp new old` does for a moment, ends the
process. So a private copy without a name is mapped, and the original may be overwritten.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maxminddb import Reader

_SAMPLED_RECORDS = 2000
_S_PER_DAY = 86_400
Stamp = tuple[int, int, int]


class GeoFileError(Exception):
    """The file cannot be used now. Shape: the text says why."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """What a licence asks to be shown beside results, and the link. Shape: both empty where nothing is asked."""

    licence: str
    text: str = ""
    url: str = ""


# (what type or description of a file hold, what its maker asks for); the first that fits.
_MAKERS: tuple[tuple[tuple[str, ...], Attribution], ...] = (
    (("dbip", "db-ip"), Attribution("CC BY 4.0", "IP Geolocation by DB-IP", "https://db-ip.com")),
    (
        ("geolite2",),
        Attribution(
            "GeoLite End User License Agreement",
            "This product includes GeoLite2 data created by MaxMind",
            "https://www.maxmind.com",
        ),
    ),
    (
        ("ip2location", "ip2lite"),
        Attribution(
            "CC BY-SA 4.0 (LITE) or commercial",
            "This site uses IP2Location LITE data",
            "https://lite.ip2location.com",
        ),
    ),
    (
        ("ipinfo",),
        Attribution("CC BY-SA 4.0 (Lite) or commercial", "IP address data powered by IPinfo", "https://ipinfo.io"),
    ),
    (("geoip2",), Attribution("MaxMind, commercial")),
)
_UNKNOWN_MAKER = Attribution("not named in the file: see where it came from, its maker may ask for a line on pages")
# the package iptocc: the registries' own allocation tables
IPTOCC = Attribution("MIT or Apache-2.0; no attribution is asked for")


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoFile:
    """An open file. Shape: description is the maker's, in English where there is one; built_at is in UTC."""

    path: Path
    reader: "Reader"
    database_type: str
    description: str
    built_at: datetime

    @property
    def attribution(self) -> Attribution:
        """What its licence asks for, by its maker."""
        told = f"{self.database_type} {self.description}".lower()
        return next((asked for names, asked in _MAKERS if any(name in told for name in names)), _UNKNOWN_MAKER)

    def age_days(self, now: datetime) -> int:
        """Return how many days ago it was built."""
        return int((now - self.built_at).total_seconds() // _S_PER_DAY)

    def sample(self) -> Iterator[Any]:
        """Yield some of its records, to see what they hold. Errors: whatever a damaged file raises."""
        return (record for _, record in islice(self.reader, _SAMPLED_RECORDS))


def stamp_of(path: Path) -> Stamp | None:
    """Return what changes when the file does, None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def open_geo_file(path: Path, folder: Path | None = None) -> GeoFile:
    """Return the file, opened by way of a private copy in a folder, the system's temporary one by default.

    Errors: GeoFileError, also while the file is being written.
    """
    from maxminddb import InvalidDatabaseError

    before = stamp_of(path)
    try:
        reader = _map_copy(path, folder)
        reader.get("192.0.2.1")  # a damaged tree shows here rather than at a visitor
        metadata = reader.metadata()
        built_at = datetime.fromtimestamp(metadata.build_epoch, UTC)
    except (OSError, ValueError, OverflowError, InvalidDatabaseError) as error:
        raise GeoFileError(f"cannot be read: {error}") from error
    if stamp_of(path) != before:
        raise GeoFileError("is being written")
    described = metadata.description or {}
    description = described.get("en") or next(iter(described.values()), "")
    return GeoFile(
        path=path, reader=reader, database_type=metadata.database_type, description=description, built_at=built_at
    )


def _map_copy(path: Path, folder: Path | None) -> "Reader":
    import geoip2.database
    from maxminddb import InvalidDatabaseError

    # what is mapped stays when its name goes, with the end of the block
    with NamedTemporaryFile(dir=folder, prefix=".places-", suffix=".mmdb") as copy:
        with path.open("rb") as source:
            shutil.copyfileobj(source, copy, 1024 * 1024)
        copy.flush()
        try:
            # geoip2's own methods refuse files whose type does not name them, which are the free ones of most
            # makers: the raw record is read from the reader below it.
            return geoip2.database.Reader(copy.name)._db_reader  # noqa: SLF001 - see above
        except InvalidDatabaseError as error:
            raise InvalidDatabaseError(str(error).replace(copy.name, str(path))) from error
