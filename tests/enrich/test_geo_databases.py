"""Which databases a folder holds and which one is in force on a day."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from conftest import build_database

from pipeline.enrich.geo.databases import GeoDatabase, in_force, list_databases, read_database
from pipeline.errors import GeoError

TORONTO = ZoneInfo("America/Toronto")


def make_database(name: str, built: datetime, **changes: str) -> GeoDatabase:
    shape = {"database_type": name, "ip_version": 6}
    given = {"kind": "City", "provider": "maxmind"} | changes
    return GeoDatabase(path=Path(name), built=built, **shape, **given)


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2016, 11, day, hour, tzinfo=UTC)


def test_folder_is_listed_by_build_time(tmp_path: Path) -> None:
    """Not by file name or time; other files are left alone; the type's words give the provider."""
    build_database(
        tmp_path / "a.mmdb", "GeoLite2-City", "2016-11-03T11:31:32Z", {"2.0.0.0/8": "CA"}
    )
    build_database(
        tmp_path / "b.mmdb", "DBIP-Country-Lite", "2016-10-01T00:00:00Z", {"2.0.0.0/8": "CA"}
    )
    build_database(tmp_path / "c.mmdb", "geo-whois", "2016-12-01T00:00:00Z", {"2.0.0.0/8": "=CA"})
    (tmp_path / "README.txt").write_text("not a database")
    (tmp_path / "half.mmdb.part").write_bytes(b"\0")
    found = list_databases(tmp_path)
    assert [(one.path.name, one.kind, one.provider) for one in found] == [
        ("b.mmdb", "Country", "dbip"),
        ("a.mmdb", "City", "maxmind"),
        ("c.mmdb", "flat", "geo"),
    ]
    assert found[1].built == datetime(2016, 11, 3, 11, 31, 32, tzinfo=UTC)
    assert found[1].build_date == date(2016, 11, 3)


def test_kind_is_read_from_the_content(tmp_path: Path) -> None:
    """A converted database keeps the name of its source and is flat all the same."""
    path = tmp_path / "geolite2.mmdb"
    build_database(path, "GeoLite2-Country", "2016-11-03T00:00:00Z", {"2.0.0.0/8": "=NA"})
    assert read_database(path).kind == "flat"
    build_database(path, "own", "2016-11-03T00:00:00Z", {"2.0.0.0/8": "CA-ON"})
    assert read_database(path).kind == "City"
    build_database(path, "own", "2016-11-03T00:00:00Z", {"2.0.0.0/8": "CA"})
    assert read_database(path).kind == "Country"


def test_database_of_other_things_is_left_out(tmp_path: Path) -> None:
    """Others may lie in the same folder: the listing skips them, asking for one fails."""
    path = tmp_path / "GeoLite2-ASN.mmdb"
    build_database(path, "GeoLite2-ASN", "2016-11-03T00:00:00Z", {"2.0.0.0/8": "registered CA"})
    assert list_databases(tmp_path) == []
    with pytest.raises(GeoError, match=r"GeoLite2-ASN\.mmdb holds no countries and no networks"):
        read_database(path)


def test_country_database_without_any_record_is_damaged(tmp_path: Path) -> None:
    """Its type promises countries: `ZZ` for everybody would be silent damage."""
    build_database(tmp_path / "empty.mmdb", "GeoLite2-Country", "2016-11-03T00:00:00Z", {})
    with pytest.raises(GeoError, match=r"empty\.mmdb is damaged.*holds no records"):
        list_databases(tmp_path)


@pytest.mark.parametrize("content", [b"", b"<html>no</html>", bytes(100_000)])
def test_file_that_is_no_database_is_named(tmp_path: Path, content: bytes) -> None:
    """A .mmdb file that cannot be opened stops the listing."""
    (tmp_path / "wrong.mmdb").write_bytes(content)
    with pytest.raises(GeoError, match=r"wrong\.mmdb is damaged"):
        list_databases(tmp_path)


def test_missing_folder_holds_none_and_a_file_is_no_folder(tmp_path: Path) -> None:
    """A first run has no folder yet; a file in its place is a mistake."""
    assert list_databases(tmp_path / "geo") == []
    (tmp_path / "file").touch()
    with pytest.raises(GeoError, match="is not a folder"):
        list_databases(tmp_path / "file")


def test_newest_built_before_the_days_start_is_in_force() -> None:
    """Built during the day or at its first instant is too late; a newer one does not count."""
    databases = [make_database(f"d{day}", at(day, 5)) for day in (2, 8, 9)]
    for start, expected in [
        (at(8, 5), "d2"),  # built at this very instant: not before
        (at(8, 6), "d8"),
        (at(9, 4), "d8"),
        (at(20), "d9"),
    ]:
        database, is_late = in_force(databases, start, None)
        assert (database.path.name, is_late) == (expected, False), start


def test_day_starts_in_the_sites_zone() -> None:
    """Built 04:00 UTC on the 9th: before that day began in Toronto, after it began in UTC."""
    databases = [make_database("old", at(1)), make_database("new", at(9, 4))]
    local_start = datetime(2016, 11, 9, tzinfo=TORONTO)  # 05:00 UTC
    assert in_force(databases, local_start, None)[0].path.name == "new"
    assert in_force(databases, at(9), None)[0].path.name == "old"


def test_oldest_is_used_late_when_none_is_old_enough() -> None:
    """Better a database of a few days later than no country; the flag tells."""
    databases = [make_database("b", at(7)), make_database("a", at(3, 11))]
    database, is_late = in_force(databases, at(3), None)
    assert (database.path.name, is_late) == ("a", True)


@pytest.mark.parametrize("start", [at(1), at(20)])
def test_city_comes_before_country_on_equal_dates(start: datetime) -> None:
    """Dates are compared, not times of day; flat comes last."""
    databases = [
        make_database("flat", at(3, 20), kind="flat"),
        make_database("city", at(3, 10)),
        make_database("country", at(3, 15), kind="Country"),
    ]
    assert in_force(databases, start, None)[0].path.name == "city"
    assert in_force(databases[::2], start, None)[0].path.name == "country"


def test_only_the_providers_databases_count() -> None:
    """Another provider's newer database would make a step in the counts."""
    databases = [make_database("m", at(3)), make_database("d", at(5), provider="dbip")]
    assert in_force(databases, at(9), "maxmind")[0].path.name == "m"
    assert in_force(databases, at(9), None)[0].path.name == "d"
    assert in_force(databases, at(4), "dbip")[1] is True


def test_no_database_says_how_to_get_one() -> None:
    """Exit code 2 with the command to run, and the way to do without."""
    with pytest.raises(GeoError, match=r"tidegauge geo fetch dbip-lite.*--no-geo") as raised:
        in_force([], at(9), None)
    assert raised.value.exit_code == 2


def test_no_database_of_the_provider_names_those_there_are() -> None:
    """A wrong geo_provider is told what it could be."""
    with pytest.raises(GeoError, match=r"geo_provider = 'dbip'.*there are: maxmind"):
        in_force([make_database("m", at(3))], at(9), "dbip")


def test_unreadable_file_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    """A dangling link in the folder is named with what to do."""
    (tmp_path / "gone.mmdb").symlink_to(tmp_path / "nowhere")
    with pytest.raises(GeoError, match=r"no address database at .*gone\.mmdb"):
        list_databases(tmp_path)
    shutil.rmtree(tmp_path)
