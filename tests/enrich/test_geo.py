from collections.abc import Mapping
from pathlib import Path
from typing import Any

import maxminddb
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped]  # ships no types

from server.enrich.geo import NOWHERE, Geo, Place, places_in

NESTED = {
    "country": {"iso_code": "DE", "names": {"en": "Germany", "de": "Deutschland"}},
    "subdivisions": [{"iso_code": "BE", "names": {"en": "Land Berlin"}}, {"iso_code": "X"}],
    "city": {"names": {"de": "Berlin", "en": "Berlin (en)"}},
}
FLAT = {"country_code": "fr", "state1": "Occitanie", "city": "Toulouse", "latitude": "43.6"}
V4 = "81.2.69.0/24"
V6 = "2a02:ff80::/32"


def write_file(path: Path, record: Mapping[str, Any], kind: str = "GeoLite2-City", description: str = "") -> Path:
    """Write a place file whose two networks hold one record, and put it in place by renaming."""
    writer = MMDBWriter(
        ip_version=6, ipv4_compatible=True, database_type=kind, languages=["en"], description=description
    )
    writer.insert_network(IPSet([V4, V6]), dict(record))
    fresh = path.with_suffix(".new")
    writer.to_db_file(str(fresh))
    fresh.replace(path)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "places.mmdb"


@pytest.mark.parametrize(
    ("record", "place"),
    [
        pytest.param(NESTED, Place("DE", "Land Berlin", "Berlin (en)"), id="nested-city"),
        pytest.param({"country": {"iso_code": "GB"}}, Place("GB"), id="nested-country"),
        pytest.param({"subdivisions": [{"iso_code": "BE"}]}, Place(None, "BE"), id="nested-code-only"),
        pytest.param(FLAT, Place("FR", "Occitanie", "Toulouse"), id="flat-city"),
        pytest.param({"country_code": "NL"}, Place("NL"), id="flat-country"),
        pytest.param(
            {"country": "US", "region": "Texas", "city": "Austin"}, Place("US", "Texas", "Austin"), id="plain"
        ),
        pytest.param({"country_code": "", "state1": " ", "city": ""}, NOWHERE, id="empty"),
        pytest.param({"country_code": "ZZ"}, NOWHERE, id="unknown-country"),
        pytest.param({"country": {"names": {"en": "Germany"}}}, NOWHERE, id="no-code"),
        pytest.param({"country": 7, "subdivisions": {}, "city": ["x"]}, NOWHERE, id="other-types"),
    ],
)
def test_record_of_either_shape_is_read(path: Path, record: Mapping[str, Any], place: Place) -> None:
    assert Geo(write_file(path, record)).lookup("81.2.69.142") == place


@pytest.mark.parametrize("kind", ["GeoLite2-City", "DBIP-Country-Lite", "country ipvAll", ""])
def test_file_is_read_whatever_its_type_is_called(path: Path, kind: str) -> None:
    assert Geo(write_file(path, FLAT, kind)).lookup("81.2.69.142").country == "FR"


@pytest.mark.parametrize(
    ("ip", "country"),
    [
        pytest.param("81.2.69.142", "DE", id="v4"),
        pytest.param("2a02:ff80::1", "DE", id="v6"),
        pytest.param("::ffff:81.2.69.142", "DE", id="mapped"),
        pytest.param("2002:5102:458e::1", "DE", id="6to4"),
        pytest.param("64:ff9b::5102:458e", "DE", id="nat64"),
        pytest.param("2001:0:4136:e378:8000:63bf:aefd:ba71", "DE", id="teredo"),
        pytest.param("2002:0a00:0001::1", None, id="6to4-of-a-private-one"),
        pytest.param("100.64.0.1", None, id="carrier"),
        pytest.param("::", None, id="unspecified"),
        pytest.param("ff02::1", None, id="multicast"),
        pytest.param("fd00::1", None, id="unique-local"),
        pytest.param("8.8.8.8", None, id="not-in-file"),
        pytest.param("10.0.0.1", None, id="private"),
        pytest.param("127.0.0.1", None, id="loopback"),
        pytest.param("fe80::1%eth0", None, id="link-local"),
        pytest.param("x", None, id="no-address"),
        pytest.param("", None, id="empty"),
        pytest.param("\ud800", None, id="surrogate"),
        pytest.param("1" * 100_000, None, id="long"),
        pytest.param(None, None, id="none"),
    ],
)
def test_address_of_any_kind_is_looked_up(path: Path, ip: str | None, country: str | None) -> None:
    assert Geo(write_file(path, NESTED)).lookup(ip).country == country


