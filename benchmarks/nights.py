"""What Airflow adds to a night and a backfill: a standalone one on SQLite beside `tidegauge run`.

    python benchmarks/nights.py [--nights 3] [--build-tasks 1]

Simulated logs of two data centres. A backfill of 16 days at parallelism 4; then days more, each by
the DAG and by the command on a copy of the same lake. Wall seconds, and CPU seconds of all of
Airflow's processes, as others may be at work on the machine. Exit code 1 when a day of the
backfill, or what a night takes longer than the command, is over its limit; those are of builds
that are one task each.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import median

import psutil

sys.path.extend(str(Path(__file__).parents[1] / name) for name in ("tests", "tests/e2e"))

from lakes import hash_parquet, make_raw, run_command
from standalone import Standalone

from pipeline.demo.storm.november import DAYS

NIGHTLY = "tidegauge_nightly"
SIXTEEN = DAYS[:16]
LIMIT_A_NIGHT, LIMIT_A_DAY = 6.0, 5.0
"""Wall seconds on a quiet machine of two cores."""


def cpu_seconds(airflow: Standalone) -> float:
    """What its processes have taken so far, those that have ended too."""
    total = 0.0
    for process in airflow.look():
        with suppress(psutil.Error):
            total += sum(process.cpu_times()[:4])
    return total


@contextmanager
def started(home: Path, build_tasks: int) -> Iterator[Standalone]:
    """A standalone Airflow that is at rest, without the DAGs that are not measured."""
    setting = {"TIDEGAUGE_AIRFLOW_BUILD_TASKS": str(build_tasks)}
    airflow = Standalone(home, home / "printed.txt", **setting)
    try:
        airflow.start()
        airflow.wait_until_idle()
        for dag in airflow.rest.ask("GET", "dags")["dags"]:
            if dag["dag_id"] != NIGHTLY:
                airflow.rest.ask("PATCH", f"dags/{dag['dag_id']}", json={"is_paused": True})
        yield airflow
    finally:
        airflow.close()


def seconds_of(*runs: dict[str, str]) -> float:
    """From when the first of some runs began until the last has ended."""
    began, ended = (
        [datetime.fromisoformat(run[at]) for run in runs] for at in ("start_date", "end_date")
    )
    assert {run["state"] for run in runs} == {"success"}, runs
    return (max(ended) - min(began)).total_seconds()


def time_backfill(airflow: Standalone) -> float:
    """Count 16 days; returns the wall seconds of one."""
    before = cpu_seconds(airflow)
    airflow.rest.backfill(NIGHTLY, str(SIXTEEN[0]), str(SIXTEEN[-1]), max_active_runs=4)
    runs = airflow.wait_for_backfill()
    wall, cpu = seconds_of(*runs) / len(SIXTEEN), (cpu_seconds(airflow) - before) / len(SIXTEEN)
    print(f"a day of a backfill: {wall:.1f} s wall, {cpu:.1f} s CPU", flush=True)
    airflow.rest.wait_for_another_backfill()
    return wall


def time_night(airflow: Standalone, day: date) -> float:
    """Count a day more; returns the wall seconds that Airflow takes longer than the command."""
    home, copy = airflow.home, airflow.home / f"copy-{day}"
    shutil.copytree(home / "lake", copy)
    before = os.times()
    command = run_command(
        home, "run", "--from", str(day), "--to", str(day), "--raw", home / "raw", "--lake", copy
    )
    after = os.times()
    of_command = sum(after[2:4]) - sum(before[2:4])
    then = cpu_seconds(airflow)
    order = {"logical_date": None, "conf": {"day": str(day)}}
    run = airflow.rest.ask("POST", f"dags/{NIGHTLY}/dagRuns", json=order)
    run = airflow.wait_for_run(run["dag_run_id"])
    cpu = cpu_seconds(airflow) - then
    assert hash_parquet(home / "lake") == hash_parquet(copy)
    night = seconds_of(run)
    print(
        f"{day}: tidegauge run {command:.1f} s wall, {of_command:.1f} s CPU;"
        f" {NIGHTLY} {night:.1f} s, {cpu:.1f} s CPU", flush=True,
    )  # fmt: skip
    return night - command


def main() -> None:
    """Print a line a measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=3)
    parser.add_argument("--build-tasks", type=int, default=1)
    given = parser.parse_args()
    nights = given.nights
    with tempfile.TemporaryDirectory() as name:
        home = Path(name, "home")
        home.mkdir()
        shutil.copytree(make_raw(Path(name, "simulated")), home / "raw")
        with started(home, given.build_tasks) as airflow:
            a_day = time_backfill(airflow)
            added = [time_night(airflow, SIXTEEN[-1] + timedelta(n + 1)) for n in range(nights)]
    print(f"a night above the command, median of {nights}: {median(added):.1f} s wall")
    raise SystemExit(a_day > LIMIT_A_DAY or median(added) > LIMIT_A_NIGHT)


if __name__ == "__main__":
    main()
