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
from pipeline.enrich.geo.databases import (
    list_databases,
    list_left_out,
    list_networks,
    read_database,
)
from pipeline.enrich.geo.lookup import LONGEST_NAME, Locator
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
    "of networks of another shape": ("GeoLite2-ASN", {"asn": "AS64500"}, "only asn"),
    "of networks that are no numbers": (
        "GeoLite2-ASN",
        {"autonomous_system_number": "64500"},
        "only autonomous_system_number",
    ),
    "of names of countries": ("names", {"country": "Canada"}, "only country"),
    "of domains": ("GeoIP2-Domain", {"domain": "example.com"}, "only domain"),
}


@pytest.mark.parametrize("what", LEFT_OUT)
def test_a_database_of_other_things_is_left_out_and_says_why(tmp_path: Path, what: str) -> None:
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
    write(tmp_path / "geo/a.mmdb", "GeoIP2-Domain", {"domain": "example.com"})
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


def test_a_database_of_networks_is_none_of_countries_whatever_it_is_called(tmp_path: Path) -> None:
    """In the list it is what it holds; alone in the folder it locates nobody, in one sentence."""
    site = Site(tmp_path)
    (tmp_path / "geo").mkdir()
    path = write(tmp_path / "geo/GeoLite2-City.mmdb", "GeoLite2-City", ASN)
    assert list_databases(tmp_path / "geo") == list_left_out(tmp_path / "geo") == []
    (row,) = json.loads(site.run("geo", "list", "--format", "json").out)
    assert row["kind"] == "ASN"
    told = site.run("geo", "lookup", "192.0.2.1", code=2).err
    assert "GeoLite2-City.mmdb is left out: it holds networks, no countries: get one" in told
    with pytest.raises(GeoError, match="holds networks, no countries: use a City or Country"):
        read_database(path)


NAMES: dict[str, tuple[object, str | None]] = {
    "quotes and HTML": ("\"><b>'%s;--\\", "\"><b>'%s;--\\"),
    "lines and escapes": ("a\r\nb\x1b[31m\0", "a\r\nb\x1b[31m\0"),
    "endless": ("\u00e9" * 100_000, "\u00e9" * LONGEST_NAME),
    "no text": (5, None),
    "a list": (["x"], None),
    "empty": ("", ""),
}


@pytest.mark.parametrize("what", NAMES)
def test_a_networks_name_is_a_text_of_others(tmp_path: Path, what: str) -> None:
    """As written up to a length; on a terminal it steers nothing."""
    name, kept = NAMES[what]
    site = Site(tmp_path)
    (tmp_path / "geo").mkdir()
    write(tmp_path / "geo/b.mmdb", "GeoLite2-Country", GOOD)
    write(tmp_path / "geo/a.mmdb", "GeoLite2-ASN", ASN | {"autonomous_system_organization": name})
    (row,) = json.loads(site.run("geo", "lookup", "192.0.2.1", "--format", "json").out)
    assert (row["country"], row["asn"], row["as_org"]) == ("CA", 64500, kept)
    assert row["asn_built"] == "2016-11-01"
    assert "\x1b[31m" not in site.run("geo", "lookup", "192.0.2.1").out


NUMBERS = {"none": None, "no number": "64500", "a flag": True, "negative": -5, "too large": 2**32}


@pytest.mark.parametrize("what", NUMBERS)
def test_what_is_no_number_of_a_network_is_none(tmp_path: Path, what: str) -> None:
    """Nor is what the database doesn't have, or what is no address."""
    other = {} if NUMBERS[what] is None else {"autonomous_system_number": NUMBERS[what]}
    write(tmp_path / "a.mmdb", "GeoLite2-ASN", ASN, other)
    (database,) = list_networks(tmp_path)
    with Locator(database) as locator:
        asked = ["192.0.2.1", "192.0.2.2", "192.0.2.9", "host.example", "192.0.2.1"]
        assert locator.locate(asked)[0].to_pylist() == [64500, 0, 0, 0, 64500]
        assert locator.locate(asked)[1].to_pylist() == ["Example", None, None, None, "Example"]


def test_networks_are_found_by_day_and_provider_beside_the_others(tmp_path: Path) -> None:
    """By the newest built before the day, else by the oldest; without any nothing is said."""
    site = Site(tmp_path)
    (tmp_path / "geo").mkdir()
    write(tmp_path / "geo/b.mmdb", "GeoLite2-Country", GOOD)

    def look(day: str, **settings: str) -> list[object]:
        asked = ("geo", "lookup", "192.0.2.1", "--on", day, "--format", "json")
        (row,) = json.loads(site.run(*asked, env=settings).out)
        return [row["asn"], row["as_org"], row["asn_built"]]

    assert look("2016-11-08") == [None, None, None]
    write(tmp_path / "geo/a.mmdb", "GeoLite2-ASN", ASN)
    later = write(tmp_path / "geo/c.mmdb", "DBIP-ASN-Lite", ASN | {"autonomous_system_number": 7})
    content = later.read_bytes()
    at, built = content.rindex(b"build_epoch"), BUILT.to_bytes(4, "big")
    later.write_bytes(
        content[:at] + content[at:].replace(built, (BUILT + 864_000).to_bytes(4, "big"))
    )
    assert look("2016-11-20") == [7, "Example", "2016-11-11"]
    assert look("2016-11-08") == look("2016-10-01") == [64500, "Example", "2016-11-01"]
    assert look("2016-11-20", TIDEGAUGE_GEO_PROVIDER="maxmind")[0] == 64500


@pytest.mark.parametrize(
    ("record", "of_networks", "why"),
    [
        (ASN, False, "^x holds networks, no countries: say --kind asn to add it as such$"),
        (GOOD, True, "^x holds countries, no networks: leave out --kind asn$"),
        ({"asn": "AS1"}, True, "x is no usable address database: it holds no countries and no"),
        ({"asn": "AS1"}, False, "x is no usable address database: it holds no countries and no"),
        (ASN, True, r"^x misplaces 12 of 12 known addresses \(8\.8\.8\.8 in 0, not 15169\)$"),
    ],
)
def test_a_fetched_database_is_of_what_it_is_fetched_for(
    tmp_path: Path, record: Mapping[str, Any], of_networks: bool, why: str
) -> None:
    path = write(tmp_path / "x.mmdb", "GeoLite2", record)
    now = datetime(2016, 11, 22, tzinfo=UTC)
    with pytest.raises(GeoError, match=why):
        check_content(path, "x", now, of_networks=of_networks)
