"""Reports of the field about days, clients, databases and names, from raw files to figures.

A folder beside this file has a case's input; long regular logs are written by the test.
"""

import csv
import gzip
import io
import json
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import zstandard
from conftest import build_default_databases
from lake_fixtures import Site, make_line

FIELD = Path(__file__).parent
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site of its own in the zone UTC."""
    (tmp_path / "tidegauge.toml").write_text('timezone = "UTC"\n')
    return Site(tmp_path)


def given(site: Site, case: str, *, zone: str = "UTC", more: str = "") -> None:
    """Lay the case's input into the site's folder `raw`, and set its zone."""
    shutil.copytree(FIELD / case, site.folder / "raw", dirs_exist_ok=True)
    settle(site, zone, more)


def settle(site: Site, zone: str, more: str = "") -> None:
    (site.folder / "tidegauge.toml").write_text(f'timezone = "{zone}"\n{more}')


def run(site: Site, *args: str | Path, code: int = 0) -> str:
    """Run a command with the site's own settings; return what it printed."""
    return site.run(*args, code=code, env={"TIDEGAUGE_TIMEZONE": None}).out


def rows(site: Site, *args: str | Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(site, *args, "--format", "json"))
    return found


def build(site: Site, *args: str | Path) -> None:
    run(site, "ingest", *args, "--no-geo")
    run(site, "build")


def clients(site: Site) -> int:
    return len({row["visitor_id"] for row in site.rows("hits")})


def total(site: Site, measure: str) -> dict[str, int]:
    """A measure of `daily` by day, all countries together."""
    found = dict[str, int]()
    for row in rows(site, "daily"):
        found[row["day"]] = found.get(row["day"], 0) + row[measure]
    return found


def judged(site: Site) -> dict[str, tuple[float, bool]]:
    """Share and whether preliminary, by day."""
    days = rows(site, "sql", "SELECT day, share, is_preliminary FROM days ORDER BY day")
    return {row["day"]: (row["share"], row["is_preliminary"]) for row in days}


def write_days(
    site: Site, name: str, days: Iterable[int], net: str, *, until: dict[int, int] | None = None
) -> None:
    """Write a file for each day of November 2016: a hit every ten minutes, 144 a day.

    `until`: of the days that stop early, how many hits they have.
    """
    for day in days:
        count = (until or {}).get(day, 144)
        start = datetime(2016, 11, day, 0, 0, day, tzinfo=UTC)
        lines = [
            make_line(
                f"{start + n * timedelta(minutes=10):%d/%b/%Y:%H:%M:%S} +0000", f"{net}.{n + 1}"
            )
            for n in range(count)
        ]
        site.write(start.strftime(name), b"".join(lines))


@pytest.mark.large
def test_a_run_of_one_day_takes_every_log_of_it(site: Site) -> None:
    """Of two parallel logs of one server none is left out (02)."""
    given(site, "02-parallel-logs-one-site/raw", zone="America/Toronto")
    day = "2016-11-08"
    geo = build_default_databases(site.folder / "geo")
    run(site, "run", "--from", day, "--to", day, "--geo", geo)
    (row,) = rows(site, "daily", "--from", day, "--to", day)
    assert (row["hits"], row["visitors"]) == (96, 2)


@pytest.mark.large
def test_servers_with_numbers_are_told_apart(site: Site) -> None:
    """All of web-02 is missing on the 20th: the day is preliminary (02)."""
    write_days(site, "web-01-%Y%m%d.log", range(1, 25), "203.0.113")
    write_days(site, "web-02-%Y%m%d.log", {*range(1, 25)} - {20}, "198.51.100")
    build(site, "raw")
    days = judged(site)
    assert [day for day, (_, is_preliminary) in days.items() if is_preliminary] == ["2016-11-20"]
    assert days["2016-11-20"][0] == pytest.approx(0.5, abs=0.02)


