"""The package as pip installs it, beside what its lock names, where nothing knows a checkout.

One group, so that one worker installs it once.
"""

import doctest
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import metadata
from importlib.util import cache_from_source
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from conftest import VISITOR_KEY
from geo_server import Server, make_database, serve
from lake_fixtures import make_line
from packaging.requirements import Requirement
from shown import find_blocks

pytestmark = pytest.mark.xdist_group("wheel")

CHECKOUT = Path(__file__).parents[2]
READ_DAGS = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
import pipeline
print(json.dumps([bag.import_errors, sorted(bag.dags), pipeline.__file__]))
"""


@dataclass(frozen=True)
class Installed:
    """An environment of its own, and an empty folder to work in."""

    folder: Path

    def run(self, program: str, *args: str | Path) -> subprocess.CompletedProcess[str]:
        """Run one of its programs, without settings and without this checkout."""
        ours = ("TIDEGAUGE_", "PYTHON", "AIRFLOW", "VIRTUAL_ENV")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        home = {"HOME": str(self.folder / "home"), "AIRFLOW_HOME": str(self.folder / "airflow")}
        (self.folder / "work").mkdir(exist_ok=True)
        return subprocess.run(
            [self.folder / "env" / "bin" / program, *args],
            cwd=self.folder / "work",
            env=clean | home | {"TIDEGAUGE_VISITOR_KEY": VISITOR_KEY},
            capture_output=True,
            text=True,
            check=False,
        )

    def tell(self, *args: str | Path) -> str:
        """Return what the command prints; asserts that it succeeds."""
        done = self.run("tidegauge", *args)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def pip(self, *args: str | Path) -> None:
        """Install by pip."""
        quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
        done = self.run("python", "-m", "pip", "install", *quiet, *args)
        assert done.returncode == 0, done.stderr

    def link(self, name: str, version: str | None = None) -> None:
        """Put a package there as pip has put it into the tests' own environment."""
        its = metadata.distribution(name)
        assert version in {None, its.version}, f"{name} {its.version} is not the lock's"
        for file in its.files or ():
            source = Path(os.path.normpath(str(its.locate_file(file))))
            if source.suffix == ".pyc":
                continue
            self.put(source)
            if source.suffix == ".py" and (compiled := Path(cache_from_source(source))).exists():
                self.put(compiled)

    def put(self, source: Path) -> None:
        """Put a file of the tests' own environment at the same place."""
        target = self.folder / "env" / source.relative_to(sys.prefix)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.parent.name == "bin":  # its first line names the environment
            target.write_bytes(
                source.read_bytes().replace(sys.prefix.encode(), bytes(self.folder / "env"))
            )
            target.chmod(0o755)
        else:
            link_or_copy(source, target)

    def link_all(self, lock: Path) -> None:
        """Put all there that a lock names for this machine, and nothing else.

        That what its hashes say can be had is seen where the tests' environment and the image are
        made of the locks.
        """
        for wanted in map(Requirement, re.findall(r"^\w.*(?= \\)", lock.read_text(), re.MULTILINE)):
            if wanted.marker is None or wanted.marker.evaluate():
                self.link(wanted.name, str(wanted.specifier).removeprefix("=="))

    def link_compiled(self) -> None:
        """Put the compiled loops beside the installed modules, as a first run would for 20 CPU s.

        They are compiled anew where the tests' environment and the image are made.
        """
        (package,) = self.folder.glob("env/lib/python*/site-packages/pipeline")
        for compiled in (CHECKOUT / "pipeline").rglob("__pycache__/*.nb[ic]"):
            folder = compiled.parents[1]
            module = folder / f"{compiled.name.partition('.')[0]}.py"
            there = package / folder.relative_to(CHECKOUT / "pipeline")
            shutil.copystat(module, there / module.name)  # by which numba knows it
            (there / "__pycache__").mkdir(exist_ok=True)
            link_or_copy(compiled, there / "__pycache__" / compiled.name)


def link_or_copy(source: Path, target: Path) -> None:
    """Copy a file only where the temporary folder is on another disk."""
    try:
        target.hardlink_to(source)
    except FileExistsError:
        return  # one of two packages that bring the same
    except OSError:
        shutil.copy2(source, target)


