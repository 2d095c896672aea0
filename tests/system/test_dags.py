"""The DAGs in a real Airflow without its services: read, and run by `dag.test()`."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import build_default_databases
from dag_tester import DAGS, DagTester, airflow_environment, failed, sentences, settings_of
from lake_fixtures import Site, make_line

pytestmark = pytest.mark.xdist_group("airflow")

READ_DAGS = """
import json, sys
from datetime import datetime, timedelta
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
from airflow.serialization.encoders import coerce_to_core_timetable
from airflow.timetables.base import TimeRestriction
from pendulum import instance
timetable = coerce_to_core_timetable(bag.dags["tidegauge_nightly"].timetable)
def scheduled(first, last):
    from airflow.serialization.serialized_objects import DagSerialization
    night = DagSerialization.serialize_dag(bag.dags["tidegauge_nightly"])
    dag = DagSerialization.deserialize_dag(night)
    moments = [instance(datetime.fromisoformat(text)) for text in (first, last)]
    return [[str(info.run_after), str(info.data_interval.start)]
            for info in dag.iter_dagrun_infos_between(*moments)]
import pipeline.errors
from airflow.sdk.exceptions import AirflowTaskTimeout
policy = bag.dags["tidegauge_nightly"].task_dict["discover"].retry_policy
failures = [pipeline.errors.SettingsError("day", "x", "y"), pipeline.errors.GeoError("x"),
            pipeline.errors.LakeError("x"), pipeline.errors.DataError("x"),
            pipeline.errors.PassingError("x"),
            pipeline.errors.StoreError("k", "v", "x"),
            pipeline.errors.StorageError("x"), pipeline.errors.AlertError("x"), OSError("x"),
            KeyError("x"), AirflowTaskTimeout("x")]
