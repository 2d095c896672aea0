"""What a fetched file must pass, from plain files: archives, dates, sizes, known addresses."""

import gzip
import io
import os
import stat
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import build_database

from pipeline.enrich.geo.check import KNOWN_COUNTRIES, Waivers
from pipeline.enrich.geo.databases import list_databases, read_database
from pipeline.enrich.geo.fetch import Effects, Fetched, Options, fetch
from pipeline.enrich.geo.lookup import Locator
from pipeline.errors import GeoError

NOW = datetime(2016, 11, 22, 9, tzinfo=UTC)
NOV_3 = "2016-11-03T11:31:32Z"


def make_database(
    path: Path, kind: str = "GeoLite2-City", built: str = NOV_3, extra: int = 0, missing: int = 0
) -> Path:
    """A database of the known addresses but `missing`, and of `extra` networks more."""
    known = list(KNOWN_COUNTRIES.items())[missing:]
    networks = {f"{ip}/32": place for ip, place in known}
    networks |= {f"10.{n >> 8}.{n & 255}.0/24": "CA" for n in range(extra)}
    build_database(path, kind, built, networks)
    return path


def fetch_file(path: Path, folder: Path, **waived: bool) -> Fetched:
    return fetch(str(path), folder, NOW, Options(waivers=Waivers(**waived)))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_archive(path: Path, members: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "geo"


def test_file_is_put_beside_the_older_ones(tmp_path: Path, folder: Path) -> None:
    """Under type and build date; the source stays; a reader with another account may open it."""
    source = make_database(tmp_path / "x.bin")
    fetch_file(source, folder)
    make_database(source, built="2016-11-10T00:00:00Z")
    fetched = fetch_file(source, folder)
    assert fetched.database.path.name == "GeoLite2-City-2016-11-10.mmdb"
    assert names(folder) == ["GeoLite2-City-2016-11-03.mmdb", "GeoLite2-City-2016-11-10.mmdb"]
    assert source.exists()
    umask = os.umask(0o022)
    os.umask(umask)
    assert stat.S_IMODE(fetched.database.path.stat().st_mode) == 0o666 & ~umask


def test_gzip_and_archive_hold_the_same_build(tmp_path: Path, folder: Path) -> None:
    """The same build in another wrapping is no change."""
    content = make_database(tmp_path / "x.mmdb").read_bytes()
    (tmp_path / "x.gz").write_bytes(gzip.compress(content))
    archive = write_archive(tmp_path / "x.tgz", [("a/README", b""), ("a/x.mmdb", content)])
    assert fetch_file(tmp_path / "x.gz", folder).is_new
    assert not fetch_file(archive, folder).is_new
    assert not fetch_file(tmp_path / "x.mmdb", folder).is_new
    assert names(folder) == ["GeoLite2-City-2016-11-03.mmdb"]


@pytest.mark.parametrize("name", ["../../evil.mmdb", "/tidegauge-evil/x.mmdb", "a/../b.mmdb"])
def test_paths_in_an_archive_mean_nothing(tmp_path: Path, folder: Path, name: str) -> None:
    """The member's bytes are stored under our name; nothing is written where the archive says."""
    content = make_database(tmp_path / "x.mmdb").read_bytes()
    write_archive(tmp_path / "x.tar.gz", [(name, content)])
    before = names(tmp_path)
    assert fetch_file(tmp_path / "x.tar.gz", folder).is_new
    assert names(tmp_path) == sorted([*before, "geo"])
    assert names(folder) == ["GeoLite2-City-2016-11-03.mmdb"]
    assert not (tmp_path.parent / "evil.mmdb").exists()
    assert not Path("/tidegauge-evil").exists()


def test_links_in_an_archive_are_no_database(tmp_path: Path, folder: Path) -> None:
    """A symbolic link named like a database is not followed."""
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        link = tarfile.TarInfo("x.mmdb")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(GeoError, match=r"x\.tar\.gz holds 0 \.mmdb files"):
        fetch_file(tmp_path / "x.tar.gz", folder)


@pytest.mark.parametrize("count", [0, 2])
def test_archive_holds_exactly_one_database(tmp_path: Path, folder: Path, count: int) -> None:
    """Which of two would be meant cannot be known."""
    members = [("README", b"text"), *((f"{n}.mmdb", b"x") for n in range(count))]
    write_archive(tmp_path / "x.tar.gz", members)
    with pytest.raises(GeoError, match=rf"holds {count} \.mmdb files"):
        fetch_file(tmp_path / "x.tar.gz", folder)
    assert names(folder) == []


@pytest.mark.parametrize("wrap", ["gz", "member", "other member"])
def test_what_unpacks_to_too_much_is_refused(tmp_path: Path, folder: Path, wrap: str) -> None:
    """50 MB of zeros in 50 kB: reading stops at the limit, wherever in the file they are."""
    bomb = bytes(50_000_000)
    if wrap == "gz":
        (tmp_path / "x").write_bytes(gzip.compress(bomb))
    else:
        write_archive(tmp_path / "x", [("a.mmdb" if wrap == "member" else "a.txt", bomb)])
    with pytest.raises(GeoError, match="unpacks to more than 1,000,000 bytes"):
        fetch(str(tmp_path / "x"), folder, NOW, effects=Effects(max_unpacked_bytes=1_000_000))
    assert names(folder) == []


@pytest.mark.parametrize(
    ("built", "is_sane"),
    [
        ("2001-09-09T01:46:40Z", False),
        ("2011-12-31T23:59:59Z", False),
        ("2012-01-01T00:00:00Z", True),
        ("2016-11-23T08:59:59Z", True),  # a clock that is a day behind
        ("2016-11-23T09:00:01Z", False),
        ("2036-01-01T00:00:00Z", False),
    ],
)
def test_build_date_must_be_possible(
    tmp_path: Path, folder: Path, built: str, is_sane: bool
) -> None:
    """Not before the format existed, not more than a day ahead of the clock."""
    source = make_database(tmp_path / "x.mmdb", built=built)
    if is_sane:
        assert fetch_file(source, folder).is_new
        return
    with pytest.raises(GeoError, match=rf"says it was built on {built[:10]}"):
        fetch_file(source, folder)
    assert names(folder) == []


@pytest.mark.parametrize(("missing", "is_enough"), [(3, True), (4, False), (11, False)])
def test_most_known_addresses_must_be_located(
    tmp_path: Path, folder: Path, missing: int, is_enough: bool
) -> None:
    """Nine of the twelve; the message gives one that is wrong."""
    source = make_database(tmp_path / "x.mmdb", missing=missing)
    if is_enough:
        assert fetch_file(source, folder).is_new
        return
    said = rf"misplaces {missing} of 12 known addresses \(8\.8\.8\.8 in ZZ, not US\)"
    with pytest.raises(GeoError, match=said):
        fetch_file(source, folder)
    assert names(folder) == []


def test_known_addresses_are_where_the_real_database_has_them() -> None:
    """All twelve, in GeoLite2-City of 2016-11-03."""
    module = pytest.importorskip("_geoip_geolite2", reason="extra `demo` is not installed")
    path = Path(module.__file__).with_name("GeoLite2-City.mmdb")
    with Locator(read_database(path)) as locator:
        found = locator.locate(list(KNOWN_COUNTRIES))[0].to_pylist()
    assert found == list(KNOWN_COUNTRIES.values())


def test_older_one_needs_a_word(tmp_path: Path, folder: Path) -> None:
    """A mirror that serves last month's file is noticed; an earlier period is asked for."""
    fetch_file(make_database(tmp_path / "new.mmdb"), folder)
    old = make_database(tmp_path / "old.mmdb", built="2016-10-04T00:00:00Z")
    with pytest.raises(GeoError, match=r"built on 2016-10-04, before GeoLite2-City-2016-11-03"):
        fetch_file(old, folder)
    assert fetch_file(old, folder, allow_older=True).is_new
    assert len(names(folder)) == 2


@pytest.mark.parametrize(("first", "then"), [(2000, 100), (100, 2000)])
def test_size_far_from_the_last_one_needs_a_word(
    tmp_path: Path, folder: Path, first: int, then: int
) -> None:
    """Under half or over double the last one of the same type is suspect."""
    fetch_file(make_database(tmp_path / "x.mmdb", extra=first), folder)
    source = make_database(tmp_path / "x.mmdb", built="2016-11-10T00:00:00Z", extra=then)
    with pytest.raises(GeoError, match=r"of the size of GeoLite2-City-2016-11-03\.mmdb"):
        fetch_file(source, folder)
    assert names(folder) == ["GeoLite2-City-2016-11-03.mmdb"]
    assert fetch_file(source, folder, allow_size=True).is_new


def test_another_type_has_its_own_measure(tmp_path: Path, folder: Path) -> None:
    """A Country database may be older and smaller than the City one beside it."""
    fetch_file(make_database(tmp_path / "city.mmdb", extra=2000), folder)
    country = make_database(tmp_path / "c.mmdb", "GeoLite2-Country", "2016-10-04T00:00:00Z")
    assert fetch_file(country, folder).is_new


def test_two_builds_of_one_day_do_not_overwrite(tmp_path: Path, folder: Path) -> None:
    """The second gets its time of day into its name."""
    fetch_file(make_database(tmp_path / "x.mmdb"), folder)
    fetch_file(make_database(tmp_path / "x.mmdb", built="2016-11-03T12:00:00Z"), folder)
    assert names(folder) == [
        "GeoLite2-City-2016-11-03.mmdb",
        "GeoLite2-City-2016-11-03T120000.mmdb",
    ]
    assert [known.built.hour for known in list_databases(folder)] == [11, 12]


@pytest.mark.parametrize("kind", ["../../evil", "/etc/x", "a\0b\x1b[2J", "", "x" * 400])
def test_type_cannot_choose_the_path(tmp_path: Path, folder: Path, kind: str) -> None:
    """The database's own type is only letters, digits and hyphens in the file name, and short."""
    fetched = fetch_file(make_database(tmp_path / "x.mmdb", kind), folder)
    assert fetched.database.path.parent == folder
    assert len(names(folder)) == 1
    assert len(names(folder)[0]) < 100
    assert names(folder)[0].replace("-", "").removesuffix(".mmdb").isalnum()


def test_damaged_database_in_the_folder_stops_the_fetch(tmp_path: Path, folder: Path) -> None:
    """It would stop the next run as well: it is named now."""
    folder.mkdir()
    (folder / "bad.mmdb").write_bytes(b"junk")
    with pytest.raises(GeoError, match=r"bad\.mmdb is damaged"):
        fetch_file(make_database(tmp_path / "x.mmdb"), folder)
    assert names(folder) == ["bad.mmdb"]


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "file").touch()
    with pytest.raises(GeoError, match="cannot fetch into"):
        fetch_file(make_database(tmp_path / "x.mmdb"), tmp_path / "file" / "geo")
