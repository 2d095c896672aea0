"""What the tests ask of Airflow's public REST interface."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

ENDED = {"success", "failed"}
TIMEOUT_S = 300
"""Of an answer; one that writes may wait a minute for SQLite, more than once."""
PATIENCE_S = 1200
"""Where nothing changes for so long, also on a busy machine, something hangs."""


class Airflow:
    """A logged-in administrator."""

    def __init__(self, url: str, password: str) -> None:
        """Log in to the Airflow at ``url`` (without a final slash)."""
        self._url = url
        self._session = requests.Session()
        # What only reads is asked again: a busy Airflow may have no answer at once.
        again = Retry(5, backoff_factor=1, status_forcelist=[500, 502, 503, 504])
        self._session.mount(url, HTTPAdapter(max_retries=again))
        login = {"username": "admin", "password": password}
        token = self._session.post(f"{url}/auth/token", json=login, timeout=TIMEOUT_S).json()
        self._session.headers["Authorization"] = f"Bearer {token['access_token']}"

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """Call the interface; returns the answer's JSON, and fails on an error."""
        answer = self._session.request(
            method, f"{self._url}/api/v2/{path}", timeout=TIMEOUT_S, **options
        )
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def page(self, path: str, **params: str) -> str:
        """A page that a plugin makes."""
        answer = self._session.get(f"{self._url}/{path}", params=params, timeout=TIMEOUT_S)
        assert answer.ok, f"{path}: {answer.status_code} {answer.text}"
        return answer.text

    def backfill(self, dag: str, first: str, last: str, **options: Any) -> None:
        """Unpause the DAG and order its days ``first`` to ``last`` (of UTC-5)."""
        self.wait_for_another_backfill(dag)
        self.ask("PATCH", f"dags/{dag}", json={"is_paused": False})
        days = {"from_date": f"{first}T00:00:00-05:00", "to_date": f"{last}T23:59:59-05:00"}
        self.ask("POST", "backfills", json={"dag_id": dag, **days, **options})

    def wait_for_another_backfill(self, dag: str = "tidegauge_nightly") -> None:
        """Wait until the scheduler, which looks every half minute, sees that the last one ended."""
        path = f"backfills?dag_id={dag}"

        def is_over() -> bool:
            return all(one["completed_at"] for one in self.ask("GET", path)["backfills"])

        wait_until(is_over)

    def run(self, dag: str, conf: dict[str, Any]) -> str:
        """Unpause the DAG and run it with parameters; returns the state in which it ended."""
        self.ask("PATCH", f"dags/{dag}", json={"is_paused": False})
        asked = {"logical_date": None, "conf": conf}
        run = self.ask("POST", f"dags/{dag}/dagRuns", json=asked)["dag_run_id"]
        return str(self.wait_for_run(dag, run)["state"])

    def wait_for_run(self, dag: str, run_id: str) -> dict[str, str]:
        """Wait until a run has ended; returns it."""

        def ended() -> dict[str, str] | None:
            run: dict[str, str] = self.ask("GET", f"dags/{dag}/dagRuns/{run_id}")
            return run if run["state"] in ENDED else None

        found: dict[str, str] = wait_until(ended, lambda: self.explain_run(dag, run_id))
        return found

    def explain_run(self, dag: str, run: str) -> str:
        """Where a run is: the states of its tasks."""
        tasks = self.ask("GET", f"dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
        return str(
            sorted((task["task_id"], task["map_index"], str(task["state"])) for task in tasks)
        )

    def backfill_runs(self, dag: str) -> list[dict[str, Any]]:
        """The DAG's runs of backfills."""
        runs = self.ask("GET", f"dags/{dag}/dagRuns?limit=100")["dag_runs"]
        return [run for run in runs if run["run_type"] == "backfill"]

    def tasks(self, dag: str) -> list[dict[str, Any]]:
        """The task instances of the DAG's backfills, a hundred at most."""
        path = f"dags/{dag}/dagRuns/~/taskInstances"
        found = self.ask("GET", path, params={"limit": 100})["task_instances"]
        return [task for task in found if task["dag_run_id"].startswith("backfill")]

    def wait_for_runs(self, dag: str) -> dict[str, str]:
        """Wait until all backfill runs have ended; returns their states by run."""

        def ended() -> dict[str, str] | None:
            states = {run["dag_run_id"]: run["state"] for run in self.backfill_runs(dag)}
            return states if set(states.values()) <= ENDED else None

        return wait_until(ended, lambda: str(self._unfinished(dag)))

    def _unfinished(self, dag: str) -> list[tuple[str, ...]]:
        keys = ("dag_run_id", "task_id", "state", "try_number")
        open_tasks = [task for task in self.tasks(dag) if task["state"] != "success"]
        return [tuple(str(task[key]) for key in keys) for task in open_tasks]


def when(run: dict[str, str], what: str) -> datetime:
    """An instant of a run or a task, such as its `start_date`."""
    return datetime.fromisoformat(run[what])


def most_at_once(runs: list[dict[str, str]]) -> int:
    """How many runs that have ended were at work at the same time."""
    return max(
        sum(when(r, "start_date") <= when(run, "start_date") < when(r, "end_date") for r in runs)
        for run in runs
    )


def wait_until(
    look: Callable[[], Any], explain: Callable[[], str] = str, pause_s: float = 1
) -> Any:
    """Call ``look`` until it returns something; fails when what is explained stays the same long.

    So a busy machine may take its time while anything goes on. Each look costs it some of that.
    """
    said, end = explain(), time.monotonic() + PATIENCE_S
    while not (found := look()):
        if time.monotonic() > end:
            before, said = said, explain()
            assert said != before, f"nothing new in {PATIENCE_S} s: {said}"
            end = time.monotonic() + PATIENCE_S
        time.sleep(pause_s)
    return found
