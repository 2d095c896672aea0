"""``why`` of a lake: its tables, the command's answer, and what is built when."""

import csv
import io
import json
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pytest
from conftest import build_database
from lake_fixtures import Site, make_line
from report_lakes import AGENT, CANADA, PATH, REFERRER, STATES, day_lines, make_lake
from verify_lakes import flip

from pipeline.build import take_apart
from pipeline.tables import TABLES
from pipeline.why.drivers import find_drivers

FIRST = datetime.fromisoformat("2016-11-01T16:00:00+00:00")
SURGE = 9


def make_lines() -> list[str]:
    """Two countries' days, those of the States with a surge through one page of hostile names."""
    lines = []
    for n in range(12):
        day = FIRST + timedelta(n)
        lines += day_lines(CANADA, day, 200 if n == SURGE else 30)
        lines += day_lines(STATES, day, 20, path="/usual")
        if n == SURGE:
            by = day + timedelta(hours=4)
            lines += day_lines(STATES, by, 200, path=PATH, referrer=REFERRER, agent=AGENT)
    return lines


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(make_lake(tmp_path_factory.mktemp("why"), make_lines()).parent)


def test_dimensions_add_up_to_the_surges(site: Site) -> None:
    surges = {(row["country"], row["start_day"]): row for row in site.rows("surges")}
    assert [country for country, _ in surges] == ["CA", "US"]
    sums: dict[tuple[object, ...], list[float]] = defaultdict(lambda: [0, 0, 0])
    for row in site.rows("drivers"):
        own = sums[row["country"], row["start_day"], row["dimension"]]
        for at, name in enumerate(("observed", "expected", "excess")):
            own[at] += row[name]
    assert len(sums) == 6 * len(surges)
    for key, own in sums.items():
        wanted = [surges[key[0], key[1]][name] for name in ("observed", "expected", "excess")]
        assert own == pytest.approx(wanted, abs=1e-6), key


def test_the_command_says_what_drove_it_and_that_it_was_no_people(site: Site) -> None:
    """Names of visitors are shown, and steer nothing."""
    done = site.run("why", "--country", "us")
    what, why, who, *_ = done.out.splitlines()
    assert what == (
        "Surge from addresses located in the United States, on 10 November 2016: 220 sessions where"
        " 20 were expected."
    )
    assert why.startswith("Of the sessions beyond the expected, more than usual came by")
    assert f"by entry page \u201c{PATH}\u201d (99.9 %" in why
    assert who.startswith("It looks like machines: one user agent made 100.0 % of the excess")
    assert "people or machines" in done.out


def test_the_largest_surge_is_told_and_all_of_a_day_when_asked(site: Site) -> None:
    def countries(*args: str) -> list[str]:
        done = site.run("why", *args, "--format", "json")
        return [row["country"] for row in json.loads(done.out)]

    assert countries() == ["US"]
    assert countries("--country", "CA") == ["CA"]
    assert countries("--day", "2016-11-10") == ["US", "CA"]
    assert countries("--surge", "2016-11-10", "--country", "CA") == ["CA"]
    assert countries("--day", "2016-11-09") == []
    both = ("--day", "2016-11-10", "--surge", "2016-11-10")
    assert "give either" in site.run("why", *both, code=2).err
    assert "no such surge" in site.run("why", "--day", "2016-11-09").err


def test_json_and_csv_have_everything(site: Site) -> None:
    (found,) = json.loads(site.run("why", "--format", "json").out)
    of_surge = {"country": "US"}
    drivers = [row for row in site.rows("drivers") if row.items() >= of_surge.items()]
    signals = [row for row in site.rows("signals") if row.items() >= of_surge.items()]
    assert len(found["drivers"]) == len(drivers)
    assert len(found["signals"]) == len(signals) == 12
    assert {"why", "who", "excess", "end_day"} <= found.keys()
    rows = [*csv.DictReader(io.StringIO(site.run("why", "--format", "csv").out))]
    assert len(rows) == len(drivers) + len(signals)
    assert found["drivers"][0].keys() == {*TABLES["drivers"].names} - {"country", "start_day"}


def test_what_rises_alike_is_said(site: Site) -> None:
    (found,) = json.loads(site.run("why", "--country", "CA", "--format", "json").out)
    assert found["why"].startswith("Everything rose alike")


