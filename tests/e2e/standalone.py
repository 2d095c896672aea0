"""`make airflow` as a person runs it: start, read what it prints, log in, Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
from airflow_rest import ENDED, PATIENCE_S, Airflow, wait_until
from remote_servers import free_port

CHECKOUT = Path(__file__).parents[2]


class Standalone:
    """`python -m pipeline.demo.standalone` in a home folder; what it prints goes to ``output``."""

    def __init__(self, home: Path, output: Path, **environment: str) -> None:
        """Prepare only; ``environment`` is added to one without settings of any site."""
        self.port = free_port()
        self.home, self.output = home, output
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("TIDEGAUGE_", "AIRFLOW"))}
        self._environment = clean | environment
        self._seen: set[psutil.Process] = set()
        self._weighed_at = 0.0
        self.most_memory = (0, 0)
        """The most that all processes took at once, as ``weigh`` has it."""

    def start(self) -> None:
        """Start, and wait until it says that Airflow is ready."""
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pipeline.demo.standalone", "--home", self.home,
                 "--port", str(self.port)],
                cwd=CHECKOUT, env=self._environment, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        end = time.monotonic() + PATIENCE_S
        while "Airflow is ready" not in self.output.read_text():
            assert self._process.poll() is None, self.output.read_text()
            assert time.monotonic() < end, self.output.read_text()
            time.sleep(0.5)
        self.rest = Airflow(self.url, self.password)

    @property
    def url(self) -> str:
        """The address it prints."""
        return re.findall("http://127[.]0[.]0[.]1:[0-9]+", self.output.read_text())[-1]

    @property
    def password(self) -> str:
        """The password it prints."""
        return re.findall(r"password +(\S+)", self.output.read_text())[-1]

    def look(self) -> list[psutil.Process]:
        """Look at its processes; remembers them and how much memory they take."""
        with suppress(psutil.NoSuchProcess):
            top = psutil.Process(self._process.pid)
            self._seen |= {top, *top.children(recursive=True)}
        alive = [process for process in self._seen if process.is_running()]
        if time.monotonic() > self._weighed_at + 20:  # seconds; it costs the kernel much
            self._weighed_at = time.monotonic()
            self.most_memory = max(self.most_memory, weigh(alive))
        return alive

    def stop(self, how: int = signal.SIGINT) -> int:
        """Stop it as Ctrl-C does; returns the exit code. Nothing of it may be left."""
        self.look()
        self._process.send_signal(how)
        code = self._process.wait(PATIENCE_S)
        left = [str(process) for process in self._seen if process.is_running()]
        assert left == []
        return code

    def close(self) -> None:
        """End it whatever happened."""
        if self._process.poll() is None:
            self.stop(signal.SIGTERM)

    def wait_until_idle(self) -> None:
        """Wait until no run is open: on SQLite, orders and tasks are in each other's way."""
        path = "dags/~/dagRuns?state=running&state=queued"
        wait_until(lambda: not self.rest.ask("GET", path)["dag_runs"])

    def wait_for_running_task(self) -> None:
        """Wait until a task of `tidegauge_nightly` is at work."""
        path = "dags/tidegauge_nightly/dagRuns/~/taskInstances?state=running"
        wait_until(lambda: self.rest.ask("GET", path)["task_instances"])

    def wait_for_run(self, run_id: str, dag: str = "tidegauge_nightly") -> dict[str, str]:
        """Wait until a run has ended; returns it."""
        return self.rest.wait_for_run(dag, run_id)

    def wait_for_backfill(self) -> list[dict[str, str]]:
        """Wait until no run of a backfill of `tidegauge_nightly` is open; returns all, by date."""
        runs: list[dict[str, str]] = []

        def is_over() -> bool:
            self.look()
            runs[:] = self.rest.backfill_runs("tidegauge_nightly")
            return bool(runs) and all(run["state"] in ENDED for run in runs)

        wait_until(
            is_over, lambda: str([(run["dag_run_id"], run["state"]) for run in runs]), pause_s=2
        )
        return sorted(runs, key=lambda run: run["logical_date"])


def weigh(processes: list[psutil.Process]) -> tuple[int, int]:
    """Bytes of memory: resident, and resident with shared pages counted once."""
    resident = shared_out = 0
    for process in processes:
        with suppress(psutil.Error):
            memory = process.memory_full_info()
            resident, shared_out = resident + memory.rss, shared_out + memory.pss
    return resident, shared_out