@pytest.mark.large
@pytest.mark.parametrize("name", [
    "%Y%m%d.log", "web01-%Y%m%d.log", "%y-%m-%d.log", "Access.%d-%b-%Y.log",
    "%Y-%m-%d-00-00-00-0A1B2C3D4E5F6071",
])  # fmt: skip
def test_names_that_are_dates_judge_alike(site: Site, name: str) -> None:
    """A day that stops at 09:50 is preliminary under whatever names the files have (67)."""
    write_days(site, name, range(1, 25), "203.0.113", until={20: 60})
    build(site, "raw")
    days = judged(site)
    assert len(days) == 24
    assert [day for day, (_, is_preliminary) in days.items() if is_preliminary] == ["2016-11-20"]
    assert days["2016-11-20"][0] == pytest.approx(0.41, abs=0.01)


@pytest.mark.parametrize(("case", "file", "visitors"), [
    ("06-vhost-and-client-with-port", "access.log", 1),
    ("07-azure-gateway-ip-port", "access.log", 2),
    ("12-syslog-prefix", "rfc3164.log", 5),
    ("12-syslog-prefix", "rfc5424.log", 5),
    ("12-syslog-prefix", "heroku.log", 5),
    ("41-nul-prefix", "access.log", 5),
    ("71-bracketed-client-port", "access.log", 2),
])  # fmt: skip
def test_visitors_are_people_not_ports(site: Site, case: str, file: str, visitors: int) -> None:
    """Neither a port nor what carries the line makes a visitor (06, 07, 12, 41, 71)."""
    run(site, "ingest", FIELD / case / file, "--no-geo")
    assert clients(site) == visitors


def test_azures_clients_are_located(site: Site) -> None:
    """Addresses with ports have their country (07)."""
    geo = build_default_databases(site.folder / "geo")
    located = {"203.0.113.11": "US", "198.51.100.7": "CA"}
    run(site, "ingest", FIELD / "07-azure-gateway-ip-port/access.log", "--geo", geo)
    found = [json.loads(run(site, "geo", "lookup", ip, "--geo", geo, "--format", "json"))
             for ip in located]  # fmt: skip
    expected = {answer["country"] for (answer,) in found}
    assert {row["country"] for row in site.rows("hits")} == expected


@pytest.mark.parametrize(("case", "file", "trusted", "wanted", "layout"), [
    ("26-iis-xff-ports", "u_ex241001.log", ["private"], ["198.51.100.123", "203.0.113.7"], None),
    ("27-iis-xff-backslash", "u_ex230208.log", ["private"],
     ["198.51.100.239", "203.0.113.8"], None),
    ("39-xff-in-front", "front.log", ["private", "unlogged", "162.158.0.0/15"],
     ["203.0.113.45", "198.51.100.2", "162.158.166.195"], "format-front.txt"),
    ("39-xff-in-front", "quoted.log", ["private", "unlogged", "162.158.0.0/15"],
     ["203.0.113.66", "203.0.113.66"], "format-quoted.txt"),
    ("39-xff-in-front", "field.log", ["private", "unlogged", "162.158.0.0/15"],
     ["203.0.113.58"], "format-field.txt"),
    ("40-unix-socket-peer", "access.log", ["unix"], ["203.0.113.9", "198.51.100.7"], None),
])  # fmt: skip
def test_the_client_behind_trusted_proxies(
    site: Site, case: str, file: str, trusted: list[str], wanted: list[str], layout: str | None
) -> None:
    """The right-most address that is no trusted proxy's, without ports and backslashes."""
    settle(site, "UTC", f'trusted_proxies = {trusted}\naddresses = "full"\n'.replace("'", '"'))
    text = [] if layout is None else ["--log-format", (FIELD / case / layout).read_text().strip()]
    run(site, "ingest", FIELD / case / file, "--no-geo", *text)
    assert [row["client"] for row in site.rows("hits")] == wanted


def test_lines_around_a_utc_midnight_are_of_their_own_days(site: Site) -> None:
    """Lines of 7 March at the end of the file of 6 March count on 7 March (31)."""
    build(site, FIELD / "31-iis-around-midnight")
    assert total(site, "hits") == {"2009-03-06": 2, "2009-03-07": 2}