def copy_checkout(folder: Path) -> Path:
    """Copy what is or may be committed, as a fresh clone has it."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=CHECKOUT, check=True, capture_output=True).stdout
    for name in filter(None, names.decode().split("\0")):
        if (CHECKOUT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((CHECKOUT / name).read_bytes())
    return folder


def list_tree(folder: Path) -> list[str]:
    """Return all that lies in a folder but Python's own caches."""
    paths = folder.rglob("*")
    return sorted(str(path) for path in paths if "__pycache__" not in path.parts)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout; who builds in it leaves nothing there."""
    return copy_checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by what the lock has; the sources stay as they were."""
    target, before = tmp_path_factory.mktemp("dist"), list_tree(checkout)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
               "--no-index", "--wheel-dir", target, "."]  # fmt: skip
    subprocess.run(command, cwd=checkout, check=True)
    assert list_tree(checkout) == before
    (built,) = target.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """An environment that was empty, with the lock and the wheel."""
    its = Installed(tmp_path_factory.mktemp("installed"))
    venv.create(its.folder / "env")
    its.link("pip")
    its.link_all(CHECKOUT / "requirements.lock")
    its.pip("--no-index", wheel)
    its.link_compiled()
    return its


def test_wheel_has_every_file_of_sql_dags_and_modules(wheel: Path) -> None:
    """All SQL and DAGs beside the modules, data files too, and nothing from elsewhere."""
    names = set(zipfile.ZipFile(wheel).namelist())
    files = [
        path
        for top in ("sql", "dags", "pipeline")
        for path in (CHECKOUT / top).rglob("*.*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    places = {path.relative_to(CHECKOUT).as_posix() for path in files}
    inside = {place if place.startswith("pipeline/") else f"pipeline/{place}" for place in places}
    packed = {name for name in names if ".dist-info/" not in name}
    assert packed == inside


def test_installed_demo_runs(installed: Installed) -> None:
    """`demo` from the wheel alone, and a ready query on its lake, by name and by its whole path."""
    assert "published" in installed.tell("demo", "--scale", "0.01")
    lake = ("--lake", "demo/lake", "--format", "json")
    rows = json.loads(installed.tell("sql", *lake, "-f", "us_per_day.sql"))
    assert max(rows, key=lambda row: row["sessions"])["day"] == "2016-11-09"
    where = "import pipeline.lake.sql; print(pipeline.lake.sql.FOLDER)"
    folder = Path(installed.run("python", "-c", where).stdout.strip())
    assert folder.is_relative_to(installed.folder)
    by_path = installed.tell("sql", *lake, "-f", folder / "queries" / "us_per_day.sql")
    assert json.loads(by_path) == rows


def read_dags(installed: Installed) -> tuple[Any, Any, Path]:
    """Read the DAGs where the command says that they lie."""
    folder = installed.tell("dags").strip()
    assert Path(folder).is_relative_to(installed.folder)
    done = installed.run("python", "-c", READ_DAGS, folder)
    assert done.returncode == 0, done.stderr
    errors, dags, module = json.loads(done.stdout.splitlines()[-1])
    return errors, dags, Path(module)


@pytest.fixture(scope="module")
def with_airflow(installed: Installed, wheel: Path) -> Installed:
    """The same with the extra `airflow`, whose lock has all that the wheel asks for."""
    installed.link_all(CHECKOUT / "requirements-airflow.lock")
    installed.pip("--no-index", f"{wheel}[airflow]")
    return installed


def test_installed_dags_are_read_by_airflow(with_airflow: Installed) -> None:
    """The folder that `tidegauge dags` prints is one for Airflow, with its lock beside ours."""
    installed = with_airflow
    errors, dags, module = read_dags(installed)
    assert errors == {}
    assert dags == [
        f"tidegauge_{name}"
        for name in ("example_downstream", "nightly", "refresh_geo", "retention", "watch")
    ]
    assert module.is_relative_to(installed.folder)


PAGE = "docs/start/airflow.md"
SITE = "/srv/tidegauge"
"""The site's folder on the page."""


@dataclass(frozen=True)
class Steps:
    """A shell that goes on where it was, in the environment with Airflow; the site is elsewhere."""

    program: Path
    folder: Path

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a line, in which the site's folder is the page's; so it is in what it says."""
        clean = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        kept = self.folder / "exported"
        kept.touch()
        script = line.replace(SITE, f"{self.folder}/site")
        done = subprocess.run(
            ["bash", "-c", f". {kept}; {script}\ncode=$?; export -p > {kept}; exit $code"],
            env=clean | {"HOME": str(self.folder), "PATH": f"{self.program}:{os.environ['PATH']}",
                         "AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
            cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        done.stdout = done.stdout.replace(f"{self.folder}/site", SITE)
        return done

    def do(self, line: str) -> str:
        """Return what a line prints; asserts that it succeeds."""
        done = self.run(line)
        assert done.returncode == 0, (line, done.stdout[-3000:], done.stderr[-3000:])
        return done.stdout

    def findings(self) -> list[dict[str, str]]:
        """What is not well, by `tidegauge airflow check`."""
        done = self.run("tidegauge airflow check --format json")
        rows = [row for row in json.loads(done.stdout) if row["state"] != "ok"]
        assert done.returncode == any(row["state"] == "wrong" for row in rows), done.stderr
        return list(rows)

    def sessions(self) -> int:
        """The sessions of the page's day."""
        told = self.do(f"{shown_line('tidegauge daily')} --format json")
        return sum(row["sessions"] for row in json.loads(told))


def shown_line(start: str) -> str:
    """The page's line that begins so."""
    lines = [command.line for block in find_blocks(PAGE) for command in block.commands]
    return next(line for line in lines if line.startswith(start))


@pytest.fixture
def steps(with_airflow: Installed, tmp_path: Path) -> Iterator[Steps]:
    """The shell before the first step; DB-IP's server is one on loopback."""
    (tmp_path / "site").mkdir()
    (tmp_path / "made").mkdir()
    server = Server()
    content = gzip.compress(make_database(tmp_path / "made", "DBIP-Country-Lite"))
    today = datetime.now(UTC)
    for day in (today, today.replace(day=1) - timedelta(days=1)):
        server.answers[f"/free/dbip-country-lite-{day:%Y-%m}.mmdb.gz"] = [serve(content)]
    Thread(target=server.serve_forever, daemon=True).start()
    shell = Steps(with_airflow.folder / "env" / "bin", tmp_path)
    shell.do(f"export TIDEGAUGE_DBIP_URL={server.url()}")
    yield shell
    server.shutdown()
    server.server_close()


def write_day(folder: Path) -> None:
    """Write a server's five lines of 8 November, each of another visitor."""
    times = {n: f"08/Nov/2016:12:{n:02}:00 -0500" for n in range(5)}
    lines = (make_line(time, f"192.0.2.{n}") for n, time in times.items())
    (folder / "web01-20161108.log").write_bytes(b"".join(lines))


def test_an_airflow_of_ones_own_is_set_up_by_the_lines_that_the_check_says(steps: Steps) -> None:
    """The page's steps: what lacks, until nothing does; then a day is counted."""
    check = "tidegauge airflow check"
    steps.do(shown_line("export AIRFLOW_HOME"))
    first = steps.run(check)
    (wanted,) = (b.output for b in find_blocks(PAGE) if b.output and b.commands[-1].line == check)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.OutputChecker().check_output(str(wanted), first.stdout, flags), first.stdout
    steps.do("export TIDEGAUGE_TIMEZONE=America/Toronto")
    for _ in range(4):
        if not (wrong := [row for row in steps.findings() if row["state"] == "wrong"]):
            break
        for row in wrong:
            steps.do(row["write"])
    assert not wrong, wrong
    write_day(steps.folder / "site" / "raw")
    steps.do(shown_line("airflow dags test"))
    assert steps.sessions() == 5
    for line in (shown_line("airflow dags reserialize"), shown_line("airflow dags unpause")):
        steps.do(line)
    left = steps.findings()
    assert {row["what"] for row in left} == {"alerts", "backfills", "pool"}, left
    assert {row["state"] for row in left} == {"advice"}
    secret = re.sub(r"\s", "", (steps.folder / ".config/tidegauge/visitor.key").read_text())
    logs = [path for path in (steps.folder / "site" / "airflow").rglob("*") if path.is_file()]
    assert logs
    assert not [path for path in logs if secret.encode() in path.read_bytes()]


def test_pip_install_of_a_checkout_is_the_same(
    installed: Installed, wheel: Path, checkout: Path
) -> None:
    """`pip install .` installs what the wheel has, and leaves nothing behind in the checkout."""
    before = list_tree(checkout)
    installed.pip("--no-index", "--no-deps", "--no-build-isolation", "--force-reinstall", checkout)
    assert list_tree(checkout) == before
    show = "import pathlib, pipeline; print(pathlib.Path(pipeline.__file__).parent)"
    package = Path(installed.run("python", "-c", show).stdout.strip())
    assert package.is_relative_to(installed.folder)
    there = {f"pipeline/{path.relative_to(package).as_posix()}" for path in package.rglob("*.*")
             if path.is_file() and "__pycache__" not in path.parts}  # fmt: skip
    assert there == {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info" not in name}
    assert json.loads(
        installed.tell("sql", "--lake", "demo/lake", "--format=json", "-f", "country_share.sql")
    )
    assert "country_share.sql" in installed.tell("sql", "--help")
