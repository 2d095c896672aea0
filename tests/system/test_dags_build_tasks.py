"""Nights whose builds are mapped tasks, in a real Airflow: the bytes of the command."""

import os
import shutil
from pathlib import Path

import dag_tester
import pytest
from conftest import VISITOR_KEY, build_default_databases
from dag_tester import DagTester, failed, sentences, settings_of
from lake_fixtures import Site
from lake_processes import SERVERS

pytestmark = pytest.mark.xdist_group("airflow")
MAPPED = {"TIDEGAUGE_AIRFLOW_BUILD_TASKS": "2", "TIDEGAUGE_HITS_AT_ONCE": "1550"}
"""One of the days has more hits, and is divided."""
DAYS = [f"2016-11-{day:02}" for day in range(5, 10)]
SMALL = len(DAYS) - 1
SLICES, BUCKETS = 4, 2


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site with files of three servers over five days, and an empty lake."""
    site = Site(tmp_path)
    build_default_databases(tmp_path / "geo")
    for name, content in SERVERS.items():
        os.utime(site.write(name, content), (1, 1))  # of before any moment that is asked for
    return site


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the bytes that the commands make of it in one process."""
    site = Site(tmp_path_factory.mktemp("wanted"))
    build_default_databases(site.folder / "geo")
    raw = [site.write(name, content) for name, content in SERVERS.items()]
    site.run("ingest", *raw, "--geo", "geo")
    site.run("build", "--geo", "geo")
    return site.hashes()


def run_night(tester: DagTester, site: Site) -> dag_tester.Tested:
    return tester.test("tidegauge_nightly", settings_of(site, **MAPPED), {"day": "2016-11-08"})


def test_days_and_buckets_are_tasks_and_the_bytes_those_of_the_command(
    tester: DagTester, site: Site, wanted: dict[str, str]
) -> None:
    """A night again has nothing to count, and changes nothing; no key is in Airflow's files."""
    done = run_night(tester, site)
    assert done.state == "success", sentences(done.log)
    assert done.tasks["count"] == ["success"] * (SMALL + SLICES)
    assert done.tasks["count_buckets"] == ["success"] * BUCKETS
    assert site.hashes() == wanted
    assert done.events[0]["days"] == DAYS
    assert not (site.lake / ".staging").exists()
    again = run_night(tester, site)
    assert again.state == "success", sentences(again.log)
    found = {task: states for task, states in again.tasks.items() if "success" not in states}
    assert found == {task: ["skipped"] for task in ("ingest", "count", "divide", "count_buckets")}
    assert site.hashes() == wanted
    for path in tester.home.rglob("*"):
        assert not path.is_file() or VISITOR_KEY.encode() not in path.read_bytes(), path


def test_a_task_that_fails_leaves_its_day_out_and_is_named(
    tester: DagTester, site: Site, wanted: dict[str, str], tmp_path: Path
) -> None:
    """All other days are there, and this one when its hits are whole again."""
    site.run("ingest", "raw", "--geo", "geo")
    hits = site.lake / "hits" / "day=2016-11-09"
    shutil.copytree(hits, tmp_path / "whole")
    for path in hits.iterdir():
        content = path.read_bytes()  # whose end is whole, and says where columns lie
        path.write_bytes(content[:4] + bytes(len(content) // 2) + content[len(content) // 2 + 4 :])
    done = run_night(tester, site)
    assert failed(done.tasks) == ["build", "count"]
    assert sorted(done.tasks["count"]) == ["failed"] * 2 + ["success"] * (SMALL + SLICES - 2)
    (said,) = [line for line in sentences(done.log) if "not built" in line]
    assert "not built: 2016-11-08, 2016-11-09 (" in said
    assert "every other day is built" in said
    built = {path.name.removeprefix("day=") for path in (site.lake / "daily").iterdir()}
    assert built == {*DAYS} - {"2016-11-08", "2016-11-09"}
    shutil.copytree(tmp_path / "whole", hits, dirs_exist_ok=True)
    assert run_night(tester, site).state == "success"
    assert site.hashes() == wanted


def test_an_hour_counts_as_a_night_does(tester: DagTester, site: Site) -> None:
    settings = settings_of(site, **MAPPED)
    done = tester.test("tidegauge_watch", settings, {"as_of": "2016-11-06T23:10"})
    assert done.state == "success", sentences(done.log)
    assert "success" in done.tasks["count"]