@pytest.mark.parametrize(
    ("ip", "country"),
    [
        pytest.param("8.8.8.8", "US", id="v4"),
        pytest.param("::ffff:8.8.8.8", "US", id="mapped"),
        pytest.param("2001:4860:4860::8888", "US", id="v6"),
        pytest.param("10.0.0.1", None, id="private"),
        pytest.param("xyz", None, id="no-address"),
    ],
)
def test_country_is_known_without_a_file(ip: str, country: str | None) -> None:
    geo = Geo(None)
    assert geo.lookup(ip) == Place(country)
    assert geo.describe().startswith("iptocc: country only")
    assert geo.reload_if_changed() is False


def test_replaced_file_is_taken_into_use(path: Path) -> None:
    geo = Geo(write_file(path, NESTED))
    assert geo.lookup("81.2.69.142").country == "DE"
    assert geo.reload_if_changed() is False
    write_file(path, FLAT)
    assert geo.lookup("81.2.69.142").country == "DE"
    assert geo.reload_if_changed() is True
    assert geo.lookup("81.2.69.142").country == "FR"


def test_old_file_answers_on_when_the_new_one_is_broken(path: Path) -> None:
    geo = Geo(write_file(path, NESTED))
    broken = path.with_suffix(".broken")
    broken.write_bytes(b"no places here")
    broken.replace(path)
    assert geo.reload_if_changed() is False
    assert geo.lookup("81.2.69.142").country == "DE"
    assert "GeoLite2-City" in geo.describe()
    assert "cannot be read" in geo.describe()
    write_file(path, FLAT)
    assert geo.reload_if_changed() is True
    assert "cannot be read" not in geo.describe()


