"""The stack of docker-compose.yml on a real engine: started, backfilled over REST, damaged, ended.

Slow (minutes) and apart from the other tests: `make e2e` runs it. Where the machine has no engine
and can start none it is skipped with the reason; under CI that is a failure.
"""

import gzip
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from airflow_rest import Airflow, most_at_once, wait_until, when
from docker_engine import Engine, EngineMissingError, make_base, make_services, open_engine
from lakes import TABLES, count_by_command, hash_parquet
from machine import leave_out
from stack import Stack, copy_checkout, new_stack, read_env, running

from pipeline.demo.storm.address_pool import find_database

DAYS = ("2016-11-07", "2016-11-08", "2016-11-09")
FILES = "east-2016110[6-9].log.gz"
ZONE = ZoneInfo("America/Toronto")
PARTS = {"api-server", "archive", "dag-processor", "postgres", "scheduler", "triggerer"}
WEAK = {"ADMIN_PASSWORD": "changeme", "TIDEGAUGE_VISITOR_KEY": "password-password"}
SITE = """
TIDEGAUGE_TIMEZONE=America/Toronto
AIRFLOW__CORE__MAX_TASK_RETRY_DELAY=5
"""  # seconds; else the first retry comes after 2 to 4 minutes

Measure = Callable[[str, str], None]


@dataclass(frozen=True)
class Site:
    """A folder to run the stack from, with `.env`, raw logs, the built images; and its figures."""

    engine: Engine
    folder: Path
    figures: dict[str, str]
    """What the command line on this machine makes of the raw logs: SHA-256 by file."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("engine")
    try:
        with open_engine(folder) as engine:
            make_base(engine, folder)
            yield engine
    except EngineMissingError as reason:
        leave_out("the Docker", reason)


@pytest.fixture(scope="module")
def site(
    engine: Engine, raw: Path, tmp_path_factory: pytest.TempPathFactory, measure: Measure
) -> Site:
    folder, began = tmp_path_factory.mktemp("site"), time.monotonic()
    copy_checkout(folder)
    subprocess.run([sys.executable, "docker/env.py"], cwd=folder, check=True)
    with (folder / ".env").open("a") as env:
        env.write(SITE)
    for path in raw.glob(FILES):
        shutil.copy(path, folder / "raw")
    with ThreadPoolExecutor() as pool:
        services = pool.submit(make_services, engine)
        image = pool.submit(new_stack(engine, folder, "build").compose, "build")
        figures = count_on_this_machine(folder)
        services.result(), image.result()
    measure("Docker: build the images, s", f"{time.monotonic() - began:.0f}")
    return Site(engine, folder, figures)


def count_on_this_machine(folder: Path) -> dict[str, str]:
    """Count the raw logs without Airflow, with the site's key."""
    (folder / "geo").mkdir()
    (folder / "geo" / "GeoLite2-City.mmdb").symlink_to(find_database())
    key = folder / "visitor.key"
    key.touch(0o600)
    key.write_text(read_env(folder / ".env")["TIDEGAUGE_VISITOR_KEY"])
    lake = count_by_command(folder, folder / "lake", (folder / "raw").iterdir())
    return hash_parquet(lake)


def figures_in(stack: Stack, folder: Path) -> dict[str, str]:
    """The figures of the lake in the stack's volume."""
    stack.compose("cp", "scheduler:/data/lake", folder)
    return hash_parquet(folder / "lake")


@pytest.fixture(scope="module")
def local(site: Site, measure: Measure) -> Iterator[Stack]:
    """The stack as it is by default, with LocalExecutor."""
    began = time.monotonic()
    with running(new_stack(site.engine, site.folder, "local"), find_database()) as stack:
        measure("Docker: up --wait and a database, s", f"{time.monotonic() - began:.0f}")
        yield stack


def order_backfill(stack: Stack, **options: Any) -> Airflow:
    airflow = stack.airflow()
    airflow.backfill("tidegauge_nightly", DAYS[0], DAYS[-1], max_active_runs=2, **options)
    return airflow


def running_tasks(airflow: Airflow) -> list[dict[str, Any]]:
    return [task for task in airflow.tasks("tidegauge_nightly") if task["state"] == "running"]


def name_of(task: dict[str, Any]) -> tuple[str, str, int]:
    return task["dag_run_id"], task["task_id"], task["map_index"]


