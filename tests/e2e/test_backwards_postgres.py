"""Days counted backwards, four at once, while the nightly schedule fires: the same lake.

On PostgreSQL as Airflow's own database, with the LocalExecutor.
"""

import gzip
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from airflow_rest import wait_until
from lakes import count_by_command, hash_parquet
from machine import leave_out
from postgres import PostgresMissingError, open_postgres
from standalone import Standalone

from pipeline.demo.storm.november import DAYS

FIVE = DAYS[5:10]
"""6 to 10 November: the end of summer time and the storm."""
ZONE = ZoneInfo("America/Toronto")


@pytest.fixture(scope="module")
def airflow(
    raw: Path, artefacts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Standalone]:
    """A standalone Airflow on PostgreSQL, over the raw logs of five days."""
    home = tmp_path_factory.mktemp("postgres")
    (home / "raw").mkdir()
    for day in FIVE:
        for path in raw.glob(f"*-{day:%Y%m%d}.log.gz"):
            shutil.copy(path, home / "raw")
    try:
        with open_postgres() as address:
            airflow = Standalone(
                home,
                artefacts / "postgres.txt",
                AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=address,
                TIDEGAUGE_LAST_DAY="2100-01-01",  # the site goes on: every night has its run
            )
            try:
                airflow.start()
                for dag in ("tidegauge_example_downstream", "tidegauge_watch"):
                    airflow.rest.ask("PATCH", f"dags/{dag}", json={"is_paused": True})
                yield airflow
            finally:
                airflow.close()
                shutil.copy(home / "airflow.log", artefacts / "postgres-airflow.log")
    except PostgresMissingError as reason:
        leave_out("the PostgreSQL", reason)


def deliver_night(raw: Path, run: dict[str, str]) -> None:
    """Write the raw file that a scheduled run waits for: the hits of 10 November with its date.

    Its day ended at the last midnight before 06:00: not yesterday's, from midnight till then.
    """
    day = when(run, "data_interval_end").astimezone(ZONE).date() - timedelta(days=1)
    lines = gzip.decompress((raw / "east-20161110.log.gz").read_bytes()).splitlines(keepends=True)
    then, now = b"[10/Nov/2016:", f"[{day:%d/%b/%Y}:".encode()
    content = b"".join(line.replace(then, now) for line in lines if then in line)
    (raw / f"east-{day:%Y%m%d}.log.gz").write_bytes(gzip.compress(content))


def scheduled_run(airflow: Standalone) -> dict[str, Any]:
    """The night's run; a second one follows when it becomes 06:00 during the test."""
    runs = airflow.rest.ask("GET", "dags/tidegauge_nightly/dagRuns?limit=100")["dag_runs"]
    scheduled = [run for run in runs if run["run_type"] == "scheduled"]
    return min(scheduled, key=lambda run: when(run, "logical_date"))


def when(run: dict[str, str], what: str) -> datetime:
    return datetime.fromisoformat(run[what])


def test_days_run_backwards_while_the_schedule_fires(
    airflow: Standalone, measure: Callable[[str, str], None]
) -> None:
    """The last day comes first, four are at work at once, and last night's run comes between."""
    airflow.rest.backfill(
        "tidegauge_nightly", str(FIVE[0]), str(FIVE[-1]), run_backwards=True, max_active_runs=4
    )
    wait_until(lambda: finished(airflow) >= 2, pause_s=2)
    waiting = scheduled_run(airflow)  # for a file; a person need not
    deliver_night(airflow.home / "raw", waiting)
    night = waiting["dag_run_id"]
    again = {"dag_run_id": night, "dry_run": False, "only_failed": False}
    airflow.rest.ask("POST", "dags/tidegauge_nightly/clearTaskInstances", json=again)
    runs = airflow.wait_for_backfill()
    airflow.wait_for_run(night)
    assert {run["state"] for run in [*runs, scheduled_run(airflow)]} == {"success"}
    assert min(runs, key=lambda run: when(run, "start_date")) is runs[-1]
    assert most_at_once(runs) == 4
    path = f"dags/tidegauge_nightly/dagRuns/{night}/taskInstances?task_id=discover"
    tasks = airflow.rest.ask("GET", path)["task_instances"]
    (discover,) = [task for task in tasks if task["task_id"] == "discover"]
    assert when(discover, "start_date") < max(when(run, "end_date") for run in runs)
    first = min(when(run, "start_date") for run in runs)
    seconds = (max(when(run, "end_date") for run in runs) - first).total_seconds()
    measure(
        "5 days backwards, PostgreSQL, Docker beside it: seconds per day",
        f"{seconds / len(FIVE):.1f}",
    )
    memory = " / ".join(f"{taken / 1e6:,.0f} MB" for taken in airflow.most_memory)
    measure("most memory, PostgreSQL's own apart: sum of RSS / PSS", memory)


def finished(airflow: Standalone) -> int:
    return [run["state"] for run in airflow.rest.backfill_runs("tidegauge_nightly")].count(
        "success"
    )


def most_at_once(runs: list[dict[str, str]]) -> int:
    return max(
        sum(when(r, "start_date") <= when(run, "start_date") < when(r, "end_date") for r in runs)
        for run in runs
    )


def test_lake_is_that_of_the_command_line(airflow: Standalone, tmp_path: Path) -> None:
    """All raw files by `tidegauge ingest` and `build`: the same Parquet, byte for byte."""
    raw = list((airflow.home / "raw").iterdir())
    assert len(raw) == 2 * len(FIVE) + 1
    reference = count_by_command(airflow.home, tmp_path / "lake", raw)
    assert hash_parquet(airflow.home / "lake") == hash_parquet(reference)
