"""`make airflow` as a person runs it: start, read what it prints, log in, Ctrl-C."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
from airflow_rest import Airflow

CHECKOUT = Path(__file__).parents[2]
START_S, STOP_S = 300, 90


class Standalone:
    """`python -m pipeline.standalone` in a home folder; what it prints goes to ``output``."""

    def __init__(self, home: Path, output: Path, **environment: str) -> None:
        """Prepare only; ``environment`` is added to one without settings of any site."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.home, self.output = home, output
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("TIDEGAUGE_", "AIRFLOW"))}
        self._environment = clean | environment
        self._seen: dict[int, psutil.Process] = {}
        self.most_memory = (0, 0)
        """The most that all processes took at once: resident, and with shared pages shared out."""

    def start(self) -> None:
        """Start, and wait until it says that Airflow is ready."""
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pipeline.standalone", "--home", self.home,
                 "--port", str(self.port)],
                cwd=CHECKOUT, env=self._environment, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        end = time.monotonic() + START_S
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
            for process in [top, *top.children(recursive=True)]:
                self._seen.setdefault(process.pid, process)
        alive = [process for process in self._seen.values() if process.is_running()]
        resident = shared = 0
        for process in alive:
            with suppress(psutil.Error):
                memory = process.memory_full_info()
                resident, shared = resident + memory.rss, shared + memory.pss
        self.most_memory = max(self.most_memory, (resident, shared))
        return alive

    def stop(self, how: int = signal.SIGINT) -> int:
        """Stop it as Ctrl-C does; returns the exit code. Nothing of it may be left."""
        self.look()
        self._process.send_signal(how)
        code = self._process.wait(STOP_S)
        left = [str(process) for process in self._seen.values() if process.is_running()]
        assert left == []
        return code

    def close(self) -> None:
        """End it whatever happened."""
        if self._process.poll() is None:
            self.stop(signal.SIGTERM)

    def wait_for_backfill(self, seconds: float) -> list[dict[str, str]]:
        """Wait until no backfill run of `nightly` is open; returns all of them, by date."""
        end = time.monotonic() + seconds
        while True:
            runs = self.rest.backfill_runs("nightly")
            if runs and all(run["state"] in {"success", "failed"} for run in runs):
                return sorted(runs, key=lambda run: run["logical_date"])
            assert time.monotonic() < end, [(run["dag_run_id"], run["state"]) for run in runs]
            self.look()
            time.sleep(2)
