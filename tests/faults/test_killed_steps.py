"""Killed at named steps, or beside another process: the next run makes it good, bytes for bytes."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from lake_fixtures import Site
from lake_processes import (
    BAD,
    SERVERS,
    STOP,
    Lakes,
    assert_ends_well,
    assert_nothing_abandoned,
    make_server,
    start,
)


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Lakes:
    return Lakes(tmp_path_factory.mktemp("lakes"))


@pytest.fixture(scope="module")
def first(lakes: Lakes) -> Path:
    """The lake of the first file."""
    site = lakes.new("first")
    site.ingest(lakes.raw[0])
    site.run("build")
    return site.lake


def test_two_ingests_at_once_give_the_same_bytes(lakes: Lakes) -> None:
    """Two processes that take the same files into one new lake do not disturb each other.

    They have another hash seed than this process too.
    """
    site = lakes.new("two-at-once")
    both = [start(site, "ingest", "--no-geo", *raw) for raw in (lakes.raw, reversed(lakes.raw))]
    for process in both:
        assert_ends_well(process)
    assert len(site.records()) == len(SERVERS)
    both = [start(site, "build"), start(site, "build")]
    for process in both:
        assert_ends_well(process)
    assert site.hashes() == lakes.wanted


def appears(*patterns: str) -> Callable[[Site], bool]:
    return lambda site: any(next(site.lake.glob(pattern), None) for pattern in patterns)


MOMENTS: dict[str, Callable[[Site], bool]] = {
    "staging": appears(".staging/*/*"),
    "first_hits": appears("hits/*/*.parquet"),
    "first_record": appears("ledger/files/*.parquet"),
}


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], dict[str, str]]:
    """Files large enough to be interrupted, and the hashes of the lake they make."""
    folder = tmp_path_factory.mktemp("large")
    site = Site(folder)
    raw = [
        site.write(f"big0{n}.log", make_server(n, 200, 3000) * 12 + BAD * n) for n in range(1, 4)
    ]
    site.ingest(*raw)
    site.run("build")
    return raw, site.hashes()


def test_killed_ingest_is_made_good_by_the_next(
    large: tuple[list[Path], dict[str, str]], tmp_path: Path
) -> None:
    """Killed at several moments, in the same lake one after another, the next run completes it."""
    raw, wanted = large
    site = Site(tmp_path)
    for moment, has_come in MOMENTS.items():
        process = start(site, "ingest", "--no-geo", *raw)
        deadline = time.monotonic() + 30
        while not has_come(site) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL, moment
    site.ingest(*raw)
    site.run("build")
    assert site.hashes() == wanted
    assert_nothing_abandoned(site)


def kill_at(site: Site, step: str, *args: str | Path) -> None:
    """Run the command in a process that kills itself when it reaches a named step."""
    killed = subprocess.run(
        [sys.executable, "-c", STOP.format(step=step), *args],
        cwd=site.folder,
        env=site.environment(),
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, step


STEPS = {
    "ingest": (
        "ingest: block", "ingest: read", "commit: staged", "commit: written down", "commit: lines",
        "commit: rejects", "commit: hits", "commit: files", "commit: applied",
    ),
    "build": (
        "put: staged", "commit: staged", "commit: written down", "commit: sessions",
        "commit: daily", "commit: ledger", "commit: days", "commit: applied",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("command", "step"), [(command, step) for command, steps in STEPS.items() for step in steps]
)
def test_killed_at_a_named_step_the_next_run_makes_it_good(
    lakes: Lakes, first: Path, command: str, step: str
) -> None:
    """After a kill at any named step the same commands end in the same lake, with nothing left."""
    site = lakes.new(f"{command}-killed-{step.replace(' ', '-').replace(':', '')}")
    shutil.copytree(first, site.lake)
    if command == "ingest":
        kill_at(site, step, "ingest", "--no-geo", *lakes.raw)
    site.ingest(*lakes.raw)
    if command == "build":
        kill_at(site, step, "build")
    site.run("build")
    assert site.hashes() == lakes.wanted
    assert_nothing_abandoned(site)