def test_a_utc_file_gives_two_local_days(site: Site) -> None:
    """An IIS file of one UTC day has hits of two days of Auckland (32)."""
    settle(site, "Pacific/Auckland")
    build(site, FIELD / "32-iis-new-zealand")
    assert total(site, "hits") == {"2015-08-17": 1, "2015-08-18": 1}


def test_a_large_hole_before_the_first_line(site: Site) -> None:
    """100 MiB of hole, as copytruncate leaves it, are no part of the first line (42)."""
    path = site.write("access.log", b"")
    with path.open("r+b") as file:
        file.seek(100 * 1024 * 1024)
        file.write(b"".join(make_line(client=f"203.0.113.{n}") for n in range(1, 6)))
    done = site.run("ingest", path, "--no-geo")
    (record,) = site.records().values()
    assert (record["hits"], record["rejected"], record["lines"]) == (5, 0, 5)
    assert "NUL" in done.err
    assert clients(site) == 5


@pytest.mark.parametrize("name", ["Aug-2019.tar.gz", "plain.log"])
def test_an_archive_of_logs_is_refused(site: Site, name: str) -> None:
    """A tar file is refused with a sentence, under whatever name (43)."""
    content = (FIELD / "43-tar-gz/Aug-2019.tar.gz").read_bytes()
    if name == "plain.log":
        content = gzip.decompress(content)
    done = site.run("ingest", site.write(name, content), "--no-geo", code=1)
    assert "tar" in done.err
    assert not site.rows("hits")


def test_zstd_with_a_long_window(site: Site) -> None:
    """What `zstd --long` wrote is read, not called damaged (44)."""
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=27)
    content = b"".join(make_line(client=f"203.0.113.{n % 250}") for n in range(2000))
    for log2 in (27, 30):
        parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=log2)
        packed = zstandard.ZstdCompressor(compression_params=parameters).compress(content)
        site.ingest(site.write(f"s{log2}-access.log.zst", packed))
    assert {r["hits"] for r in site.records().values()} == {2000}
    assert not any(r["damage"] for r in site.records().values())
    site.ingest(FIELD / "44-zstd-long/access.log.zst")


def test_a_rotation_seen_twice_counts_once(site: Site) -> None:
    """Rotated, compressed and grown files give 240 hits, however often they are seen (48)."""
    for folder in ("first", "second", "first", "second"):
        site.ingest(FIELD / "48-rotation" / folder)
    assert len(site.rows("hits")) == 240


@pytest.mark.large
def test_the_day_on_which_clocks_go_forward(site: Site) -> None:
    """13 March 2016 in Detroit has 23 hours, each with a hit (50)."""
    settle(site, "America/Detroit")
    build(site, FIELD / "50-dst-hours/access.log")
    hours = rows(site, "hourly", "--from", "2016-03-13", "--to", "2016-03-13")
    assert [row["hits"] for row in hours] == [1] * 23
    assert total(site, "hits")["2016-03-13"] == 23


@pytest.mark.rest_large
@pytest.mark.parametrize(("zone", "file", "days"), [
    ("America/Sao_Paulo", "sao.log", {"2016-10-15": 1, "2016-10-16": 2, "2016-10-17": 1}),
    ("Pacific/Apia", "apia.log", {"2011-12-29": 2, "2011-12-31": 2}),
])  # fmt: skip
def test_days_without_a_midnight(site: Site, zone: str, file: str, days: dict[str, int]) -> None:
    """A day that begins at one, and a day that never was (51)."""
    settle(site, zone)
    build(site, FIELD / "51-midnight-that-is-not" / file)
    assert total(site, "hits") == days