def test_compose_without_env_file_names_the_command_that_writes_it(
    engine: Engine, tmp_path: Path
) -> None:
    copy_checkout(tmp_path)
    refused = new_stack(engine, tmp_path, "none").attempt("config")
    assert refused.returncode != 0
    assert "make secrets" in refused.stderr


def test_every_part_is_healthy_and_ours_do_not_run_as_root(local: Stack) -> None:

    def healthy() -> set[str]:
        return {one["Service"] for one in local.containers() if one["Health"] == "healthy"}

    wait_until(lambda: healthy() == PARTS, lambda: str(healthy()))
    found = {container["Service"]: container for container in local.containers()}
    assert found["init"]["ExitCode"] == 0
    for part in PARTS - {"postgres"}:
        assert local.compose("exec", "-T", part, "id", "-u").strip() == "50000", part


def test_what_the_updater_brings_is_kept_under_its_date(local: Stack) -> None:
    """Profile `geo`: the updater's file has no date in its name, and will be overwritten."""
    (kept,) = local.databases()
    assert re.fullmatch(r".*City.*2016-?11-?03.*[.]mmdb", kept), kept
    inside = local.compose("exec", "-T", "geoipupdate", "ls", "/usr/share/GeoIP")
    assert inside.split() == ["GeoLite2-City.mmdb"]


def test_the_page_is_for_this_machine_only(local: Stack) -> None:
    published = [port for one in local.containers() for port in one["Publishers"] or []]
    addresses = {port["URL"] for port in published if port["PublishedPort"]}
    assert addresses == {"127.0.0.1"}


def test_raw_logs_are_mounted_read_only(local: Stack) -> None:
    refused = local.attempt("exec", "-T", "scheduler", "touch", "/data/raw/new")
    assert "Read-only file system" in refused.stderr


def test_default_secrets_are_refused_by_name_and_not_shown(local: Stack) -> None:
    wrong = [f"--env={name}={value}" for name, value in WEAK.items()]
    refused = local.attempt("run", "--rm", "--no-deps", "-T", *wrong, "init")
    assert refused.returncode == 1
    for name, value in WEAK.items():
        assert f"{name} in .env is" in refused.stderr
        assert value not in refused.stderr


def test_workers_without_their_executor_are_refused(local: Stack) -> None:
    refused = local.attempt("run", "--rm", "--no-deps", "-T", "worker")
    assert refused.returncode == 2
    assert "set EXECUTOR=CeleryExecutor in .env" in refused.stdout


def find_night(airflow: Airflow) -> dict[str, Any] | None:
    """The run that the schedule makes; a second one follows when it becomes 06:00 meanwhile."""
    runs = airflow.ask("GET", "dags/tidegauge_nightly/dagRuns?limit=100")["dag_runs"]
    scheduled = [run for run in runs if run["run_type"] == "scheduled"]
    return min(scheduled, key=lambda run: when(run, "logical_date"), default=None)


def deliver_night(raw: Path, night: dict[str, Any]) -> Path:
    """Write the raw file that the run waits for: the hits of 9 November with its date.

    Its day ended at the last midnight before 06:00: not yesterday's, from midnight till then.
    """
    day = when(night, "data_interval_end").astimezone(ZONE).date() - timedelta(days=1)
    lines = gzip.decompress((raw / "east-20161109.log.gz").read_bytes()).splitlines(keepends=True)
    then, now = b"[09/Nov/2016:", f"[{day:%d/%b/%Y}:".encode()
    made = raw / f"east-{day:%Y%m%d}.log.gz"
    made.write_bytes(gzip.compress(b"".join(x.replace(then, now) for x in lines if then in x)))
    return made


