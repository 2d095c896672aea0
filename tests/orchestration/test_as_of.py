"""`run --as-of`: the clock of a run. What arrived later is not there; no day is over early."""

import os
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from conftest import build_database
from hooks import Hook
from lake_fixtures import Site, make_line

from pipeline.ingest.discovery import has_arrived

TORONTO = ZoneInfo("America/Toronto")


def arrive(path: Path, at: str) -> Path:
    """Set a raw file's time of change to a local time."""
    second = datetime.fromisoformat(at).replace(tzinfo=TORONTO).timestamp()
    os.utime(path, (second, second))
    return path


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site of two servers, whose second one's log of the 8th arrives two days late."""
    (tmp_path / "geo").mkdir()
    networks = {"192.0.2.0/24": "US"}
    build_database(tmp_path / "geo" / "a.mmdb", "City", "2016-11-01T00:00:00+00:00", networks)
    site = Site(tmp_path)
    for day, server in ((d, s) for d in (7, 8, 9, 10) for s in (1, 2)):
        lines = (make_line(f"{day:02}/Nov/2016:1{n}:00:00 -0500") for n in range(server))
        path = site.write(f"web{server}-{day}.log", b"".join(lines))
        is_late = (day, server) == (8, 2)
        arrive(path, "2016-11-11T00:05:00" if is_late else f"2016-11-{day + 1:02}T00:05:00")
    return site


def sessions(site: Site) -> dict[str, int]:
    """Return the U.S. sessions of each day."""
    found = {}
    for part in sorted((site.lake / "daily").iterdir()):
        (row,) = site.rows(f"daily/{part.name}")
        found[part.name.removeprefix("day=")] = row["sessions"]
    return found


def run(site: Site, *args: str, code: int = 0, url: str | None = None) -> str:
    done = site.run("run", "--geo", "geo", *args, code=code, env={"TIDEGAUGE_ALERT_URLS": url})
    return done.out + done.err


@pytest.mark.large
def test_a_late_file_is_taken_by_the_run_after_it_arrived(site: Site) -> None:
    """The nights of 9 and 10 November lack the late log; that of the 11th restates the 8th."""
    said = run(site, "--as-of", "2016-11-09T06:00")
    assert "files:  3 taken in, 0 known, 5 not there yet" in said
    assert "2016-11-08: 1 session" in said
    assert sessions(site) == {"2016-11-07": 2, "2016-11-08": 1}
    said = run(site, "--as-of", "2016-11-10T11:00:00Z")  # 06:00 in Toronto
    assert "files:  2 taken in, 0 known, 3 not there yet" in said
    assert sessions(site)["2016-11-08"] == 1
    said = run(site, "--as-of", "2016-11-11T06:00:00-05:00")
    assert "files:  3 taken in, 0 known, 0 not there yet" in said
    assert sessions(site) == {f"2016-11-{day:02}": 2 for day in (7, 8, 9, 10)}


def test_a_span_is_run_as_of_a_time_as_well(site: Site) -> None:
    said = run(site, "--from", "2016-11-07", "--to", "2016-11-08", "--as-of", "2016-11-09T06:00")
    assert "files:  3 taken in, 0 known, 5 not there yet" in said
    assert sessions(site) == {"2016-11-07": 2, "2016-11-08": 1}


@pytest.mark.clock
@pytest.mark.large
def test_without_as_of_times_of_change_mean_nothing(site: Site) -> None:
    """A copy or an archive loses them; a file of tomorrow, by another clock, is there."""
    for path in (site.folder / "raw").iterdir():
        arrive(path, "2090-01-01")
    said = run(site, "--from", "2016-11-07", "--to", "2016-11-10")
    assert "files:  8 taken in, 0 known\n" in said


def test_a_file_arrives_at_its_time_of_change(tmp_path: Path) -> None:
    at = datetime(2016, 11, 9, 6, tzinfo=TORONTO)
    path = tmp_path / "web01.log"
    path.touch()
    for arrives, is_there in (("05:59:59", True), ("06:00:00", True), ("06:00:01", False)):
        assert has_arrived(arrive(path, f"2016-11-09T{arrives}"), at) is is_there
        assert has_arrived(path, None)
    assert has_arrived(tmp_path / "gone.log", at)


@pytest.mark.clock
def test_a_day_that_has_not_ended_by_then_is_refused(site: Site) -> None:
    said = run(site, "--from", "2016-11-09", "--as-of", "2016-11-09T23:59:59", code=2)
    assert "that day has not ended" in said
    assert "2016-11-10 00:00" in said


@pytest.mark.clock
def test_nothing_there_yet_is_said(site: Site) -> None:
    said = run(site, "--as-of", "2016-11-08T00:01", code=1)
    assert "no raw file of 2016-11-07" in said
    assert "0 files, 8 more had not arrived" in said


@pytest.mark.parametrize(
    "text", ["yesterday", "2016-13-01T00:00", "1969-01-01", "9999-12-31T23:59"]
)
def test_a_time_that_is_none_is_refused_with_what_would_be(site: Site, text: str) -> None:
    said = run(site, "--as-of", text, code=2)
    assert f"--as-of = '{text}'" in said
    assert "2016-11-09T06:00 (in America/Toronto)" in said


@pytest.mark.clock
def test_the_future_is_refused(site: Site) -> None:
    assert "in the future" in run(site, "--as-of", "2099-01-01", code=2)


@pytest.mark.clock
def test_alerts_are_those_of_the_time(site: Site, hook: Hook) -> None:
    """Of a day long past nothing is said, of yesterday it is."""
    run(site, "--from", "2016-11-06", code=1, url=hook.url)
    assert hook.titles == []
    run(site, "--as-of", "2016-11-07T06:00", code=1, url=hook.url)
    assert hook.titles == ["2016-11-06 failed in tidegauge run"]