@pytest.mark.large
def test_clock_outliers_change_no_other_day(site: Site) -> None:
    """One line each of 1970 and 2098 beside thirty ordinary days (52)."""
    settle(site, "America/Toronto")
    lines = (FIELD / "52-clock-outliers/access.log").read_bytes().splitlines(keepends=True)
    tidy = [line for line in lines if b"/2016:" in line]
    assert len(lines) - len(tidy) == 2
    figures = []
    for name, content in (("with", lines), ("without", tidy)):
        other = Site(site.folder / name)
        other.folder.mkdir()
        settle(other, "America/Toronto")
        build(other, other.write("access.log", b"".join(content)))
        days = {d: v for d, v in judged(other).items() if d.startswith("2016")}
        hits = {d: v for d, v in total(other, "hits").items() if d.startswith("2016")}
        figures.append((days, hits))
        run(other, "report", "--out", other.folder / "report.html")
        run(other, "figure", "--day", "2016-11-15", "--country", "ZZ")
    assert figures[0] == figures[1]


def test_one_stray_early_line_starts_no_tenure(site: Site) -> None:
    """One line of 10 October, by a wrong clock, makes no gap of October (52)."""
    given(site, "52-clock-outliers/raw-two")
    build(site, "raw")
    october = {d: p for d, (_, p) in judged(site).items() if d.startswith("2016-10")}
    assert not any(is_preliminary for day, is_preliminary in october.items() if day > "2016-10-11")


@pytest.mark.parametrize(("case", "is_robot"), [("54-robots", True),
                                                ("55-people-taken-for-robots", False)])  # fmt: skip
def test_robots_and_people_with_odd_phones(site: Site, case: str, *, is_robot: bool) -> None:
    """Robots are robots (54), and people whose phones are named like one are not (55)."""
    site.ingest(FIELD / case / "access.log")
    wrong = [row["user_agent"] for row in site.rows("hits") if row["is_robot"] != is_robot]
    assert wrong == []


def test_a_database_of_networks_in_a_countrys_name(site: Site) -> None:
    """An ASN database named City is refused alone, and changes nothing beside another (56)."""
    log = FIELD / "57-ipv4-only-and-None/access.log"
    done = site.run("ingest", log, "--geo", FIELD / "56-asn-database/geo", code=2)
    assert "GeoLite2-City.mmdb is left out" in done.err
    geo = site.folder / "geo"
    shutil.copytree(FIELD / "57-ipv4-only-and-None/geo4", geo)
    shutil.copy(FIELD / "56-asn-database/geo/GeoLite2-City.mmdb", geo)
    site.run("ingest", log, "--geo", geo)
    alone = Site(site.folder / "alone")
    alone.folder.mkdir()
    alone.run("ingest", log, "--geo", FIELD / "57-ipv4-only-and-None/geo4")
    assert [r["country"] for r in site.rows("hits")] == [r["country"] for r in alone.rows("hits")]
    assert {r["country"] for r in alone.rows("hits")} > {"ZZ"}


def test_no_answer_in_words_is_no_country(site: Site) -> None:
    """The texts `None` and empty are no countries (57)."""
    log = FIELD / "57-ipv4-only-and-None/access.log"
    site.run("ingest", log, "--geo", FIELD / "57-ipv4-only-and-None/geonone")
    countries = {row["country"] for row in site.rows("hits")}
    assert all(len(country) == 2 and country.isupper() for country in countries)


@pytest.mark.parametrize("folder", ["geo", "geolite"])
def test_a_flat_country_is_read(site: Site, folder: str) -> None:
    """A database whose `country` is a text of two letters locates, or is refused (58)."""
    log = FIELD / "57-ipv4-only-and-None/access.log"
    site.run("ingest", log, "--geo", FIELD / "58-ipinfo-flat-country" / folder)
    assert {row["country"] for row in site.rows("hits")} > {"ZZ"}


def test_hits_of_two_layouts_are_read_together(site: Site) -> None:
    """A column of nulls alone has its type, with and without union_by_name (60)."""
    site.ingest(FIELD / "60-duckdb-columns")
    for union in ("true", "false"):
        found = duckdb.sql(
            f"SELECT count(*), count(referrer), count(user_agent), min(day) FROM read_parquet("
            f"'{site.lake}/hits/**/*.parquet', hive_partitioning = true, union_by_name = {union})"
        ).fetchone()
        assert found is not None
        assert found[0] == 8
        assert found[2] == 5