def test_days_backwards_and_a_night_outlive_the_schedulers_container(
    site: Site, local: Stack, tmp_path: Path, measure: Measure
) -> None:
    """Over REST, the last day first, two at once; the night is due and its file comes meanwhile."""
    began, airflow = time.monotonic(), order_backfill(local, run_backwards=True)
    night = wait_until(lambda: find_night(airflow))
    file = deliver_night(site.folder / "raw", night)
    again = {"dag_run_id": night["dag_run_id"], "dry_run": False, "only_failed": False}
    airflow.ask("POST", "dags/tidegauge_nightly/clearTaskInstances", json=again)  # nobody need
    wait_until(lambda: running_tasks(airflow))
    # Every process of it dies at once, its tasks too; Docker starts it again unasked.
    local.attempt("exec", "-T", "scheduler", "sh", "-c", "kill -9 -1")
    states = airflow.wait_for_runs("tidegauge_nightly")
    assert list(states.values()) == ["success"] * len(DAYS), states
    night = airflow.wait_for_run("tidegauge_nightly", night["dag_run_id"])
    measure("Docker: 3 days backwards and a night, scheduler killed, s",
            f"{time.monotonic() - began:.0f}")  # fmt: skip
    measure("Docker: memory with LocalExecutor, MiB", f"{local.memory_mib():.0f}")
    assert times_restarted(local, "scheduler") == 1
    runs = sorted(airflow.backfill_runs("tidegauge_nightly"), key=lambda run: run["logical_date"])
    assert night["state"] == "success"
    assert min(runs, key=lambda run: when(run, "start_date")) is runs[-1]
    assert most_at_once(runs) == 2
    path = f"dags/tidegauge_nightly/dagRuns/{night['dag_run_id']}/taskInstances"
    tasks = airflow.ask("GET", path)["task_instances"]
    (discover,) = [task for task in tasks if task["task_id"] == "discover"]
    assert when(discover, "start_date") < max(when(run, "end_date") for run in runs)
    counted = count_by_command(site.folder, tmp_path / "counted", (site.folder / "raw").iterdir())
    assert figures_in(local, tmp_path) == hash_parquet(counted)
    file.unlink()


def test_the_tab_reads_the_lake_that_the_tasks_made(local: Stack) -> None:
    """The api-server has the same settings and lake; a browser looks at a standalone one."""
    page = local.airflow().page("tidegauge/days", **{"from": DAYS[0]})
    for day in DAYS:
        assert f'aria-label="Runs of {day}"' in page


def times_restarted(stack: Stack, part: str) -> int:
    (container,) = [one["ID"] for one in stack.containers() if one["Service"] == part]
    return int(stack.engine.run("docker", "inspect", "--format={{.RestartCount}}", container))


def test_down_leaves_nothing(local: Stack) -> None:
    assert local.left()
    local.end()
    assert local.left() == []


MAPPED = "s3://tidegauge/mapped"
"""Where Airflow's variable, which wins over the environment, says that the lake is."""


def test_an_empty_spark_master_leaves_the_work_to_airflows_tasks(site: Site) -> None:
    """Of the containers' environment; what tasks then do is seen below, by Airflow's variable."""
    for given, master in (({}, "spark://spark:7077"), ({"SPARK_MASTER": ""}, "")):
        stack = new_stack(site.engine, site.folder, "scale", LAKE=MAPPED, **given)
        parts = json.loads(stack.compose("config", "--format=json"))["services"]
        its = parts["scheduler"]["environment"]
        assert (its["TIDEGAUGE_LAKE"], its["TIDEGAUGE_SPARK_MASTER"]) == (MAPPED, master)


@pytest.fixture(scope="module")
def scale(site: Site, measure: Measure) -> Iterator[Stack]:
    """The stack with all that it can have: a lake in S3, Spark, and two workers of Airflow."""
    began = time.monotonic()
    with (site.folder / ".env").open("a") as env:
        env.write("TIDEGAUGE_AIRFLOW_READS=settings\n")
    own = {"LAKE": "s3://tidegauge/spark", "EXECUTOR": "CeleryExecutor"}
    scale = new_stack(site.engine, site.folder, "scale", **own)
    scale.compose("build")
    with running(scale, find_database()) as stack:
        measure("Docker: up with S3, Spark and two workers, s", f"{time.monotonic() - began:.0f}")
        measure("Docker: memory with all of these, MiB", f"{stack.memory_mib():.0f}")
        yield stack


def test_a_night_runs_through_spark_on_the_lake_in_s3(
    site: Site, scale: Stack, measure: Measure
) -> None:
    """One setting; the figures are the folder lake's, and no key is where it should not be."""
    began, airflow = time.monotonic(), scale.airflow()
    found = [(one["Service"], one["Health"]) for one in scale.containers()]
    assert found.count(("spark-worker", "healthy")) == 2
    assert {("s3", "healthy"), ("spark", "healthy")} <= {*found}
    airflow.ask("POST", "variables", json={"key": "tidegauge", "value": "{}"})
    assert airflow.run("tidegauge_nightly", {"day": DAYS[-1]}) == "success"
    measure("Docker: a night of 3 days by Spark, s", f"{time.monotonic() - began:.0f}")
    assert figures_in_s3(scale) == site.figures
    assert_spark_did_it_and_keeps_no_key(scale)


