"""Alerts of processes that are killed, or send at once: nobody misses one, nobody is told twice."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from alert_services import Services

from pipeline.alerts.failures import Failure, announce_failure
from pipeline.alerts.services import alert_settings
from pipeline.settings import load_settings


@pytest.fixture
def services() -> Iterator[Services]:
    listening = Services()
    yield listening
    listening.close()


KILLED = """
import os, signal, sys
from datetime import date
from pathlib import Path
from pipeline.lake import fault_points as steps
from pipeline.alerts.failures import Failure, announce_failure
from pipeline.alerts.services import alert_settings
from pipeline.settings import load_settings
lake, urls, step, count = sys.argv[1:]
left = int(count)
def stop(reached):
    global left
    left -= reached == step
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
steps.listener = stop
settings = load_settings(lake=Path(lake), alert_urls=urls)
day = date(2016, 11, 8)
announce_failure(alert_settings(settings), Failure(day, "build", "why"), day, is_asked=False)
"""
STEPS = ["commit: staged", "commit: written down", "commit: alerts", "commit: applied",
         "alert: written down", "alert: sent", "write: alerts", "alert: taken"]  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("step", STEPS)
def test_a_process_killed_anywhere_repeats_at_most_one_message(
    tmp_path: Path, services: Services, step: str, count: int
) -> None:
    """Three services; the next run sends what is left, and nobody misses it."""
    names = ("a", "b", "c")
    urls = " ".join(services.url(name) for name in names)
    args = [sys.executable, "-c", KILLED, tmp_path / "lake", urls, step, str(count)]
    subprocess.run(args, check=False)
    settings = alert_settings(load_settings(lake=tmp_path / "lake", alert_urls=urls))
    day = date(2016, 11, 8)
    announce_failure(settings, Failure(day, "build", "why"), day, is_asked=False)
    taken = [len(services.titles(name)) for name in names]
    is_between = step == "alert: sent" or (step == "write: alerts" and count < 3)
    assert min(taken) == 1
    assert sum(taken) == (4 if is_between else 3)


def test_a_night_and_a_watch_at_once_send_nothing_twice(tmp_path: Path, services: Services) -> None:
    urls = " ".join(services.url(name) for name in "ab")
    args = [sys.executable, "-c", KILLED, tmp_path / "lake", urls, "none", "1"]
    running = [subprocess.Popen(args, env=os.environ) for _ in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    assert [len(services.titles(name)) for name in "ab"] == [1, 1]
