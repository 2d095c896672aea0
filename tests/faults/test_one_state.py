"""Readers beside a build that replaces files: each answer is that of one state of the lake."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from lake_processes import STOP, as_nobody
from restated_lakes import Publisher

from pipeline.lake.exchange import exchanging

DAYS = range(1, 13)
AS_OF = "2016-11-12T20:00:00-05:00"

READERS = """
import contextlib, hashlib, io, json, subprocess, sys, time
from datetime import UTC, datetime
from pathlib import Path
from pipeline.lake.query import State
from pipeline.lake.zone import find_zone, open_lake
from pipeline.report.accounting import report_settings
from pipeline.alerts.today import read_day_so_far
from pipeline.cli.history import history
from pipeline.cli.options import RowOptions, SiteOptions
from pipeline.report.figure import find_figure
from pipeline.report.page import make_page
from pipeline.settings import load_settings

settings = load_settings()
as_of = datetime.fromisoformat("2016-11-12T20:00:00-05:00")

def say_history():
    with contextlib.redirect_stdout(io.StringIO()) as out:
        history(country="all", output=RowOptions(), site=SiteOptions(lake=settings.lake))
    return out.getvalue()

lake, how = open_lake(settings.lake), report_settings(settings, datetime.now(UTC))
zone = find_zone(settings.timezone, lake).info
READ = {
    "report": lambda: make_page(lake, how),
    "figure": lambda: repr(find_figure(lake, how, as_of.date().replace(day=9), "all")),
    "now": lambda: repr(read_day_so_far(lake, zone, as_of)),
    "history": say_history,
}

def read(names):
    return [[name, hashlib.sha256(READ[name]().encode()).hexdigest()] for name in names]
"""
AMID = """
query = State.query

def read_amid(name, staged, command):
    writers = []

    def asked(*args, **bound):
        found = query(*args, **bound)
        if not writers:
            writers.append(subprocess.Popen(command))
            while not Path(staged).exists() and writers[0].poll() is None:
                time.sleep(0.01)
            # Nobody keeps it from ending but a reader's lock.
            with contextlib.suppress(subprocess.TimeoutExpired):
                writers[0].wait(2)
        return found

    State.query = asked
    found = read([name])
    assert writers[0].wait() == 0
    return found

print(json.dumps([read_amid(*case) for case in json.loads(sys.argv[1])]))
"""
"""A command of the writer's begins behind the first question of each answer."""
AT_REST = """
for command in json.loads(sys.argv[1]):
    subprocess.run(command, check=True)
    print(json.dumps(read(READ)))
"""
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
for number in map(int, sys.argv[3:]):
    STEPS[number]()
"""


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


def start(site: Publisher, script: str, *args: str) -> subprocess.Popen[bytes]:
    places = {f"TIDEGAUGE_{n.upper()}": str(site.site.folder / n) for n in ("lake", "geo")}
    return subprocess.Popen(
        [sys.executable, "-c", script, *args], env=site.site.environment(dict(places)),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def finish(process: subprocess.Popen[bytes]) -> bytes:
    out, err = process.communicate()
    assert process.returncode == 0, err.decode()
    return out


def writing(site: Publisher, staged: Path, step: int) -> list[str]:
    """What makes the writer do a step, and the file ``staged`` before it exchanges files."""
    late = site.site.folder / "raw" / "late.log"
    return [sys.executable, "-c", WRITER, str(late), str(staged), str(step)]


@pytest.fixture(scope="module")
def legal(site: Publisher, tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    """What is answered at rest, after each of the writer's steps: its hashes by command."""
    staged = tmp_path_factory.mktemp("legal") / "staged"
    steps = json.dumps([writing(site, staged, step) for step in range(4)])
    answers = map(json.loads, finish(start(site, READERS + AT_REST, steps)).splitlines())
    found = {(name, text) for its in answers for name, text in its}
    assert len(found) > 6, "the steps change what is answered"
    return found


def test_each_answer_is_that_of_one_state_while_a_change_replaces_files(
    site: Publisher, legal: set[tuple[str, str]], tmp_path: Path
) -> None:
    """A step of the writer's comes between the first question of an answer and the second."""
    names = ("report", "report", "figure", "figure", "now", "now", "history", "history")
    cases = [
        (name, str(tmp_path / str(number)), writing(site, tmp_path / str(number), number % 4))
        for number, name in enumerate(names)
    ]
    answers = json.loads(finish(start(site, READERS + AMID, json.dumps(cases))))
    for number, found in enumerate(answers):
        assert (tmp_path / str(number)).exists()
        assert set(map(tuple, found)) <= legal, (names[number], number % 4)


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
    assert [finish(reader) for reader in readers] == [b""] * 4


def test_a_lake_that_may_only_be_read_is_in_one_state_too(site: Publisher, tmp_path: Path) -> None:
    """Without a right to write in it, and without locks in it: a lake of an earlier version."""
    other = Publisher(tmp_path)
    shutil.copytree(site.site.lake, other.site.lake)
    for lock in (other.lake.ledger / ".exchange.lock", other.lake.ledger / ".gate.lock"):
        lock.unlink()
    subprocess.run(["chmod", "-R", "a+rX,go-w,u-w", tmp_path], check=True)
    questions = (
        ["figure", "--day", "2016-11-09", "--country", "US"], ["history"], ["daily"],
        ["now", "--as-of", AS_OF],
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
    killed = subprocess.run(
        [sys.executable, "-c", STOP.format(step="commit: daily"), "build"],
        cwd=tmp_path, env=other.site.environment(), check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
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