@pytest.mark.large
def test_one_person_can_be_erased(site: Site) -> None:
    """What is kept of an address and agent goes, figures stand, the lake is proved (62)."""
    build(site, FIELD / "60-duckdb-columns/b.log")
    before = rows(site, "daily"), judged(site)
    ids = {row["visitor_id"] for row in site.rows("hits") if row["path"] == "/p3"}
    run(site, "erase", "--client", "203.0.113.3", "--agent", FIREFOX, "--delete")
    for table in ("hits", "sessions"):
        kept = site.rows(table)
        assert not ids & {row["visitor_id"] for row in kept}
        assert "/p3" not in {row.get("path", row.get("entry_path")) for row in kept}
    assert (rows(site, "daily"), judged(site)) == before
    run(site, "verify")


def test_probes_are_hits_and_no_pages(site: Site) -> None:
    """Requests that are none, and garbage of other protocols, count as hits only (47)."""
    site.ingest(FIELD / "47-probes/access.log")
    kept = site.rows("hits")
    assert (len(kept), sum(row["is_page"] for row in kept)) == (70, 0)


@pytest.mark.parametrize("line", [
    '{"log":"203.0.113.77 - - nonsense\\n","stream":"stdout","time":"2018-08-16T08:39:21Z"}',
    "Nov 10 12:11:06 web01 nginx: message repeated 2 times: [ 203.0.113.77 - - x]",
    '"203.0.113.77 - - [28/May/2022:14:26:05 +0000] nonsense""',
])  # fmt: skip
def test_no_address_stays_in_rejected_lines(site: Site, line: str) -> None:
    """Addresses in rejected lines of any wrapper are masked (63)."""
    run(site, "ingest", site.write("access.log", f"{line}\n".encode()), "--no-geo")
    kept = [row["line"] for row in site.rows("rejects")]
    assert not any("203.0.113.77" in text for text in kept)


def test_a_session_over_midnight(site: Site) -> None:
    """Hits at 23:50, 00:00:00 and 00:29 are one session of 8 November (65)."""
    settle(site, "America/Toronto")
    build(site, FIELD / "65-midnight-and-timeout/access.log")
    daily = {row["day"]: row for row in rows(site, "daily")}
    assert daily["2016-11-08"]["sessions"] == 1
    assert daily["2016-11-08"]["visitors"] == 1
    first = [row for row in site.rows("sessions") if row["entry_path"] == "/a"]
    assert [row["hits"] for row in first] == [3]


def test_a_stores_proof_of_ownership_is_no_server(site: Site) -> None:
    """`ownership-challenge.txt` in the folder makes no source and no incomplete day (66)."""
    write_days(site, "web01-%Y%m%d.log", range(1, 6), "203.0.113")
    challenge = FIELD / "66-cloudflare/ownership-challenge-1a2b3c.txt"
    site.write(challenge.name, challenge.read_bytes())
    run(site, "ingest", "raw", "--no-geo")
    run(site, "build")
    whole = rows(site, "sql", "SELECT DISTINCT sources_expected AS n FROM days")
    assert whole == [{"n": 1}]


def test_a_flood_of_equal_lines_over_a_rotation(site: Site) -> None:
    """Forty equal lines that end one file and forty that begin the next are eighty hits (68)."""
    site.ingest(FIELD / "68-flood-over-a-rotation")
    assert len(site.rows("hits")) == 180


def test_csv_of_daily_is_a_table(site: Site) -> None:
    """What a spreadsheet reads has the same rows as JSON."""
    build(site, FIELD / "31-iis-around-midnight")
    text = run(site, "daily", "--format", "csv")
    read = list(csv.DictReader(io.StringIO(text)))
    assert [row["day"] for row in read] == [row["day"] for row in rows(site, "daily")]
