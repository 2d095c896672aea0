"""The DAG of the hourly watch in a real Airflow, by `dag.test()`."""

import os
from pathlib import Path

import pytest
from conftest import build_database
from dag_tester import DagTester, settings_of
from hooks import Hook
from lake_fixtures import Site, make_line

pytestmark = pytest.mark.xdist_group("airflow")

TASKS = ("discover", "ingest", "build", "compare", "alert")


def hour_of(day: int, hour: int, visitors: int) -> bytes:
    """Write an hour's lines of so many visitors."""
    time = f"{day:02}/Nov/2016:{hour:02}:30:00 -0500"
    return b"".join(make_line(time, agent=f"A/{day}.{hour}.{n}") for n in range(visitors))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site with 7 visitors each hour of 7-10 November, and 90 from 20:00 on the 11th."""
    site = Site(tmp_path)
    (tmp_path / "geo").mkdir()
    networks = {"192.0.2.0/24": "US"}
    build_database(tmp_path / "geo" / "a.mmdb", "City", "2016-10-01T00:00:00+00:00", networks)
    for day in range(7, 11):
        content = b"".join(hour_of(day, hour, 7) for hour in range(24))
        site.write(f"web01-201611{day:02}.log", content)
    touch_raw(site)
    site.run("run", "--from", "2016-11-07", "--to", "2016-11-10", "--geo", "geo")
    quiet = [hour_of(11, hour, 7) for hour in range(20)]
    site.write("web01.log", b"".join([*quiet, hour_of(11, 20, 90)]))
    return site


def touch_raw(site: Site) -> None:
    """Date every raw file to before the moments that the tests look at."""
    for path in (site.folder / "raw").iterdir():
        os.utime(path, (1, 1))


def test_each_hour_takes_in_what_was_written_and_a_surge_is_told_once(
    tester: DagTester, site: Site, hook: Hook
) -> None:
    """The live file grows between the hours; the DAG and the command make the same lake."""
    settings = settings_of(site, TIDEGAUGE_ALERT_URLS=hook.url)
    whole = (site.folder / "raw" / "web01.log").read_bytes()
    site.write("web01.log", b"".join(hour_of(11, hour, 7) for hour in range(20)))
    touch_raw(site)
    done = tester.test("tidegauge_watch", settings, {"as_of": "2016-11-11T20:10"})
    assert done.state == "success", done.log
    assert {task: done.tasks[task] for task in TASKS} == {task: ["success"] for task in TASKS}
    assert hook.titles == []
    site.write("web01.log", whole)
    touch_raw(site)
    for _ in range(2):
        assert (
            tester.test("tidegauge_watch", settings, {"as_of": "2016-11-11T21:10"}).state
            == "success"
        )
    assert hook.titles == ["Surge from US in the hour 2016-11-11 20:00-21:00"]
    assert hook.received[0]["body"].startswith("US: 90 sessions from")
    before = site.hashes()
    site.run("watch", "--as-of", "2016-11-11T21:10", "--geo", "geo")
    assert site.hashes() == before


def test_a_watch_without_new_lines_compares_what_is_there(tester: DagTester, site: Site) -> None:
    """In the first hour of a day nothing may have been written."""
    (site.folder / "raw" / "web01.log").unlink()
    touch_raw(site)
    done = tester.test("tidegauge_watch", settings_of(site), {"as_of": "2016-11-11T01:10"})
    assert done.state == "success"
    assert {task: done.tasks[task] for task in TASKS} == {task: ["success"] for task in TASKS}


def test_a_watch_that_can_not_look_fails_and_is_announced(
    tester: DagTester, site: Site, hook: Hook
) -> None:
    settings = settings_of(site, TIDEGAUGE_ALERT_URLS=hook.url, TIDEGAUGE_RAW="nowhere")
    for _ in range(2):
        done = tester.test("tidegauge_watch", settings, {"as_of": "2016-11-11T21:10"})
        assert done.state == "failed"
        assert "failed" in done.tasks["discover"]
    assert [title.partition(" of ")[0] for title in hook.titles] == ["watch"]
    assert hook.titles[0].endswith("failed in discover")
