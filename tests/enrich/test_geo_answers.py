"""What is a country in a database, and what is said of one that has none."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import maxminddb
import pytest
from conftest import DatedWriter
from lake_fixtures import Site, make_line
from netaddr import IPSet  # type: ignore[import-untyped]
from oracle.databases import answer

from pipeline.enrich.geo.check import check_content
from pipeline.enrich.geo.databases import list_databases, list_left_out, read_database
from pipeline.enrich.geo.lookup import Locator
from pipeline.enrich.geo.single import locate_one, parse_address
from pipeline.errors import GeoError

BUILT = 1_478_000_000  # 1 November 2016
ASN = {"autonomous_system_number": 64500, "autonomous_system_organization": "Example"}
GOOD = {"country": {"iso_code": "CA"}}
LITE = {"country": "United States", "country_code": "US", "continent_code": "NA", "as_name": "x"}


def write(path: Path, kind: str, *records: Mapping[str, Any]) -> Path:
    """Write a database in which 192.0.2.n has the n-th record, from 1."""
    writer = DatedWriter(ip_version=6, ipv4_compatible=True, database_type=kind)
    writer.built_at = BUILT
    for number, record in enumerate(records, 1):
        writer.insert_network(IPSet([f"192.0.2.{number}/32"]), dict(record))
    writer.to_db_file(str(path))
    return path


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("US", "US"), ("us", "US"), ("uS", "US"), ("XK", "XK"), ("NA", "NA"), ("None", "ZZ"),
        ("none", "ZZ"), ("null", "ZZ"), ("", "ZZ"), ("-", "ZZ"), ("--", "ZZ"), ("USA", "ZZ"),
        ("U", "ZZ"), ("U1", "ZZ"), ("12", "ZZ"), (" US", "ZZ"), ("US ", "ZZ"), ("US\n", "ZZ"),
        ("\u00fcs", "ZZ"), ("\u017f\u017f", "ZZ"), ("\uff35\uff33", "ZZ"), ("<b>", "ZZ"),
    ],
)  # fmt: skip
def test_a_country_is_two_letters(tmp_path: Path, text: str, country: str) -> None:
    """However the database is built; at once, alone, and by the oracle."""
    forms: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
        "GeoLite2-City": (GOOD, {"country": {"iso_code": text}}),
        "open": ({"country_code": "CA"}, {"country_code": text}),
        "ipinfo": ({"country": "CA"}, {"country": text}),
        "ipinfo lite": (LITE, {**LITE, "country_code": text}),
    }
    for kind, records in forms.items():
        path = write(tmp_path / f"{kind}.mmdb", kind, *records)
        with Locator(read_database(path)) as locator:
            assert locator.locate(["192.0.2.2", "192.0.2.9"])[0].to_pylist() == [country, "ZZ"]
        assert locate_one(parse_address("192.0.2.2"), read_database(path))[0] == country
        with maxminddb.open_database(path) as reader:
            assert answer(reader, "192.0.2.2")[0] == country


@pytest.mark.parametrize("record", [{"country_code": 5}, {"country_code": ["US"]}, {}, ASN])
def test_an_answer_that_is_no_text_is_none(tmp_path: Path, record: dict[str, Any]) -> None:
    path = write(tmp_path / "x.mmdb", "open", {"country_code": "CA"}, record)
    with Locator(read_database(path)) as locator:
        assert locator.locate(["192.0.2.1", "192.0.2.2"])[0].to_pylist() == ["CA", "ZZ"]


LEFT_OUT = {
    "of networks": ("GeoLite2-ASN", ASN, "autonomous_system_number"),
    "of networks by a wrong name": ("GeoLite2-City", ASN, "autonomous_system_number"),
    "of names of countries": ("names", {"country": "Canada"}, "only country"),
    "of domains": ("GeoIP2-Domain", {"domain": "example.com"}, "only domain"),
}


@pytest.mark.parametrize("what", LEFT_OUT)
def test_a_database_without_countries_is_left_out_and_says_why(tmp_path: Path, what: str) -> None:
    """Whatever its file and its type are called: in the list, and where none is left."""
    kind, record, why = LEFT_OUT[what]
    site = Site(tmp_path)
    (tmp_path / "geo").mkdir()
    path = write(tmp_path / "geo/GeoLite2-City.mmdb", kind, record)
    assert list_databases(tmp_path / "geo") == []
    assert why in list_left_out(tmp_path / "geo")[0].why
    with pytest.raises(GeoError, match=r"GeoLite2-City\.mmdb holds no countries"):
        read_database(path)
    (row,) = json.loads(site.run("geo", "list", "--format", "json").out)
    assert row["file"] == "GeoLite2-City.mmdb"
    assert row["kind"].startswith("left out: holds no countries")
    assert why in row["kind"]
    log = site.write("web.log", make_line(client="192.0.2.1"))
    for command in (["ingest", log], ["geo", "lookup", "192.0.2.1"]):
        told = site.run(*command, code=2).err
        assert "no address database in geo; GeoLite2-City.mmdb is left out: it holds" in told
        assert why in told


def test_a_database_that_is_left_out_changes_nothing_beside_another(tmp_path: Path) -> None:
    site = Site(tmp_path)
    (tmp_path / "geo").mkdir()
    write(tmp_path / "geo/a.mmdb", "GeoLite2-ASN", ASN)
    write(tmp_path / "geo/b.mmdb", "GeoLite2-Country", GOOD)
    site.run("ingest", site.write("web.log", make_line(client="192.0.2.1")))
    assert [hit["country"] for hit in site.rows("hits")] == ["CA"]
    rows = json.loads(site.run("geo", "list", "--format", "json").out)
    assert [(row["file"], row["kind"][:8]) for row in rows] == [
        ("b.mmdb", "Country"), ("a.mmdb", "left out"),
    ]  # fmt: skip


def test_records_that_lack_a_country_leave_their_database_one_of_countries(tmp_path: Path) -> None:
    """Satellite providers are registered somewhere and located nowhere."""
    path = write(tmp_path / "x.mmdb", "GeoLite2-City", {"registered_country": {"iso_code": "DE"}})
    assert read_database(path).kind == "City"


def test_a_fetched_database_without_countries_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.mmdb", "GeoLite2-Country", ASN)
    with pytest.raises(GeoError, match="no usable address database: it holds no countries"):
        check_content(path, "x", datetime(2016, 11, 22, tzinfo=UTC))
