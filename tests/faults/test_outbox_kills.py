"""Alerts of processes that are killed, or send at once: nobody misses one, nobody is told twice."""

import json
import os
from collections.abc import Iterator
from datetime import date
from itertools import product
from pathlib import Path

import pytest
from alert_services import Services
from forks import Fork

from pipeline.alerts.failures import Failure, announce_failure
from pipeline.alerts.services import alert_settings
from pipeline.settings import load_settings


@pytest.fixture
def services() -> Iterator[Services]:
    listening = Services()
    yield listening
    listening.close()


KILLED = """
import json, os, signal, sys
import apprise
from datetime import date
from pathlib import Path
from pipeline.lake import fault_points as steps
from pipeline.alerts.failures import Failure, announce_failure
from pipeline.alerts.services import alert_settings
from pipeline.settings import load_settings
def announce(lake, urls, step, left):
    def stop(reached):
        nonlocal left
        left -= reached == step
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    steps.listener = stop
    settings = load_settings(lake=Path(lake), alert_urls=urls)
    day = date(2016, 11, 8)
    announce_failure(alert_settings(settings), Failure(day, "build", "why"), day, is_asked=False)
for case in json.loads(sys.argv[1]):
    if (process := os.fork()) == 0:
        announce(*case)
        os._exit(0)
    os.waitpid(process, 0)
sys.exit()
"""
"""Announces a failure for each case, in a process that dies at a step's so-manieth time."""
STEPS = ["commit: staged", "commit: written down", "commit: alerts", "commit: applied",
         "alert: written down", "alert: sent", "write: alerts", "alert: taken"]  # fmt: skip
Case = tuple[str, str, str, int]


def start(cases: list[Case]) -> Fork:
    return Fork([json.dumps(cases)], Path.cwd(), os.environ, KILLED)


def test_a_process_killed_anywhere_repeats_at_most_one_message(
    tmp_path: Path, services: Services
) -> None:
    """Three services; the next run sends what is left, and nobody misses it."""
    cases: list[Case] = []
    for number, (step, count) in enumerate(product(STEPS, (1, 2, 3))):
        urls = " ".join(services.url(f"{name}{number}") for name in "abc")
        cases.append((str(tmp_path / str(number)), urls, step, count))
    assert start(cases).wait() == 0
    day = date(2016, 11, 8)
    for number, (lake, urls, step, count) in enumerate(cases):
        settings = alert_settings(load_settings(lake=Path(lake), alert_urls=urls))
        announce_failure(settings, Failure(day, "build", "why"), day, is_asked=False)
        taken = [len(services.titles(f"{name}{number}")) for name in "abc"]
        is_between = step == "alert: sent" or (step == "write: alerts" and count < 3)
        assert min(taken) == 1, (step, count)
        assert sum(taken) == (4 if is_between else 3), (step, count)


def test_a_night_and_a_watch_at_once_send_nothing_twice(tmp_path: Path, services: Services) -> None:
    urls = " ".join(services.url(name) for name in "ab")
    running = [start([(str(tmp_path / "lake"), urls, "none", 1)]) for _ in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    assert [len(services.titles(name)) for name in "ab"] == [1, 1]