def test_two_workers_share_a_backfill_and_one_takes_over_the_dead_ones_task(
    site: Site, scale: Stack, measure: Measure
) -> None:
    """By mapped tasks into another lake in S3, as a variable in Airflow has it."""
    workers = {one["ID"][:12]: one for one in scale.containers() if one["Service"] == "worker"}
    assert {one["Health"] for one in workers.values()} == {"healthy"}
    elsewhere = json.dumps({"lake": MAPPED, "spark_master": ""})
    variable = {"key": "tidegauge", "value": elsewhere}
    scale.airflow().ask("PATCH", "variables/tidegauge", json=variable)
    began, airflow = time.monotonic(), order_backfill(scale)
    hosts = lambda: {task["hostname"] for task in airflow.tasks("tidegauge_nightly")}  # noqa: E731
    wait_until(lambda: hosts() >= workers.keys())
    lost = kill_a_worker_amid_its_task(site.engine, airflow)
    states = airflow.wait_for_runs("tidegauge_nightly")
    assert list(states.values()) == ["success"] * len(DAYS), states
    measure("Docker: 3 days, one of two workers killed, s", f"{time.monotonic() - began:.0f}")
    (again,) = [
        task for task in airflow.tasks("tidegauge_nightly") if name_of(task) == name_of(lost)
    ]
    assert again["hostname"] in workers.keys() - {lost["hostname"]}
    assert again["try_number"] == lost["try_number"] + 1
    assert max(task["map_index"] for task in airflow.tasks("tidegauge_nightly")) > 0
    assert figures_in_s3(scale, MAPPED) == site.figures


def kill_a_worker_amid_its_task(engine: Engine, airflow: Airflow) -> dict[str, Any]:
    """Kill one worker's container, of which a task is certain not to have ended; returns that."""

    def freeze_and_kill() -> dict[str, Any] | None:
        for task in running_tasks(airflow):
            host = task["hostname"]
            if engine.attempt("docker", "pause", host).returncode:
                continue  # a busy kernel may refuse; it runs on
            held = [one for one in running_tasks(airflow) if one["hostname"] == host]
            engine.run("docker", "kill" if held else "unpause", host)
            if held:
                return held[0]
        return None

    return wait_until(freeze_and_kill)


LAKE_IN_S3 = """
import json, sys
from pipeline.lake.commit_log import CommitLog
from pipeline.lake.objects import open_objects
from pipeline.settings import load_settings
objects = open_objects(sys.argv[1] if sys.argv[1:] else str(load_settings().lake))
its = {place: one for place, one in CommitLog(objects).read_all()[1].items() if not one.is_gone}
there = {one.place for one in objects.list("")}
print(json.dumps({place: one.sha256 for place, one in its.items() if place in there}))
"""
EVERY_COMMAND = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'"
SPARKS_PAGES = """
from urllib.request import urlopen
for page in ("spark:8080", "spark:8080/json", "spark-worker:8081"):
    print(urlopen(f"http://{page}", timeout=20).read().decode())
"""


def figures_in_s3(stack: Stack, *lake: str) -> dict[str, str]:
    """The SHA-256 of what lies in the store as the log has it, by place; of the stack's lake."""
    found = stack.compose("exec", "-T", "scheduler", "python", "-c", LAKE_IN_S3, *lake)
    return {place: its for place, its in json.loads(found).items() if place.split("/")[0] in TABLES}


def assert_spark_did_it_and_keeps_no_key(stack: Stack) -> None:
    logs = stack.compose("logs", "spark", "spark-worker")
    assert logs.count("Registered app tidegauge") >= 2  # files taken in, days built
    processes = stack.compose("exec", "-T", "spark-worker", "sh", "-c", EVERY_COMMAND)
    pages = stack.compose("exec", "-T", "scheduler", "python", "-c", SPARKS_PAGES)
    assert "tidegauge" in pages
    for secret in stack.secrets():
        for text in (logs, processes, pages):
            assert secret not in text