def test_file_overwritten_in_place_is_taken_into_use(path: Path, tmp_path: Path) -> None:
    """As `cp new old` does: the file shrinks to nothing under the running server, then grows again."""
    geo = Geo(write_file(path, NESTED), tmp_path)
    fresh = write_file(tmp_path / "fresh.mmdb", FLAT).read_bytes()
    with path.open("r+b") as file:
        file.truncate(0)
        assert geo.lookup("81.2.69.142").country == "DE"
        assert geo.reload_if_changed() is False
        file.write(fresh[: len(fresh) // 2])
        file.flush()
        assert geo.reload_if_changed() is False
        assert geo.lookup("81.2.69.143").country == "DE"
        file.write(fresh[len(fresh) // 2 :])
    assert geo.reload_if_changed() is True
    assert geo.lookup("81.2.69.142").country == "FR"
    assert geo.problem == ""
    assert {each.name for each in tmp_path.iterdir()} == {"places.mmdb", "fresh.mmdb"}


def test_trouble_is_logged_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "footfall.geo")
    geo = Geo(write_file(path, NESTED))
    path.unlink()
    for _ in range(3):
        geo.reload_if_changed()
    assert [record.message for record in caplog.records] == [f"{path} is missing: the old one answers on"]
    path.write_bytes(b"no places here")
    for _ in range(3):
        geo.reload_if_changed()
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    write_file(path, FLAT)
    assert geo.reload_if_changed() is True
    assert caplog.records[-1].message == f"{path} answers again"


@pytest.mark.parametrize(
    ("kind", "description", "text"),
    [
        pytest.param("DBIP-City-Lite", "", "IP Geolocation by DB-IP", id="db-ip"),
        pytest.param("country ipvAll", "made from DB-IP Lite", "IP Geolocation by DB-IP", id="by-description"),
        pytest.param("GeoLite2-City", "", "This product includes GeoLite2 data created by MaxMind", id="geolite"),
        pytest.param("IP2LITE-IPV6-DB3", "", "This site uses IP2Location LITE data", id="ip2location"),
        pytest.param("ipinfo generic_country_free_country.mmdb", "", "IP address data powered by IPinfo", id="ipinfo"),
        pytest.param("GeoIP2-City", "", "", id="bought"),
        pytest.param("country ipvAll", "", "", id="unknown"),
    ],
)
def test_attribution_follows_the_maker(path: Path, kind: str, description: str, text: str) -> None:
    asked = Geo(write_file(path, NESTED, kind, description)).attribution()
    assert asked.text == text
    assert bool(asked.url) == bool(text)
    assert asked.licence


def test_nothing_is_asked_for_without_a_file() -> None:
    assert Geo(None).attribution().text == ""


@pytest.mark.parametrize(
    ("record", "known"),
    [
        (NESTED, ["country", "region", "city"]),
        ({"country_code": "NL"}, ["country"]),
        ({"autonomous_system_number": 64496, "autonomous_system_organization": "Example"}, []),
    ],
)
def test_what_a_file_holds_is_told(path: Path, record: Mapping[str, Any], known: list[str]) -> None:
    file = Geo(write_file(path, record)).file
    assert file is not None
    assert places_in(file) == known


def test_old_file_answers_on_when_it_is_removed(path: Path) -> None:
    geo = Geo(write_file(path, NESTED))
    path.unlink()
    assert geo.reload_if_changed() is False
    assert geo.lookup("81.2.69.142").country == "DE"
    assert "missing" in geo.describe()


def test_file_that_comes_later_is_taken_into_use(path: Path) -> None:
    geo = Geo(path)
    assert "missing" in geo.describe()
    assert geo.lookup("8.8.8.8").country == "US"
    write_file(path, NESTED)
    assert geo.reload_if_changed() is True
    assert geo.lookup("81.2.69.142").country == "DE"
    assert "missing" not in geo.describe()


def test_file_may_change_without_changing_its_size(path: Path) -> None:
    geo = Geo(write_file(path, {"country_code": "NL"}))
    size = path.stat().st_size
    write_file(path, {"country_code": "BE"})
    assert path.stat().st_size == size
    assert geo.reload_if_changed() is True
    assert geo.lookup("81.2.69.142").country == "BE"


def test_damaged_record_is_nowhere(path: Path) -> None:
    """A file whose tree is sound and whose records are not must not cost an event."""
    data = bytearray(write_file(path, NESTED).read_bytes())
    start = data.rindex(b"Land Berlin")
    data[start - 40 : start + 40] = b"\xff" * 80
    path.write_bytes(data)
    with maxminddb.open_database(path) as reader, pytest.raises(maxminddb.InvalidDatabaseError):
        reader.get("81.2.69.142")
    assert Geo(path).lookup("81.2.69.142") == NOWHERE


def test_description_names_file_type_and_date(path: Path) -> None:
    description = Geo(write_file(path, NESTED)).describe()
    assert description.startswith(f"{path}: GeoLite2-City, built 20")


def test_closed_lookup_answers_nowhere(path: Path) -> None:
    geo = Geo(write_file(path, NESTED))
    geo.close()
    geo.close()
    assert geo.lookup("81.2.69.142") == NOWHERE


def test_folder_in_place_of_a_file_leaves_the_built_in_answer(tmp_path: Path) -> None:
    geo = Geo(tmp_path)
    assert geo.lookup("8.8.8.8").country == "US"
    assert "cannot be read" in geo.describe()
