"""A build whose parts are tasks: the bytes of one process, whatever becomes of tasks and lake."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from conftest import VISITOR_KEY
from lake_fixtures import Site, make_line
from lake_processes import SERVERS

from pipeline.build.buckets import VisitorBucket
from pipeline.errors import EngineError, LakeError, SettingsError
from pipeline.lake.lake import Lake
from pipeline.orchestration.build_tasks import (
    Part,
    do_part,
    finish_tasks,
    list_buckets,
    name_part,
    plan_tasks,
)
from pipeline.settings import Settings, load_settings

DIVIDED = 1550
"""Of so many hits a process builds: one of the days has more."""
LARGE = "2016-11-06"
AT = "/Nov/2016:10:00:00 -0500"


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Return a site with the hits of five days, not built; not to be changed."""
    site = Site(tmp_path_factory.mktemp("ingested"))
    site.ingest(*(site.write(name, content) for name, content in SERVERS.items()))
    return site


@pytest.fixture(scope="module")
def wanted(ingested: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the bytes that one process builds."""
    site = ingested.copy(tmp_path_factory.mktemp("wanted") / "site")
    site.run("build")
    return site.hashes()


@pytest.fixture
def site(ingested: Site, tmp_path: Path) -> Site:
    return ingested.copy(tmp_path / "site")


def settings_of(site: Site, **changes: Any) -> Settings:
    its = {"lake": site.lake, "geo": "none", "hits_at_once": DIVIDED}
    with mock.patch.dict(os.environ, site.environment(), clear=True):
        return load_settings(**its | changes)


class Scheduler:
    """Runs a build's tasks one by one; what it keeps goes through JSON, and holds no secret."""

    def __init__(self, settings: Settings) -> None:
        """Begin with no task done."""
        self.settings = settings
        self.kept: list[str] = []

    def keep(self, value: Any) -> Any:
        """Return what a scheduler has of a value."""
        self.kept.append(json.dumps(value))
        return json.loads(self.kept[-1])

    def plan(self) -> list[Part]:
        """Plan the build."""
        self.planned: list[Part] = self.keep(plan_tasks(self.settings))
        return self.planned

    def do(self, parts: list[Part], times: int = 1) -> list[Part]:
        """Do parts in another order; again where a process died when it had done all."""
        done = [
            [do_part(self.settings, part) for _ in range(times)][-1] for part in reversed(parts)
        ]
        return list(self.keep(done))

    def list_buckets(self, done: list[Part]) -> list[Part]:
        """List the buckets of large days."""
        return list(self.keep(list_buckets(self.settings, done)))

    def finish(self, done: list[Part]) -> list[str]:
        """Put all into the lake."""
        return list(self.keep(finish_tasks(self.settings, self.planned, done)))

    def run(self) -> list[str]:
        """Do all tasks."""
        done = self.do(self.plan())
        return self.finish(done + self.do(self.list_buckets(done)) if done else [])


def named(parts: list[Part], word: str) -> list[Part]:
    return [part for part in parts if word in name_part(part)]


@pytest.mark.large
def test_tasks_build_the_bytes_of_one_process(site: Site, wanted: dict[str, str]) -> None:
    """Small days are a part each; the large one's parts are slices, then buckets; each twice."""
    scheduler = Scheduler(settings_of(site))
    before = site.hashes()
    done = scheduler.do(scheduler.plan(), 2)
    names = [name_part(part) for part in scheduler.planned]
    slices = [name for name in names if "slice" in name]
    days = [name for name in names if name not in slices]
    assert days == ["2016-11-05", "2016-11-07", "2016-11-08", "2016-11-09"]
    assert slices == [f"{LARGE}, slice {n} of {len(slices)}" for n in range(1, len(slices) + 1)]
    buckets = scheduler.list_buckets(done)
    assert [name_part(part) for part in buckets] == [f"{LARGE}, bucket {n}" for n in (1, 2)]
    built = scheduler.do(buckets, 2)
    assert site.hashes() == before  # nothing is seen until all is
    assert len(scheduler.finish(done + built)) == 5
    assert site.hashes() == wanted
    assert not (site.lake / ".staging").exists()
    assert VISITOR_KEY not in "".join(scheduler.kept)
    assert "nothing was stale" in site.run("build").out
    assert "nothing is off" in site.run("verify").err


@pytest.mark.large
def test_nothing_stale_is_no_part_and_settings_are_heeded_all_the_same(
    site: Site, wanted: dict[str, str]
) -> None:
    site.run("build")
    scheduler = Scheduler(settings_of(site))
    assert scheduler.run() == []
    assert scheduler.planned == []
    assert site.hashes() == wanted


@pytest.mark.large
def test_a_lost_part_is_named_and_every_other_day_is_built(
    site: Site, wanted: dict[str, str]
) -> None:
    """A task that is done later, or again, and the last one after it: then all is there."""
    scheduler = Scheduler(settings_of(site))
    parts = scheduler.plan()
    (lost,) = named(parts, "2016-11-08")
    done = scheduler.do([part for part in parts if part != lost])
    built = scheduler.do(scheduler.list_buckets(done)[1:])
    others = "2016-11-05", "2016-11-07", "2016-11-09"
    for _ in range(2):  # tried again to no avail
        with pytest.raises(EngineError, match=f"not built: {LARGE}, 2016-11-08 .*every other day"):
            scheduler.finish(done + built)
        assert sorted(path.name[4:] for path in (site.lake / "daily").iterdir()) == [*others]
    found = {place: its for place, its in site.hashes().items() if place in wanted}
    assert all(wanted[place] == its for place, its in found.items() if "day=" in place)
    done += scheduler.do([lost])
    with pytest.raises(EngineError, match=f"not built: {LARGE} "):
        scheduler.finish(done + built)
    built += scheduler.do(scheduler.list_buckets(done)[:1])
    assert len(scheduler.finish(done + built)) == 5
    assert site.hashes() == wanted


@pytest.mark.large
def test_a_lost_slice_leaves_its_day_out_of_the_buckets(site: Site) -> None:
    scheduler = Scheduler(settings_of(site))
    parts = scheduler.plan()
    done = scheduler.do([part for part in parts if part != named(parts, "slice")[0]])
    assert scheduler.list_buckets(done) == []
    with pytest.raises(EngineError, match=f"not built: {LARGE} .*slice 1"):
        scheduler.finish(done)


@pytest.mark.large
def test_a_last_task_that_is_killed_finds_all_again(site: Site, wanted: dict[str, str]) -> None:
    scheduler = Scheduler(settings_of(site))
    done = scheduler.do(scheduler.plan())
    done += scheduler.do(scheduler.list_buckets(done))
    with (
        mock.patch("pipeline.lake.change.Change.put", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        scheduler.finish(done)
    scheduler.finish(done)
    assert site.hashes() == wanted


KILLED = """
import json, os, sys
from pipeline.orchestration.build_tasks import do_part
from pipeline.settings import load_settings
do_part(load_settings(geo="none"), json.loads(sys.argv[1]))
"""


def start_part(site: Site, part: Part) -> subprocess.Popen[bytes]:
    its = {"TIDEGAUGE_LAKE": str(site.lake), "TIDEGAUGE_HITS_AT_ONCE": str(DIVIDED)}
    return subprocess.Popen(
        [sys.executable, "-c", KILLED, json.dumps(part)], env=site.environment({**its})
    )


@pytest.mark.large
@pytest.mark.parametrize("word", ["2016-11-08", "slice 1", "bucket 1"])
def test_a_killed_part_is_done_again(word: str, site: Site, wanted: dict[str, str]) -> None:
    """It is killed as soon as it has a folder of its own, with what it has left there."""
    scheduler = Scheduler(settings_of(site))
    parts = scheduler.plan()
    done = [] if "bucket" not in word else scheduler.do(parts)
    asked = scheduler.list_buckets(done) if done else parts
    (aside,) = (site.lake / ".staging").glob("*.aside")
    before = len(list(aside.rglob("*")))
    process = start_part(site, named(asked, word)[0])
    while process.poll() is None and len(list(aside.rglob("*"))) < before + 3:
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -9
    if not done:
        done = scheduler.do(parts)
    scheduler.finish(done + scheduler.do(scheduler.list_buckets(done)))
    assert site.hashes() == wanted
    assert not (site.lake / ".staging").exists()


@pytest.mark.large
def test_a_person_who_is_erased_meanwhile_is_in_no_day(site: Site) -> None:
    """What parts have left is removed, as their sessions may be in it; the build begins again."""
    scheduler = Scheduler(settings_of(site))
    done = scheduler.do(scheduler.plan())
    site.run("erase", "--client", "192.0.2.7", "--delete")
    assert not list(site.lake.glob(".staging/*"))
    with pytest.raises(EngineError, match=r"had laid aside is gone .*build again"):
        scheduler.list_buckets(done)


def add_file(site: Site, name: str, *days: int) -> None:
    log = [make_line(f"{day:02}/Nov/2016:{n:02}:30:00 -0500") for day in days for n in range(24)]
    site.ingest(site.write(name, b"".join(log)))


def list_stale(site: Site) -> set[str]:
    rows = json.loads(site.run("build", "--explain", "--format", "json").out)
    return {row["day"] for row in rows}


MEANWHILE = [(8,), (6,), (5, 6, 7, 8, 9)]


@pytest.fixture(scope="module")
def with_late(
    ingested: Site, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[int, ...], dict[str, str]]:
    """Return the bytes that one process builds where a file of some days has come, by the days."""
    found = {}
    for days in MEANWHILE:
        site = ingested.copy(tmp_path_factory.mktemp("late") / "site")
        add_file(site, "late.log", *days)
        site.run("build")
        found[days] = site.hashes()
    assert "nothing is off" in site.run("verify").err
    return found


@pytest.mark.large
@pytest.mark.parametrize("days", MEANWHILE)
@pytest.mark.parametrize("before", ["parts", "the last"])
def test_files_that_come_meanwhile_are_counted(
    days: tuple[int, ...], before: str, site: Site, with_late: dict[tuple[int, ...], dict[str, str]]
) -> None:
    """By the last task, where they are of the day itself; else by the next build."""
    scheduler = Scheduler(settings_of(site))
    parts = scheduler.plan()
    if before == "parts":
        add_file(site, "late.log", *days)
    done = scheduler.do(parts)
    done += scheduler.do(scheduler.list_buckets(done))
    if before != "parts":
        add_file(site, "late.log", *days)
    assert len(scheduler.finish(done)) == 5
    assert list_stale(site).isdisjoint(f"2016-11-{day:02}" for day in days)
    site.run("build")
    assert site.hashes() == with_late[days]


@pytest.mark.large
def test_hits_that_are_gone_are_no_failure(site: Site) -> None:
    """A file that grew takes its earlier state's place."""
    scheduler = Scheduler(settings_of(site))
    parts = scheduler.plan()
    name, content = "web03-access.log", SERVERS["web03-access.log"]
    site.ingest(site.write(name, content + b"\n" + make_line(f"07{AT}")))
    done = scheduler.do(parts)
    scheduler.finish(done + scheduler.do(scheduler.list_buckets(done)))
    assert list_stale(site) == {"2016-11-08"}  # beside one that has other files
    site.run("build")
    assert "nothing is off" in site.run("verify").err


@pytest.mark.large
def test_hits_that_are_forgotten_meanwhile_are_no_failure(site: Site) -> None:
    """Their Parquet, of one file alone, is gone: what cannot be read is made anew."""
    scheduler = Scheduler(settings_of(site))
    parts = scheduler.plan()
    site.run("forget", "web03-access.log")
    done = scheduler.do(parts)
    scheduler.finish(done + scheduler.do(scheduler.list_buckets(done)))
    site.run("build")
    assert "nothing is off" in site.run("verify").err


@pytest.mark.large
def test_days_that_somebody_else_built_stand(site: Site, wanted: dict[str, str]) -> None:
    one, two = Scheduler(settings_of(site)), Scheduler(settings_of(site))
    parts = one.plan()
    done = one.do(parts)
    two.run()
    assert site.hashes() == wanted
    one.finish(done + one.do(one.list_buckets(done)))
    assert site.hashes() == wanted


@pytest.mark.large
def test_a_day_that_needs_more_memory_is_named(site: Site) -> None:
    scheduler = Scheduler(settings_of(site))
    done = scheduler.do(scheduler.plan())
    with mock.patch.object(VisitorBucket, "run", return_value=None):
        done += scheduler.do(scheduler.list_buckets(done))
    with pytest.raises(SettingsError, match=f"memory_limit_mb.*too little to build {LARGE}"):
        scheduler.finish(done)


@pytest.fixture
def planned(site: Site) -> Scheduler:
    scheduler = Scheduler(settings_of(site))
    scheduler.plan()
    return scheduler


@pytest.mark.large
def test_other_settings_or_versions_are_refused(planned: Scheduler, site: Site) -> None:
    others = settings_of(site, session_timeout_minutes=31)
    with pytest.raises(EngineError, match="install the same everywhere"):
        do_part(others, planned.planned[0])
    do_part(settings_of(site, hits_at_once=10), planned.planned[0])  # the plan's stand


@pytest.mark.large
def test_what_was_forgotten_goes_after_two_days_and_is_missed(
    planned: Scheduler, site: Site
) -> None:
    (aside,) = (site.lake / ".staging").glob("*.aside")
    with Lake(site.lake).staging():
        assert aside.exists()
    long_ago = time.time() - 49 * 3600
    os.utime(aside, (long_ago, long_ago))
    with Lake(site.lake).staging():
        assert not aside.exists()
    with pytest.raises(EngineError, match=r"had laid aside is gone .*build again"):
        do_part(planned.settings, planned.planned[0])


@pytest.mark.large
def test_damaged_hits_are_a_sentence_of_their_part(planned: Scheduler, site: Site) -> None:
    for path in (site.lake / "hits" / "day=2016-11-09").iterdir():
        path.write_bytes(b"PAR1 nothing PAR1")
    (part,) = named(planned.planned, "2016-11-09")
    with pytest.raises(LakeError, match="damaged"):
        do_part(planned.settings, part)


def test_spark_and_tasks_are_not_both(site: Site) -> None:
    settings = settings_of(site, spark_master="spark://somewhere:7077", airflow_build_tasks=2)
    with pytest.raises(SettingsError, match="airflow_build_tasks = 2: Spark divides builds"):
        plan_tasks(settings)
