"""The table `subdivisions`: names as the newest of the databases that located hits writes them."""

from datetime import date
from pathlib import Path

import duckdb
import pytest
from conftest import build_database
from lake_fixtures import Site, make_line

OF_OLD = {"192.0.2.0/28": "CA-ON:Upper Canada", "192.0.2.16/28": "CA-QC:Lower Canada"}
OF_NOW = {
    "192.0.2.0/28": "CA-ON:Ontario", "192.0.2.16/28": "CA-NS", "192.0.2.32/28": "US-ON:Another's",
    "192.0.2.48/28": "FR",
}  # fmt: skip
ON, QC = ("CA", "ON", "Ontario"), ("CA", "QC", "Lower Canada")
WANTED = [
    (*ON, date(2016, 11, 1)), (*QC, date(2016, 10, 4)), ("US", "ON", "Another's", date(2016, 11, 1))
]  # fmt: skip
LINES = {
    day: b"".join(
        make_line(f"{day}/2016:10:00:00 -0400", f"192.0.2.{host}") for host in (1, 2, 17, 33, 49)
    )
    for day in ("20/Oct", "05/Nov")
}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with databases of October and of November."""
    (tmp_path / "geo").mkdir()
    for built, networks in (("2016-10-04", OF_OLD), ("2016-11-01", OF_NOW)):
        path = tmp_path / "geo" / f"{built}.mmdb"
        build_database(path, "GeoLite2-City", f"{built}T00:00:00Z", networks)
    return Site(tmp_path)


def names_in(site: Site) -> list[tuple]:
    with duckdb.connect(str(site.lake / "tidegauge.duckdb"), read_only=True) as views:
        return views.execute("FROM subdivisions ORDER BY ALL").fetchall()


@pytest.mark.rest_large
@pytest.mark.parametrize("days", [["20/Oct", "05/Nov"], ["05/Nov", "20/Oct"]])
def test_names_are_the_newest_in_whatever_order_days_come(days: list[str], site: Site) -> None:
    """A name of a code that only an old database has stays; what has no name has no row."""
    for number, day in enumerate(days):
        site.run("ingest", site.write(f"{number}.log", LINES[day]))
    assert names_in(site) == WANTED
    site.run("build")
    assert names_in(site) == WANTED
    assert site.run("verify").code == 0


@pytest.mark.large
def test_names_are_written_once_and_guarded(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """What brings nothing new changes no byte; a changed one is found, and ingest heals it."""
    site.run("ingest", site.write("a.log", LINES["20/Oct"] + LINES["05/Nov"]))
    path = site.lake / "subdivisions/part.parquet"
    before = path.read_bytes(), path.stat().st_mtime_ns
    site.run("ingest", site.write("b.log", LINES["05/Nov"][:200] + LINES["05/Nov"]))
    site.run("build")
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    path.write_bytes(before[0][:-20] + b"\0" * 20)
    assert "subdivisions/part.parquet" in site.run("verify", code=1).out
    late = make_line("06/Nov/2016:10:00:00 -0500", "192.0.2.1")
    site.run("ingest", site.write("c.log", late))
    assert caplog.text.count("subdivisions/part.parquet is damaged") == 1
    assert names_in(site) == WANTED[:1]
    site.run("build")
    assert site.run("verify").code == 0


def test_what_is_no_name_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is taken for granted of a record: a list, a number and a map are no names."""
    records = iter([{"en": ["On"]}, {"en": 7}, {}, {"fr": "Ontario"}])
    monkeypatch.setattr("conftest.record_of", lambda place: {
        "country": {"iso_code": "CA"},
        "subdivisions": [{"iso_code": place, "names": next(records)}],
    })  # fmt: skip
    (tmp_path / "geo").mkdir()
    places = {f"192.0.2.{n}/32": f"S{n}" for n in range(4)}
    build_database(tmp_path / "geo/a.mmdb", "GeoLite2-City", "2016-10-04T00:00:00Z", places)
    site = Site(tmp_path)
    lines = (make_line("20/Oct/2016:10:00:00 -0400", f"192.0.2.{n}") for n in range(4))
    site.run("ingest", site.write("a.log", b"".join(lines)))
    assert names_in(site) == []
    assert sorted(row["subdivision"] for row in site.rows("hits")) == ["S0", "S1", "S2", "S3"]


def test_countries_have_names_in_every_lake(site: Site) -> None:
    """Namibia's code is NA; those that ISO lacks are there."""
    site.run("ingest", "--no-geo", site.write("a.log", LINES["05/Nov"]))
    with duckdb.connect(str(site.lake / "tidegauge.duckdb"), read_only=True) as views:
        found = dict(views.execute("FROM countries").fetchall())
        asked = "SELECT country, name FROM countries WHERE country IN ('NA', 'XK', 'GB', 'ZZ')"
        assert sorted(views.execute(asked).fetchall()) == [
            ("GB", "United Kingdom"), ("NA", "Namibia"), ("XK", "Kosovo"), ("ZZ", "unknown place")
        ]  # fmt: skip
    assert len(found) > 245
    assert names_in(site) == []
