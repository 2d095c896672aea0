"""Readers beside a build that replaces files: each answer is that of one state of the lake."""

import shutil
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from forks import Fork
from lake_processes import as_nobody, assert_ends_well, kill_at, start
from restated_lakes import Publisher

from pipeline.alerts.today import read_day_so_far
from pipeline.lake.exchange import exchanging
from pipeline.lake.query import State
from pipeline.lake.zone import find_zone
from pipeline.report.accounting import report_settings
from pipeline.report.figure import find_figure
from pipeline.report.page import make_page

DAYS = range(1, 13)
AS_OF = datetime.fromisoformat("2016-11-12T20:00:00-05:00")


def read_report(site: Publisher) -> str:
    return make_page(site.lake, report_settings(site.settings, datetime.now(UTC)))


def read_figure(site: Publisher) -> str:
    how = report_settings(site.settings, datetime.now(UTC))
    return repr(find_figure(site.lake, how, date(2016, 11, 9), "all"))


def read_now(site: Publisher) -> str:
    zone = find_zone(site.settings.timezone, site.lake).info
    return repr(read_day_so_far(site.lake, zone, AS_OF))


def read_history(site: Publisher) -> str:
    return site.site.run("history", "--country", "all").out


READ = {"report": read_report, "figure": read_figure, "now": read_now, "history": read_history}
WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from pipeline.lake import fault_points as steps
from pipeline.build.build import build
from pipeline.ingest.deduplication import OverlapRules
from pipeline.ingest.forget import forget_file
from pipeline.lake.lake import Lake
from pipeline.orchestration.nightly import take_in
from pipeline.settings import load_settings
from pipeline.build.build import build_settings

settings = load_settings()
lake, late, staged = Lake(settings.lake), *map(Path, sys.argv[1:3])
steps.listener = lambda step: staged.touch() if step == "commit: staged" else None
made_with = build_settings(settings, lake)
STEPS = (
    lambda: forget_file(lake, OverlapRules(), "late.log", datetime.now(UTC)),
    lambda: build(lake, made_with),
    lambda: take_in(settings, [late], [late]),
    lambda: build(lake, made_with),
)
STEPS[int(sys.argv[3])]()
sys.exit()
"""
"""Does a step, and makes a file before it exchanges files."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Publisher:
    """Twelve days of one server, published, and a late file with as many lines of every day."""
    site = Publisher(tmp_path_factory.mktemp("one-state"))
    for day in DAYS:
        site.deliver(f"web01-201611{day:02}.log", day=day, US=20, CA=30)
    site.build()
    site.publish("2016-11-13T06:00:00-05:00")
    days = sorted((site.site.folder / "raw").glob("web01-*"))
    late = b"".join(path.read_bytes().replace(b"web01", b"late") for path in days)
    site.site.run("ingest", site.site.write("late.log", late))
    site.site.run("build")
    return site


def write(site: Publisher, staged: Path, step: int) -> Fork:
    """Do a step of the writer's, and the file ``staged`` before it exchanges files."""
    places = {f"TIDEGAUGE_{n.upper()}": str(site.site.folder / n) for n in ("lake", "geo")}
    late = site.site.folder / "raw" / "late.log"
    return start(site.site, late, staged, str(step), first=WRITER, **places)


