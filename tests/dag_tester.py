"""Runs a DAG of `dags/` by `dag.test()`, many times in one process: Airflow takes seconds to load.

As a script it serves requests on standard input, one JSON object a line, and answers with the
states of the run's tasks. Retries come at once when asked for, and are left out otherwise: the
DAGs' own would wait for minutes. A raw file is whole when it
was left alone for a second. Folders that root may not read are not read: the process has given
root's power over permissions away.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.demo import airflow_sqlite

if TYPE_CHECKING:
    from lake_fixtures import Site

DAGS = Path(__file__).parents[1] / "dags"
SHAPE = "TIDEGAUGE_AIRFLOW_BUILD_TASKS"
ASKED = ("TIDEGAUGE_", "AIRFLOW_CONN_", "AIRFLOW_VAR_", "AWS_")


@dataclass(frozen=True)
class Tested:
    """A run's state, the states of its tasks (one for each mapped index), and what was logged."""

    state: str
    tasks: dict[str, list[str]]
    tries: dict[str, int]
    """How often each task was tried; the most of its mapped indices."""
    events: list[dict[str, Any]]
    """The extra and the partition of each event of an asset that the run caused."""
    log: str


def airflow_environment(home: Path) -> dict[str, str]:
    """Return settings of an Airflow of one's own in `home`: SQLite, our DAGs, no examples."""
    clean = {name: v for name, v in os.environ.items() if not name.startswith("AIRFLOW")}
    return clean | airflow_sqlite.ENVIRONMENT | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    }  # fmt: skip


def settings_of(site: "Site", **changes: str) -> dict[str, str]:
    """Return the environment that a deployment of `site` would have."""
    named = {name: v for name, v in site.environment().items() if name.startswith("TIDEGAUGE_")}
    places = {name: str(site.folder / name) for name in ("raw", "lake", "geo")}
    places["report"] = str(site.folder / "report.html")
    return named | {f"TIDEGAUGE_{name.upper()}": path for name, path in places.items()} | changes


class DagTester:
    """A serving process with a metadata database of its own."""

    def __init__(self, home: Path) -> None:
        """Make the database and start the process; what it logs goes to files in `home`."""
        environment = airflow_environment(home)
        airflow = Path(sys.executable).with_name("airflow")
        powers = "--bounding-set=-dac_override,-dac_read_search"
        is_mighty = os.geteuid() == 0 and shutil.which("setpriv")
        subprocess.run([airflow, "db", "migrate"], env=environment, check=True, capture_output=True)
        self.home = home
        self.log = home / "log"
        """What all runs have said."""
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*(["setpriv", powers] if is_mighty else []), sys.executable, __file__],
                env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip

    def test(
        self,
        dag_id: str,
        settings: Mapping[str, str],
        conf: dict[str, Any],
        *,
        with_retries: bool = False,
        **dates: str | None,
    ) -> Tested:
        """Run a DAG with settings, `AIRFLOW_CONN_*`, `AIRFLOW_VAR_*`, parameters and its dates.

        The dates are `run_after` and `logical_date`, in RFC 3339.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        start = self.log.stat().st_size
        request = {"dag_id": dag_id, "settings": dict(settings), "conf": conf, "dates": dates,
                   "with_retries": with_retries}  # fmt: skip
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        log = self.log.read_bytes()[start:].decode()
        assert answer, log[-3000:]
        return Tested(**json.loads(answer), log=log)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def serve() -> None:
    """Run each request in turn and answer with its states."""
    sleep = time.sleep
    # `dag.test()` waits a second for each step of a run that failed.
    time.sleep = lambda seconds: sleep(min(seconds, 0.1))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Airflow logs to standard output
    while line := sys.stdin.readline():
        answers.write(json.dumps(_answer(json.loads(line))) + "\n")
        answers.flush()


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    from datetime import datetime, timedelta

    from airflow.dag_processing.dagbag import DagBag

    before = os.environ.get(SHAPE)
    for name in [name for name in os.environ if name.startswith(ASKED)]:
        del os.environ[name]
    os.environ.update(request["settings"])
    if os.environ.get(SHAPE) != before:  # which our modules read when they are loaded
        for name in [name for name in sys.modules if name.startswith("pipeline.orchestration")]:
            del sys.modules[name]
    from pipeline.orchestration import files_sensor  # its schedules' zone is of the settings

    files_sensor._LOOK_S, files_sensor._SETTLED_S = 0.2, 1
    dag = DagBag(DAGS).get_dag(request["dag_id"])
    for task in dag.tasks:
        task.max_retry_delay = timedelta(seconds=1)
        task.retries = task.retries if request["with_retries"] else 0
    dates = {
        name: value and datetime.fromisoformat(value) for name, value in request["dates"].items()
    }
    run = dag.test(run_conf=request["conf"], **dates)
    tasks: dict[str, list[str]] = {}
    tries: dict[str, int] = {}
    for instance in run.get_task_instances():
        tasks.setdefault(instance.task_id, []).append(str(instance.state))
        tries[instance.task_id] = max(tries.get(instance.task_id, 0), instance.try_number)
    return {"state": str(run.state), "tasks": tasks, "tries": tries, "events": _events_of(run)}


def _events_of(run: Any) -> list[dict[str, Any]]:
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    mine = select(AssetEvent).where(
        AssetEvent.source_dag_id == run.dag_id, AssetEvent.source_run_id == run.run_id
    )
    with create_session() as session:
        events = session.scalars(mine).all()
        found = [{"asset": e.asset.name, "partition": e.partition_key, **e.extra} for e in events]
    return sorted(found, key=lambda event: (event["asset"], event["partition"] or ""))


if __name__ == "__main__":
    serve()


def failed(tasks: dict[str, list[str]]) -> list[str]:
    """Return the tasks that failed by themselves."""
    return sorted(task for task, states in tasks.items() if "failed" in states)


def sentences(log: str) -> list[str]:
    """Return our own errors in a log, each the last line of its traceback."""
    errors = [line for line in log.splitlines() if line.startswith("pipeline.errors.")]
    return [line.partition(": ")[2] for line in errors]
