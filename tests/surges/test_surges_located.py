"""Surges of a lake whose first days were counted without a database of addresses."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from conftest import build_database
from lake_fixtures import Site
from report_lakes import CANADA, STATES, day_lines

FIRST = datetime.fromisoformat("2016-11-01T16:00:00+00:00")
WITHOUT = 10
SURGE = 8


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Ten days of 40 sessions without a database, one of 220 among them; then two with one."""
    made = Site(tmp_path_factory.mktemp("located"))
    (made.folder / "geo").mkdir()
    networks = {f"{CANADA}.0/24": "CA", f"{STATES}.0/24": "US"}
    path = made.folder / "geo" / "country.mmdb"
    build_database(path, "GeoLite2-Country", "2016-11-01T00:00:00+00:00", networks)
    for n in range(WITHOUT + 2):
        day = FIRST + timedelta(n)
        lines = day_lines(STATES, day, 20) + day_lines(CANADA, day, 200 if n == SURGE else 20)
        raw = made.write(f"web01-{day:%Y%m%d}.log", "\n".join([*lines, ""]).encode())
        made.run("ingest", raw, "--no-geo" if n < WITHOUT else "--geo=geo")
    made.run("build", "--geo", "geo")
    return made


def test_a_country_does_not_surge_as_it_is_located_for_the_first_time(site: Site) -> None:
    surges = [(r["country"], str(r["start_day"]), r["observed"]) for r in site.rows("surges")]
    assert surges == [("ZZ", "2016-11-09", 220)]
    assert site.run("verify", "--geo", "geo").out.count("\n") < 6


def test_the_figure_says_why_nothing_is_expected(site: Site) -> None:
    said = site.run("figure", "--geo", "geo", "--day", "2016-11-12", "--country", "US").out
    assert (
        "No number can be expected yet: it takes 7 earlier days, and of the 11 that the lake has of"
        " the 56 before this one 10 were counted without locating anybody." in said
    )
    french = ("figure", "--geo", "geo", "--day", "2016-11-12", "--country", "US", "--lang", "fr")
    assert "10 ont été comptées sans localiser personne" in site.run(*french).out


def test_everybody_is_compared_with_days_of_everybody(site: Site) -> None:
    """The days before a surge of all, and an hour's, are those that locate nobody."""
    (told,) = json.loads(site.run("why", "--country", "ZZ", "--format", "json").out)
    before = {(row["dimension"], row["days_before"]) for row in told["drivers"]}
    assert ("hour", 8) in before
    now = site.run("now", "--as-of", "2016-11-12T13:05", "--geo", "geo", "--format", "json").out
    judged = [row for row in json.loads(now) if row["sessions"]]
    assert {(row["country"], row["expected"]) for row in judged} == {("CA", None), ("US", None)}
    assert not any(row["is_surge"] for row in judged)


def test_a_changed_gap_makes_no_surge_either(site: Site, tmp_path: Path) -> None:
    done = site.run("compare", "--timeout", "29", "--country", "US", "--geo", "geo", "--format",
                    "json", env={"TMPDIR": str(tmp_path)})  # fmt: skip
    rows = [row for row in json.loads(done.out) if row["country"] == "US"]
    assert rows
    assert not any(row["is_surge_then"] for row in rows)


@pytest.mark.large
def test_a_surge_of_another_database_says_so(tmp_path: Path) -> None:
    """Half of Canada's addresses are the States' in the database of 11 November."""
    site = Site(tmp_path)
    (tmp_path / "geo").mkdir()
    for built, canada in ("2016-10-01", "CA"), ("2016-11-11", "US"):
        networks = {f"{CANADA}.0/24": canada, f"{STATES}.0/24": "US"}
        path = tmp_path / "geo" / f"{built}.mmdb"
        build_database(path, "GeoLite2-Country", f"{built}T00:00:00+00:00", networks)
    days = [FIRST + timedelta(n) for n in range(13)]
    for day in days:
        lines = day_lines(STATES, day, 20) + day_lines(CANADA, day, 100)
        raw = site.write(f"web01-{day:%Y%m%d}.log", "\n".join([*lines, ""]).encode())
        site.run("ingest", raw, "--geo", "geo")
    site.run("build", "--geo", "geo")
    said = (
        "Its first day was located by another database of addresses than days before it, which had"
        " one built on 1 October 2016: a country can seem to surge by what a new one places"
        " otherwise."
    )
    assert said in site.run("why", "--country", "US").out
    (surge,) = json.loads(site.run("surges", "--format", "json").out)
    assert (surge["start_day"], surge["geo_before"]) == ("2016-11-13", "2016-10-01")
    figure = ("figure", "--geo", "geo", "--day", "2016-11-13", "--country", "US")
    assert said in site.run(*figure).out
    about = json.loads(site.run(*figure, "--format", "json").out)
    assert about[0]["expectation"]["geo_before"] == "2016-10-01"
    short = site.run(*figure, "--short").out
    assert "the surge begins with another database of addresses; " in short
    assert "une autre base de données" in site.run(*figure, "--lang", "fr").out
    site.run("report", "--geo", "geo", "--country", "US", "--out", "us.html")
    page = (tmp_path / "us.html").read_text()
    assert "another database of addresses</span>" in page
    assert said in page
