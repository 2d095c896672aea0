"""Whose network a hit's address is of: from a database of them into hits and sessions, or null."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
import verify_lakes as lakes
from conftest import build_database, build_default_databases
from lake_fixtures import Site, make_line

from pipeline.lake.lake import Lake
from pipeline.lake.sheets import list_sheets

NETWORKS = {"192.0.2.0/25": 'AS64500 "One", <b>Inc</b>', "192.0.2.128/25": "AS64501"}
ADDED = ["asn", "as_org"]


def write_logs(site: Site) -> None:
    """Two servers' small files, and a large one's that has Parquet of its own."""
    for day in (8, 9):
        for host, kept in (("web01", 5), ("web02", 9)):
            lines = [
                make_line(f"{day:02}/Nov/2016:{n:02}:00:00 -0500", f"192.0.2.{n * 20}")
                for n in range(kept)
            ]
            site.write(f"{host}-201611{day:02}.log", b"".join(lines))
    big = [
        make_line(f"08/Nov/2016:{n // 60:02}:{n % 60:02}:00 -0500", "192.0.2.7", agent="x" * 2000)
        for n in range(600)
    ]
    site.write("web03.log", b"".join(big))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with databases of countries, and raw files."""
    made = Site(tmp_path)
    build_default_databases(tmp_path / "geo")
    write_logs(made)
    return made


def fetch_networks(site: Site, built: str = "2016-11-01T00:00:00Z", **more: str) -> None:
    path = site.folder / "geo" / f"networks-{built[:10]}.mmdb"
    build_database(path, "GeoLite2-ASN", built, NETWORKS | more)


def take_in(site: Site, *also: str) -> None:
    site.run("ingest", "raw", "--geo", "geo")
    site.run("build", "--geo", "geo", *also)


def networks_of(site: Site, table: str) -> set[tuple[object, object]]:
    return {(row.get("asn"), row.get("as_org")) for row in site.rows(table)}


FOUND = {(64500, '"One", <b>Inc</b>'), (64501, None)}


def test_hits_and_sessions_have_the_network_of_the_day(site: Site) -> None:
    fetch_networks(site)
    take_in(site)
    assert networks_of(site, "hits") == networks_of(site, "sessions") == FOUND
    assert {record["networks"] for record in site.records().values()} == {"2016-11-01"}
    assert site.run("verify", "--geo", "geo").err.endswith("nothing is off\n")


@pytest.mark.large
def test_without_a_database_all_of_it_is_null(site: Site) -> None:
    """Also of what was located nowhere, though there is a database of networks."""
    take_in(site)
    assert networks_of(site, "hits") == networks_of(site, "sessions") == {(None, None)}
    assert {record["networks"] for record in site.records().values()} == {"none"}
    other = Site(site.folder / "other")
    other.folder.mkdir()
    fetch_networks(site)
    other.ingest(site.folder / "raw")
    assert networks_of(other, "hits") == {(None, None)}
    told = other.run("build", "--explain", "--geo", site.folder / "geo")
    assert "networks" not in told.out + told.err


@pytest.mark.large
def test_a_database_that_comes_later_is_a_reason_to_read_again(site: Site) -> None:
    """As another one of countries: said, waiting until asked; then the lake is as made of it."""
    take_in(site)
    before = site.hashes()
    fetch_networks(site)
    take_in(site)
    assert site.hashes() == before
    status = squeeze(site, "status")
    assert "located by another database  2016-11-08 to 2016-11-09 (2)" in status
    assert "networks-2016-11-01.mmdb (built 2016-11-01)" in status
    told = site.run("build", "--explain", "--geo", "geo")
    assert "networks by the database of none, in force: 2016-11-01" in told.out + told.err
    take_in(site, "--also", "geo")
    assert networks_of(site, "sessions") == FOUND
    fresh = Site(site.folder / "fresh")
    fresh.folder.mkdir()
    fresh.run("ingest", site.folder / "raw", "--geo", site.folder / "geo")
    fresh.run("build", "--geo", site.folder / "geo")
    assert fresh.hashes() == site.hashes()
    fetch_networks(site, "2016-11-09T00:00:00Z", **{"192.0.2.128/25": "AS7"})  # of the 9th alone
    assert "located by another database  2016-11-09" in squeeze(site, "status")
    take_in(site, "--also", "geo")
    assert networks_of(site, "sessions") == FOUND | {(7, None)}
    (site.folder / "geo" / "networks-2016-11-09.mmdb").unlink()
    (site.folder / "geo" / "networks-2016-11-01.mmdb").unlink()
    assert "located by another database  none" in squeeze(site, "status")