nightly = bag.dags["tidegauge_nightly"]
print(json.dumps({
    "retries": {type(f).__name__: policy.evaluate(f, 1, 3).action.value for f in failures},
    "errors": bag.import_errors, "dags": sorted(bag.dags),
    "tasks": [task.task_id for task in bag.dags["tidegauge_nightly"].topological_sort()],
    "shown": {dag.dag_id: [dag.owner, sorted({task.pool for task in dag.tasks}), sorted(dag.tags)]
              for dag in bag.dags.values() if "example" not in dag.tags},
    "limits": {task.task_id: [task.pool, task.max_active_tis_per_dag]
               for task in nightly.tasks if task.max_active_tis_per_dag},
    "deadline": {name: getattr(nightly.deadline[0].reference, name) for name in ("by", "zone")},
    "bare": [task.task_id for one in bag.dags.values() for task in one.tasks if not task.doc_md],
    "endless": [task.task_id for one in bag.dags.values() if "example" not in one.tags
                for task in one.tasks if not task.execution_timeout],
    "heavy": [name for name in ("duckdb", "pyarrow", "numpy") if name in sys.modules],
    "runs": {first: scheduled(first, last) for first, last in json.loads(sys.argv[2])},
}))
"""
SHOWN = {"TIDEGAUGE_AIRFLOW_OWNER": "press office", "TIDEGAUGE_AIRFLOW_POOL": "press",
         "TIDEGAUGE_AIRFLOW_TAGS": "tidegauge press", "TIDEGAUGE_AIRFLOW_BUILD_POOL": "one",
         "TIDEGAUGE_FIGURES_DUE_BY": "07:00"}  # fmt: skip
UTC_NOVEMBER = ("2016-11-01T00:00:00+00:00", "2016-11-16T23:59:59+00:00")
LOCAL_NOVEMBER = ("2016-11-01T00:00:00-04:00", "2016-11-16T23:59:59-05:00")
SPRING = ("2016-03-12T00:00:00-05:00", "2016-03-14T23:59:59-04:00")


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what a DagBag makes of the folder, without any database."""
    spans = json.dumps([UTC_NOVEMBER, LOCAL_NOVEMBER, SPRING])
    environment = airflow_environment(tmp_path_factory.mktemp("unread"))
    clean = {name: v for name, v in environment.items() if not name.startswith("TIDEGAUGE_")}
    done = subprocess.run(
        [sys.executable, "-c", READ_DAGS, DAGS, spans],
        env=clean | SHOWN | {"TIDEGAUGE_TIMEZONE": "America/Toronto"},
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_the_folder_is_read_without_a_database_and_without_work(read: dict[str, Any]) -> None:
    assert read["errors"] == {}
    assert read["dags"] == [
        f"tidegauge_{name}"
        for name in ("example_downstream", "nightly", "refresh_geo", "retention", "watch")
    ]
    assert read["tasks"] == ["discover", "ingest", "build", "check", "report"]
    assert read["heavy"] == []


def test_owner_pool_and_tags_are_as_set(read: dict[str, Any]) -> None:
    """Of all DAGs but the example, which is one to be copied."""
    assert read["shown"] == {
        f"tidegauge_{name}": ["press office", pools, ["press", "tidegauge"]]
        for name, pools in (
            ("nightly", ["one", "press"]),
            ("watch", ["one", "press"]),
            ("refresh_geo", ["press"]),
            ("retention", ["press"]),
        )
    }


def test_builds_take_turns_in_a_pool_of_theirs_and_few_files_are_read_at_once(
    read: dict[str, Any],
) -> None:
    assert read["limits"] == {"build": ["one", 1], "ingest": ["press", 8]}
    assert read["deadline"] == {"by": "07:00", "zone": "America/Toronto"}


def test_each_task_has_words_of_its_own_and_an_end(read: dict[str, Any]) -> None:
    """What hangs holds no place for ever."""
    assert (read["bare"], read["endless"]) == ([], [])


def test_what_may_pass_is_tried_again_and_nothing_else(read: dict[str, Any]) -> None:
    """Neither what we expect nor what we do not."""
    again = {name for name, action in read["retries"].items() if action == "default"}
    assert again == {"PassingError", "StorageError", "StoreError", "AlertError"}
    assert {action for name, action in read["retries"].items() if name not in again} == {"fail"}


@pytest.mark.parametrize("span", [UTC_NOVEMBER, LOCAL_NOVEMBER], ids=["utc", "local"])
def test_a_backfill_of_1_to_16_november_is_those_days_in_either_zone(
    read: dict[str, Any], span: tuple[str, str]
) -> None:
    """Each starts at 06:00 of its day, local time, also where the clocks go back on the 6th."""
    starts = [start for _, start in read["runs"][span[0]]]
    assert starts == [
        f"2016-11-{day:02} {'10' if day <= 5 else '11'}:00:00+00:00" for day in range(1, 17)
    ]


def test_a_scheduled_run_comes_at_six_of_the_morning_after(read: dict[str, Any]) -> None:
    runs = [(run_after, start[:10]) for run_after, start in read["runs"][SPRING[0]]]
    assert runs == [
        ("2016-03-13 10:00:00+00:00", "2016-03-12"),
        ("2016-03-14 10:00:00+00:00", "2016-03-13"),
        ("2016-03-15 10:00:00+00:00", "2016-03-14"),
    ]


def make_site(folder: Path) -> Site:
    """Make a site with address databases and three servers' files of 7 and 8 November."""
    site = Site(folder)
    build_default_databases(folder / "geo")
    for server in ("web01", "web02", "web03"):
        for day in (7, 8):
            site.write(f"{server}-201611{day:02}.log", b"".join(day_of(day, server)))
    return site


def day_of(day: int, server: str) -> list[bytes]:
    """Write a server's lines of a day of November, one each hour."""
    return [
        make_line(f"{day:02}/Nov/2016:{hour:02}:00:00 -0500", f"192.0.2.{hour}", f"GET /{server}")
        for hour in range(24)
    ]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site with an empty lake."""
    return make_site(tmp_path)


@pytest.fixture(scope="module")
def counted(tester: DagTester, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Return a site whose lake has 7 November; tests leave it so."""
    site = make_site(tmp_path_factory.mktemp("counted"))
    assert (
        tester.test("tidegauge_nightly", settings_of(site), {"day": "2016-11-07"}).state
        == "success"
    )
    return site


def counts(site: Site) -> dict[str, int]:
    """Return the hits of each day in the lake."""
    found: dict[str, int] = {}
    for path in sorted((site.lake / "hits").glob("day=*/*.parquet")):
        rows = pq.read_metadata(path).num_rows
        found[path.parent.name] = found.get(path.parent.name, 0) + rows
    return found


def test_a_night_takes_in_its_day_and_late_days_and_tells_others(
    tester: DagTester, site: Site
) -> None:
    """Three files of the day and three of the day before that nobody had taken in."""
    done = tester.test("tidegauge_nightly", settings_of(site), {"day": "2016-11-08"})
    assert done.state == "success"
    assert done.tasks["ingest"] == ["success"] * 6
    figures = {"countries": 1, "sessions": 24, "hits": 72}  # hours; of three servers each
    days = ["2016-11-07", "2016-11-08"]
    extra = {"day": "2016-11-08", "days": days, **figures}
    of_the_run = {"asset": "tidegauge_daily", "partition": None, **extra}
    of_days = [{"asset": "tidegauge_day", "partition": day, **extra} for day in days]
    assert done.events == [of_the_run, *of_days]
    assert {path.name for path in (site.lake / "daily").iterdir()} == {
        "day=2016-11-07", "day=2016-11-08"
    }  # fmt: skip
    assert (site.folder / "report.html").exists()


def test_a_night_and_the_command_make_the_same_lake(
    tester: DagTester, site: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tester.test("tidegauge_nightly", settings_of(site), {"day": "2016-11-07"})
    tester.test(
        "tidegauge_nightly", settings_of(site), {}, logical_date="2016-11-08T00:00:00+00:00"
    )
    other = Site(tmp_path_factory.mktemp("other"))
    raw, geo = site.folder / "raw", site.folder / "geo"
    other.run("run", "--from", "2016-11-07", "--to", "2016-11-08", "--raw", raw, "--geo", geo)
    assert site.hashes() == other.hashes()


def test_a_run_again_changes_nothing(tester: DagTester, site: Site) -> None:
    """Nor does it write any Parquet anew."""

    def written() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in site.lake.rglob("*.parquet")}

    tester.test("tidegauge_nightly", settings_of(site), {"day": "2016-11-08"})
    before, dates = site.hashes(), written()
    done = tester.test("tidegauge_nightly", settings_of(site), {"day": "2016-11-08"})
    assert (done.state, done.tasks["ingest"]) == ("success", ["skipped"])
    assert (site.hashes(), written()) == (before, dates)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the Parquet that the command makes of the site's two days."""
    site = make_site(tmp_path_factory.mktemp("reference"))
    site.run("run", "--from", "2016-11-07", "--to", "2016-11-08")
    return site.hashes()


BAD = [
    ({"RAW": "empty"}, "no raw file of 2016-11-08 in empty (0 files"),
    ({"RAW": "locked"}, "raw folder locked: Permission denied"),
    ({"RAW": "nowhere"}, "setting raw = 'nowhere': there is no such folder"),
    ({"TIMEZONE": "Mars"}, "setting timezone = 'Mars': not an IANA time zone"),
    ({"TIMEZONE": "UTC"}, "was made for time zone America/Toronto"),
    ({"GEO": "nowhere"}, "no address database in nowhere"),
]


def test_bad_input_fails_the_first_task_with_a_sentence_and_the_next_run_repairs_it(
    tester: DagTester, counted: Site, reference: dict[str, str], tmp_path: Path
) -> None:
    """The lake is as it was after each, and has the command's bytes in the end."""
    site = counted.copy(tmp_path / "site")
    (site.folder / "empty").mkdir()
    (site.folder / "locked").mkdir(mode=0o000)
    before = site.hashes()
    assert len(before) > 3
    for changes, sentence in BAD:
        folders = {"RAW", "GEO"} & changes.keys()
        paths = {name: str(site.folder / changes[name]) for name in folders}
        wrong = {f"TIDEGAUGE_{name}": value for name, value in (changes | paths).items()}
        done = tester.test("tidegauge_nightly", settings_of(site, **wrong), {"day": "2016-11-08"})
        assert (done.state, failed(done.tasks)) == ("failed", ["discover"]), changes
        (said,) = sentences(done.log)
        assert sentence in said.replace(f"{site.folder}/", ""), changes
        assert site.hashes() == before, changes
    assert (
        tester.test("tidegauge_nightly", settings_of(site), {"day": "2016-11-08"}).state
        == "success"
    )
    assert site.hashes() == reference


def test_a_future_day_is_refused_at_once_and_a_missing_file_waited_for(
    tester: DagTester, counted: Site
) -> None:
    """No retry helps against the first; the second is looked for three times more."""
    settings, before = settings_of(counted), counted.hashes()
    done = tester.test("tidegauge_nightly", settings, {"day": "2099-01-01"}, with_retries=True)
    assert (failed(done.tasks), done.tries["discover"]) == (["discover"], 1)
    assert "that day has not ended in America/Toronto" in sentences(done.log)[0]
    done = tester.test("tidegauge_nightly", settings, {"day": "2016-11-09"}, with_retries=True)
    assert (failed(done.tasks), done.tries["discover"]) == (["discover"], 4)
    assert sentences(done.log) == sentences(done.log)[:1] * 4
    assert counted.hashes() == before


def test_a_corrupt_file_fails_alone_and_is_counted_once_it_is_whole(
    tester: DagTester, site: Site
) -> None:
    """Nothing of it is kept and no figure of the day appears until it was sent again."""
    whole = gzip.compress(b"".join(day_of(8, "web02")))
    (site.folder / "raw" / "web02-20161108.log").unlink()
    path = site.write("web02-20161108.log.gz", whole[: len(whole) // 2])
    done = tester.test(
        "tidegauge_nightly", settings_of(site), {"day": "2016-11-08"}, with_retries=True
    )
    assert sorted(done.tasks["ingest"]) == ["failed"] + ["success"] * 5
    assert done.tries["ingest"] == 1  # it stays damaged until somebody sends it again
    assert failed(done.tasks) == ["ingest"]
    assert "web02-20161108.log.gz: the archive is truncated; nothing of it was kept" in done.log
    assert not (site.lake / "daily").exists()
    path.write_bytes(whole)
    done = tester.test("tidegauge_nightly", settings_of(site), {"day": "2016-11-08"})
    assert (done.state, done.tasks["ingest"]) == ("success", ["success"])
    assert counts(site) == {"day=2016-11-07": 72, "day=2016-11-08": 72}


@pytest.fixture
def full_disk(site: Site) -> Iterator[Path]:
    """Put the site's lake on a disk of 4 MB of its own, and return the file that fills it."""
    site.lake.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", site.lake]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up("a disk of one's own can be mounted by root only")
    yield site.lake / "filling"
    subprocess.run(["umount", "--lazy", site.lake], check=True)


def fill(path: Path, *, leave: int) -> None:
    """Fill the disk of `path` but for some bytes."""
    free = shutil.disk_usage(path.parent).free
    path.write_bytes(bytes(free - leave))


@pytest.mark.parametrize(("leave", "step"), [(32_768, "ingest"), (0, "build")])
def test_a_full_disk_fails_its_task_and_the_next_run_goes_on(
    tester: DagTester, site: Site, full_disk: Path, leave: int, step: str
) -> None:
    settings = settings_of(site)
    if step == "build":
        site.run("ingest", "raw", "--geo", "geo")
    fill(full_disk, leave=leave)
    done = tester.test("tidegauge_nightly", settings, {"day": "2016-11-08"})
    assert failed(done.tasks) == [step], done.tasks
    assert "No space left on device" in done.log
    assert not list((site.lake / "daily").rglob("*.parquet"))
    full_disk.unlink()
    assert tester.test("tidegauge_nightly", settings, {"day": "2016-11-08"}).state == "success"
    assert counts(site) == {"day=2016-11-07": 72, "day=2016-11-08": 72}
