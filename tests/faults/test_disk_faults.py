"""Full, read-only and forbidden disks: one sentence, exit 2, nothing lost, the next run repairs."""

import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
from lake_fixtures import GOOD, Site
from lake_processes import as_nobody, make_server, own_disk


@dataclass(frozen=True)
class Made:
    """An undisturbed lake, and the same lake before its build and before its second file."""

    site: Site
    raw: list[Path]
    wanted: dict[str, str]
    stages: dict[str, Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    site = Site(tmp_path_factory.mktemp("made"))
    raw = [site.write(f"web0{n}.log", make_server(n, hours=60)) for n in (1, 2)]
    stages = {}
    for name, step in (
        ("first", lambda: [site.ingest(raw[0]), site.run("build")]),
        ("ingested", lambda: site.ingest(*raw)),
        ("built", lambda: site.run("build")),
    ):
        step()
        stages[name] = site.folder / name
        shutil.copytree(site.lake, stages[name])
    return Made(site, raw, site.hashes(), stages)


STEPS = {"a first ingest": None, "a further ingest": "first", "a build": "ingested"}


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let no file grow over `size` bytes, as a quota does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def full_but(lake: Path, leave: int) -> Iterator[None]:
    """Fill the lake's disk but for some bytes while the block runs."""
    ballast = lake / "ballast"
    with ballast.open("wb") as file:
        file.write(bytes(max(0, shutil.disk_usage(lake).free - leave)))
    try:
        yield
    finally:
        ballast.unlink()


def fail_and_repair(
    made: Made, site: Site, step: str, fault: Callable[[], AbstractContextManager[None]], why: str
) -> str:
    """Take a step on a faulty disk, then on a sound one; return what was said at the first."""
    start = STEPS[step]
    if start:
        shutil.copytree(made.stages[start], site.lake, dirs_exist_ok=True)
    before = read_figures(site) if start else ""
    files = site.hashes()
    command = ["build"] if step == "a build" else ["ingest", "--no-geo", *made.raw]
    with fault():
        done = site.run(*command, code=2)
    (sentence,) = [line for line in done.err.splitlines() if line.startswith("tidegauge: ")]
    assert why in sentence
    assert len(done.err.splitlines()) <= 3, done.err  # a new lake's zone, a cache not written
    assert "Traceback" not in done.err
    if start:
        assert read_figures(site) == before or step == "a build"
        now = site.hashes()
        assert all(now[path] == digest for path, digest in files.items() if "hits" in path)
    repair(made, site)
    return sentence


def read_figures(site: Site) -> str:
    return site.run("daily", "--format", "csv").out


def repair(made: Made, site: Site) -> None:
    """Run ingest and build on a sound disk: the lake is the undisturbed one, without leftovers."""
    site.ingest(*made.raw)
    site.run("build")
    assert site.hashes() == made.wanted
    assert read_figures(site) == read_figures(made.site)
    left = {path.name for path in site.lake.iterdir()} - {p.name for p in made.site.lake.iterdir()}
    assert not left
    assert not list(site.lake.rglob("*.draft"))


@pytest.mark.parametrize(
    ("step", "size"),
    [
        *product(STEPS, (0, 4000)),
        ("a build", 12_000),
        ("a first ingest", 100_000),
    ],
)
def test_files_that_may_not_grow(step: str, size: int, made: Made, tmp_path: Path) -> None:
    """From the first Parquet file to the views, the largest, which a first ingest writes."""
    fail_and_repair(made, Site(tmp_path), step, lambda: files_up_to(size), "File too large")


@pytest.mark.parametrize(
    ("step", "leave"), [*product(STEPS, (0, 20_000)), ("a first ingest", 100_000)]
)
def test_disk_that_is_full(step: str, leave: int, made: Made, tmp_path: Path) -> None:
    """No room at all, for a few files, for all but the last ones."""
    site = Site(tmp_path)
    with own_disk(site.lake):
        fault = lambda: full_but(site.lake, leave)  # noqa: E731 called when the lake is filled
        fail_and_repair(made, site, step, fault, "No space left on device")


def test_lake_that_is_read_only_answers_and_takes_nothing(made: Made, tmp_path: Path) -> None:
    """Every question is answered as before; every change is refused with exit 2."""
    site = Site(tmp_path)
    log = site.write("web03.log", GOOD)
    with own_disk(site.lake):
        shutil.copytree(made.stages["built"], site.lake, dirs_exist_ok=True)
        subprocess.run(["mount", "-o", "remount,ro", site.lake], check=True)
        questions = (["daily"], ["surges"], ["sql", "SELECT count(*) FROM sessions"], ["status"],
                     ["erase", "--client", "192.0.2.1"])  # fmt: skip
        for question in questions:
            assert site.run(*question).out == made.site.run(*question).out
        for change in (["ingest", "--no-geo", log], ["build"], ["run", "--raw", "raw"]):
            done = site.run(*change, code=2)
            assert "Read-only file system" in done.err
            assert "lake" in done.err
            assert len(done.err.splitlines()) == 1
        assert site.hashes() == made.wanted


def test_what_is_forbidden_is_named(made: Made, tmp_path: Path) -> None:
    """A raw file that may not be read is named and the others are in; a lake is refused."""
    site = Site(tmp_path)
    paths = [site.write("a.log", GOOD), site.write("b.log", GOOD * 2), site.write("d/c.log", GOOD)]
    site.lake.mkdir(mode=0o777)
    site.lake.chmod(0o777)
    paths[0].chmod(0o000)
    paths[2].parent.chmod(0o000)
    with as_nobody(site.folder):
        done = site.ingest("raw", code=1)
        assert "raw/a.log: cannot be read: Permission denied" in done.err
        assert "raw/d: cannot be read: Permission denied" in done.err
    assert [record["name"] for record in site.records().values()] == ["b.log"]
    paths[2].parent.chmod(0o755)
    other = Site(tmp_path / "other")
    other.folder.mkdir()
    shutil.copytree(made.stages["built"], other.lake)
    log = other.write("web03.log", GOOD)
    subprocess.run(["chmod", "-R", "a+rX,go-w,u-w", other.lake], check=True)
    figures = read_figures(made.site)
    with as_nobody(other.folder):
        assert read_figures(other) == figures
        for change in (["ingest", "--no-geo", log], ["build"]):
            done = other.run(*change, code=2)
            assert "lake can't be written: Permission denied" in done.err
            assert len(done.err.splitlines()) == 1
    subprocess.run(["chmod", "-R", "u+w", other.lake], check=True)
    assert other.hashes() == made.wanted