def squeeze(site: Site, *args: str) -> str:
    rows = json.loads(site.run(*args, "--geo", "geo", "--format", "json").out)
    return "\n".join("  ".join(str(value) for value in row.values()) for row in rows)


def drop(columns: list[str]) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.drop_columns(columns)


def make_older(site: Site) -> None:
    """Write the lake as a version before this one did: without the columns, and the record's."""
    for table in ("hits", "sessions"):
        for path in (site.lake / table).rglob("*.parquet"):
            lakes.rewrite(site, path, drop(ADDED))
    lakes.rewrite_records(site, lambda record: replace(record, networks=None))
    for sheet in list_sheets(Lake(site.lake).ledger):
        lakes.rewrite(site, sheet.path, drop(["networks"]))

    def by_other_models(built: dict[str, dict[str, object]]) -> None:
        for parts in built.values():
            parts["definitions"] = "earlier"

    lakes.rewrite_json(site.lake / "ledger" / "built.json", by_other_models)


@pytest.mark.large
def test_a_lake_of_an_earlier_version_reads_on(site: Site) -> None:
    """Its rows have null beside those that came later, in views, build and verify; or all anew."""
    take_in(site)
    make_older(site)
    site.run("build")
    assert site.run("verify", "--geo", "geo").err.endswith("nothing is off\n")
    fetch_networks(site)
    late = make_line("09/Nov/2016:09:30:00 -0500", "192.0.2.5")
    site.write("web02-20161110.log", late)  # to lie with those that lack the columns
    site.write("web09.log", late)
    take_in(site)
    assert site.run("verify", "--geo", "geo").err.endswith("nothing is off\n")
    with duckdb.connect(str(site.lake / "tidegauge.duckdb"), read_only=True) as views:
        found = views.execute("SELECT source, asn, count(*) FROM hits GROUP BY ALL").fetchall()
        assert set(found) >= {("web09", 64500, 1), ("web02", 64500, 1), ("web03", None, 600)}
        (known,) = views.execute("SELECT list(DISTINCT networks) FROM files").fetchall()
        assert {*known[0]} == {"2016-11-01", None}
        days = views.execute("SELECT day, count(asn) FROM sessions GROUP BY day").fetchall()
        assert {str(day): count for day, count in days} == {"2016-11-08": 0, "2016-11-09": 1}
    site.run("why")
    take_in(site, "--also", "geo")
    assert networks_of(site, "sessions") == FOUND
    assert site.run("verify", "--geo", "geo").err.endswith("nothing is off\n")


CHANGES: dict[str, tuple[Callable[[pa.Table], pa.Table], str]] = {
    "another number": (lambda t: lakes.with_value(t, "asn", 0, 5), "counted anew"),
    "another name": (lambda t: lakes.with_value(t, "as_org", 0, "x"), "counted anew"),
    "no number": (lambda t: lakes.with_value(t, "asn", 0, None), "asn is null in some rows"),
    "no columns": (drop(ADDED), "asn is null in some rows"),
}


@pytest.mark.rest_large
@pytest.mark.parametrize("change", CHANGES)
def test_another_network_is_found_by_verify(site: Site, change: str) -> None:
    fetch_networks(site)
    take_in(site)
    edit, words = CHANGES[change]
    (path,) = (site.lake / "hits" / "day=2016-11-08").glob("web03-*.parquet")
    lakes.rewrite(site, path, edit)
    rows = lakes.verify(site, code=1)
    assert any(words in row["finding"] for row in rows), rows


@pytest.mark.large
def test_a_network_of_no_database_is_found_by_verify(site: Site) -> None:
    take_in(site)
    (path,) = (site.lake / "hits" / "day=2016-11-08").glob("web03-*.parquet")
    lakes.rewrite(site, path, lambda table: lakes.with_value(table, "asn", 0, 64500))
    found = [row["finding"] for row in lakes.verify(site, code=1)]
    assert any("has networks, of which its record has no database" in text for text in found)