@pytest.fixture(scope="module")
def legal(site: Publisher, tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    """What is answered at rest, after each of the writer's steps, by command."""
    staged, found = tmp_path_factory.mktemp("legal") / "staged", set()
    for step in range(4):
        assert_ends_well(write(site, staged, step))
        found |= {(name, read(site)) for name, read in READ.items()}
    assert len(found) > 6, "the steps change what is answered"
    return found


def read_amid(site: Publisher, name: str, staged: Path, step: int) -> str:
    """Answer; a step of the writer's begins behind the first question."""
    writers: list[Fork] = []
    query = State.query

    def asked(*args: Any, **bound: Any) -> Any:
        found = query(*args, **bound)
        if not writers:
            writers.append(write(site, staged, step))
            while not staged.exists() and writers[0].poll() is None:
                time.sleep(0.01)
            with suppress(subprocess.TimeoutExpired):
                writers[0].wait(2)  # nobody keeps it from ending but a reader's lock
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(State, "query", asked)
        found = READ[name](site)
    assert_ends_well(writers[0])
    return found


def test_each_answer_is_that_of_one_state_while_a_change_replaces_files(
    site: Publisher, legal: set[tuple[str, str]], tmp_path: Path
) -> None:
    """A step of the writer's comes between the first question of an answer and the second."""
    names = ("report", "report", "figure", "figure", "now", "now", "history", "history")
    for number, name in enumerate(names):
        staged = tmp_path / str(number)
        found = read_amid(site, name, staged, number % 4)
        assert staged.exists()
        assert (name, found) in legal, (name, number % 4)


def test_readers_keep_no_writer_out(tmp_path: Path) -> None:
    """However they overlap: who comes while a writer waits goes after it."""
    come_and_go = (
        "import sys, time; from pathlib import Path; from pipeline.lake.exchange import sharing\n"
        "print('here', flush=True)\n"
        "until = time.monotonic() + 900\n"
        "while time.monotonic() < until and not Path(sys.argv[2]).exists():\n"
        "    with sharing(Path(sys.argv[1])): time.sleep(0.05)\n"
    )
    (tmp_path / ".exchange.lock").touch()
    (tmp_path / ".gate.lock").touch()
    args = [sys.executable, "-c", come_and_go, tmp_path, tmp_path / "enough"]
    readers = [subprocess.Popen(args, stdout=subprocess.PIPE) for _ in range(4)]
    assert [reader.stdout and reader.stdout.readline() for reader in readers] == [b"here\n"] * 4
    for _ in range(5):
        with exchanging(tmp_path):
            assert [reader.poll() for reader in readers] == [None] * 4
    (tmp_path / "enough").touch()
    assert [reader.communicate()[0] for reader in readers] == [b""] * 4


def test_a_lake_that_may_only_be_read_is_in_one_state_too(site: Publisher, tmp_path: Path) -> None:
    """Without a right to write in it, and without locks in it: a lake of an earlier version."""
    other = Publisher(tmp_path)
    shutil.copytree(site.site.lake, other.site.lake)
    for lock in (other.lake.ledger / ".exchange.lock", other.lake.ledger / ".gate.lock"):
        lock.unlink()
    subprocess.run(["chmod", "-R", "a+rX,go-w,u-w", tmp_path], check=True)
    questions = (
        ["figure", "--day", "2016-11-09", "--country", "US"], ["history"], ["daily"],
        ["now", "--as-of", AS_OF.isoformat()],
    )  # fmt: skip
    wanted = [site.site.run(*q).out for q in questions]  # loads what nobody may not read
    with as_nobody(tmp_path):
        assert [other.site.run(*q).out for q in questions] == wanted
    subprocess.run(["chmod", "-R", "u+w", tmp_path], check=True)


def test_a_change_that_was_broken_off_is_finished_or_said(site: Publisher, tmp_path: Path) -> None:
    """Who may write finishes it before reading; who may not is told, and reads no mixture."""
    other = Publisher(tmp_path)
    shutil.copytree(site.site.lake, other.site.lake)
    other.deliver("web03.log", day=9, US=7)
    kill_at(other.site, "commit: daily", "build")
    question = ["figure", "--day", "2016-11-09", "--country", "US"]
    subprocess.run(["chmod", "-R", "a+rX,go-w,u-w", tmp_path], check=True)
    site.site.run(*question)  # loads what nobody may not read
    with as_nobody(tmp_path):
        refused = other.site.run(*question, code=2)
    assert "a change of it was interrupted" in refused.err
    subprocess.run(["chmod", "-R", "u+w", tmp_path], check=True)
    said = other.site.run(*question).out
    assert not (other.lake.root / ".commit").exists()
    assert "counted 47 sessions" in said
    assert "of 107 from all countries" in said
