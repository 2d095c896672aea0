"""A log reaches a little over its midnight: the next day's first lines are no day of their own."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import build_database
from lake_fixtures import Site, make_line

pytestmark = pytest.mark.large

SERVERS = (1, 2, 3, 4, 5)


def write_day(site: Site, server: int, day: int, sessions: int, into_next: int = 0) -> None:
    """Write a server's log of a day of November: `sessions`, and some after its midnight."""
    lines = [
        make_line(f"{day:02}/Nov/2016:{n * 24 // sessions:02}:30:00 -0500", agent=f"{server}/{n}")
        for n in range(sessions)
    ]
    lines += [
        make_line(f"{day + 1:02}/Nov/2016:00:0{n}:00 -0500", agent=f"over {server}/{n}")
        for n in range(into_next)
    ]
    site.write(f"web0{server}-201611{day:02}.log", b"".join(lines))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site of five servers, run with their logs of 1 to 8 November and what one has of 9."""
    site = Site(tmp_path_factory.mktemp("original"))
    (site.folder / "geo").mkdir()
    networks = {"192.0.2.0/24": "US"}
    build_database(site.folder / "geo" / "a.mmdb", "City", "2016-10-01T00:00:00+00:00", networks)
    for day in range(1, 9):
        for server in SERVERS:
            write_day(site, server, day, 48, into_next=3 if (server, day) == (1, 8) else 0)
    run_days(site, 1, 8)
    return site


@pytest.fixture
def site(original: Site, tmp_path: Path) -> Site:
    """A copy of it."""
    return original.copy(tmp_path / "site")


def run_days(site: Site, first: int, last: int, code: int = 0) -> None:
    site.run(
        "run", "--geo", "geo", "--from", f"2016-11-{first:02}", "--to", f"2016-11-{last:02}",
        code=code,
    )  # fmt: skip


def ask(site: Site, *args: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(site.run(*args, "--format", "json").out)
    return rows


def history(site: Site, day: int) -> list[tuple[int | None, int]]:
    """The published values of a day, each with the one before it."""
    rows = ask(site, "sql", f"FROM restatements WHERE day = '2016-11-{day:02}' AND country = 'US'")
    return [(row["previous_sessions"], row["sessions"]) for row in rows]


def test_a_catch_up_run_publishes_its_day_and_not_what_reaches_into_the_next(site: Site) -> None:
    """The next day's own run publishes it for the first time, whole: nothing is restated."""
    assert history(site, 8) == [(None, 5 * 48)]
    (sliver,) = ask(site, "sql", "FROM daily WHERE day = '2016-11-09'")
    assert sliver["sessions"] == 3
    assert history(site, 9) == []
    for server in SERVERS:
        write_day(site, server, 9, 48)
    run_days(site, 9, 9)
    assert history(site, 9) == [(None, 5 * 48 + 3)]
    assert history(site, 8) == [(None, 5 * 48)]


def test_a_run_about_a_day_publishes_what_is_there_of_it(site: Site) -> None:
    """Two of five servers: preliminary, and what comes later restates it."""
    for server in (1, 2):
        write_day(site, server, 9, 48)
    run_days(site, 9, 9)
    for server in (3, 4, 5):
        write_day(site, server, 9, 48)
    run_days(site, 9, 9)
    assert history(site, 9) == [(None, 2 * 48 + 3), (2 * 48 + 3, 5 * 48 + 3)]


def test_the_sliver_is_marked_wherever_its_numbers_stand(site: Site) -> None:
    """In `daily`, `expected`, `figure` and the report; it is no surge, and nobody expects a day."""
    for table in ("daily", "expected"):
        rows = ask(site, table, "--from", "2016-11-08")
        assert {row["day"]: row["is_preliminary"] for row in rows} == {
            "2016-11-08": False, "2016-11-09": True
        }  # fmt: skip
    figure = site.run("figure", "--day", "2016-11-09", "--country", "US").out
    assert "The figure is preliminary: " in figure
    assert "It has not been published yet. It will be when the missing logs" in figure
    site.run("report", "--out", "r.html")
    page = (site.folder / "r.html").read_text()
    assert "9 days with hits (9 November 2016 only in part)" in page


def test_ingest_of_one_log_says_that_the_last_day_is_a_sliver(tmp_path: Path) -> None:
    """Before anything is built: what reaches over a midnight is no day, at either end."""
    site = Site(tmp_path)
    write_day(site, 1, 8, 48, into_next=3)
    said = site.ingest("raw/web01-20161108.log").out
    assert "2016-11-08 to 2016-11-09 (2; of 2016-11-09 only until 00:02)" in said
    early = site.write("early.log", make_line("07/Nov/2016:23:58:00 -0500"))
    said = site.ingest(early).out
    assert (
        "2016-11-07 to 2016-11-09 (3; of 2016-11-07 only from 23:58 on;"
        " of 2016-11-09 only until 00:02)"
    ) in said
    write_day(site, 1, 9, 48)
    assert "(3; of 2016-11-07 only from 23:58 on)" in site.ingest("raw/web01-20161109.log").out