@pytest.mark.large
def test_a_surge_is_taken_apart_anew_only_when_it_is_made_of_something_else(tmp_path: Path) -> None:
    """Step by step the bytes are those of all at once; damaged, all of it is made again."""
    lines = make_lines()
    late = [n for n, line in enumerate(lines) if any(f"[{day}/Nov" in line for day in (11, 12))]
    site = Site(make_lake(tmp_path, [line for n, line in enumerate(lines) if n not in late]).parent)
    path = site.write("web01-later.log", "\n".join(lines[n] for n in late).encode())

    def build(*args: str | Path) -> list[str]:
        taken = []

        def note(surges: pa.Table, *rest: pa.Table) -> pa.Table:
            taken.extend(surges["country"].to_pylist())
            return find_drivers(surges, *rest)

        with mock.patch.object(take_apart, "find_drivers", note):
            site.run(*args, "--geo", "geo")
        return taken

    place = site.lake / "drivers" / "part.parquet"
    assert build("build") == []
    site.run("ingest", path, "--geo", "geo")
    # A day later the surges are over: is_open is another.
    assert build("build") == ["CA", "US"]
    at_once = place.read_bytes()
    more = make_line("12/Nov/2016:17:00:00 +0000", f"{CANADA}.9").decode()
    site.run("ingest", site.write("web01-last.log", more.encode()), "--geo", "geo")
    assert build("build") == []
    assert place.read_bytes() == at_once
    flip(place)
    more = make_line("12/Nov/2016:18:00:00 +0000", f"{CANADA}.8").decode()
    site.run("ingest", site.write("web01-least.log", more.encode()), "--geo", "geo")
    assert build("build") == ["CA", "US"]
    assert place.read_bytes() == at_once


EVIL = "\"><script>alert(8)</script>'\n\x1b[31m\u202e" + "x" * 2000
NETWORKS = ("2016-10-01", "One"), ("2016-11-06", "Uno")
"""Two databases, in which one network is called otherwise."""


@pytest.mark.large
def test_networks_are_looked_at_where_hits_have_them(site: Site, tmp_path: Path) -> None:
    """Until then it is said what would bring them; names of others steer nothing."""
    told = site.run("why", "--country", "US").out
    assert "Networks were not looked at, as its hits were read without a database of them" in told
    assert "`tidegauge geo fetch dbip-lite --kind asn` gets one" in told
    made = site.copy(tmp_path)
    for built, name in NETWORKS:
        networks = {f"{STATES}.0/28": f"AS64500 {name}", f"{STATES}.32/27": f"AS64501 {EVIL}"}
        networks |= {f"{STATES}.64/26": f"AS64501 {EVIL}", f"{STATES}.128/25": f"AS64501 {EVIL}"}
        path = made.folder / "geo" / f"asn-{built}.mmdb"
        build_database(path, "GeoLite2-ASN", f"{built}T00:00:00+00:00", networks)
    made.run("build", "--also", "geo", "--geo", "geo")
    assert made.run("verify", "--geo", "geo").err.endswith("nothing is off\n")
    (found,) = json.loads(made.run("why", "--country", "US", "--format", "json").out)
    assert found["lacking"] is None
    own = {row["element"]: row for row in found["drivers"] if row["dimension"] == "network"}
    evil = f"AS64501 {EVIL[:500]}"
    assert own.keys() == {evil, "AS64500 Uno", None}
    assert (own[evil]["observed"], own[evil]["rank"] is None) == (168, False)
    assert own["AS64500 Uno"]["sessions_before"] == 9 * 16
    signals = {row["figure"]: row for row in found["signals"]}
    share = signals["one network's share"]
    assert (share["observed"], share["usual"]) == (pytest.approx(168 / 220, abs=1e-6), 0.0)
    for args in ([], ["--day", "2016-11-10"], ["--format", "csv"]):
        done = made.run("why", "--country", "US", *args)
        assert "\x1b" not in done.out
        assert "\u202e" not in done.out
    made.run("report", "--geo", "geo", "--out", "page.html")
    page = (made.folder / "page.html").read_text()
    assert "AS64501" in page
    assert "GeoLite2-ASN, built on 6 November 2016. This product includes GeoLite2 data" in page
    assert "<script>alert(8)" not in page


@pytest.mark.large
def test_a_lake_without_a_surge_says_so(tmp_path: Path) -> None:
    """Nothing points to a table that is empty."""
    quiet = Site(tmp_path)
    for day in range(1, 4):
        quiet.write(f"web01-2016110{day}.log", make_line(f"{day:02}/Nov/2016:10:00:00 -0400"))
    quiet.ingest("raw")
    quiet.run("build")
    assert "No country has enough history yet: the lake has 3 whole days" in quiet.run("why").err
    for day in range(4, 13):
        quiet.write(f"web01-201611{day:02}.log", make_line(f"{day:02}/Nov/2016:10:00:00 -0500"))
    quiet.ingest("raw")
    quiet.run("build")
    assert "The lake has no surge: `tidegauge expected` has every day" in quiet.run("why").err
