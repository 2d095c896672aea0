"""What the docs show is real: commands and programs run and print it, settings can be read.

Those about `demo/lake` run on the lake of `SCALE=0.02 make demo`, others on a small one.
"""

import doctest
import gzip
import io
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stdout
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import typer
from conftest import build_database, build_default_databases
from lake_fixtures import Done, Site, make_line
from shell import Shell, open_shell
from shown import FILES, PAGES, ROOT, Command, find_blocks, find_code, find_commands

from pipeline.cli.main import app
from pipeline.demo.storm.cells import scaled_days
from pipeline.settings import load_settings

pytestmark = pytest.mark.xdist_group("demo")

ELSEWHERE = {
    r"(SCALE=\S+ )?make [a-z0-9-]+": "minutes, or the checkout itself; its target is looked up",
    r"tidegauge (demo|simulate) .+": "tests/demo",
    r"tidegauge geo fetch .+": "another's server: tests/enrich and tests/cli ask one of their own",
    r"docker compose .+": "a Docker engine: tests/e2e/test_docker.py",
    r"cp /var/log/nginx/access\.log\* (/srv/tidegauge/)?raw/": "a step of what runs elsewhere",
    r"python3 -m venv env|\. env/|pip install '\.\[airflow|tidegauge airflow check|airflow dags": (
        "a real Airflow in an environment of its own: tests/system/test_wheel.py"
    ),
    r"AIRFLOW__CORE__DAGS_FOLDER=.+": "a real Airflow: tests/system/test_dags.py",
    r"(?s).*(s3://|spark://|\[s3\]|\[spark\]|AWS_)": "tests/system: test_bucket.py, test_spark.py",
    r"tidegauge (ingest raw/|build) --workers 4": "tests/test_engine.py, with two",
    r"(?s).*(\.df\(\)|pyspark)": "tests/system/test_engines.py: PyArrow loads any pandas",
}
"""Commands and programs that are not run here, and why not or where."""
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
DAYS = [datetime(2016, 11, number, tzinfo=ZoneInfo("America/Toronto")) for number in range(1, 17)]


def write_lines(source: str, days: list[datetime]) -> bytes:
    """A visit an hour, and on 8 November 200; each of another U.S. address."""
    return b"".join(
        make_line(f"{time:%d/%b/%Y:%H:%M:%S %z}", f"192.0.2.{n}", agent=source)
        for day in days
        for visits in [200 if day == DAYS[7] else 24]
        for n in range(visits)
        for time in [day + timedelta(days=n / visits)]
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The logs of three servers, one of them since 8 November, 8 November published."""
    site = Site(tmp_path_factory.mktemp("built"))
    geo = build_default_databases(site.folder / "geo")
    build_database(geo / "b.mmdb", "GeoLite2-City", "2016-12-07T00:00:00Z", {"192.0.2.0/24": "CA"})
    for source in ("web01", "web02"):
        site.write(f"{source}.log", write_lines(source, DAYS))
    late = gzip.compress(write_lines("web03", DAYS[7:]))
    site.write("web03-20161108.log.gz", late)
    log = re.sub(rb' "-" "web01"', b" 12", write_lines("web01", DAYS[:1]))
    for name, content in (("access.log", log), ("access.log.gz", gzip.compress(log))):
        (site.folder / name).write_bytes(content)
    site.run("ingest", "raw", "access.log")
    site.run("build")
    site.run("run", "--from", "2016-11-08", "--to", "2016-11-08")
    today = datetime.now(DAYS[0].tzinfo).replace(hour=0, minute=0, second=0)
    site.write("live.log", write_lines("live", [today - timedelta(days=1), today]))
    (site.folder / "web03-20161108.log.gz").write_bytes(late)
    return site


@pytest.fixture
def copy(built: Site, shown: tuple[Site, Done], tmp_path: Path) -> Callable[[], Site]:
    """Make a copy of the small site, to be changed, with the demo beside it."""
    numbers = count()

    def make() -> Site:
        folder = tmp_path / str(next(numbers))
        shutil.copytree(built.folder, folder)
        (folder / "demo").symlink_to(shown[0].folder / "demo")
        return Site(folder)

    return make


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with open_shell(tmp_path_factory.mktemp("programs")) as opened:
        yield opened


def compare(what: str, wanted: str | None, *printed: str) -> str | None:
    """None when what is shown is one of what was printed, else all of it."""
    check = doctest.OutputChecker().check_output
    if wanted is None or any(check(wanted, one, FLAGS) for one in printed):
        return None
    return f"{what}\nshown:\n{wanted}\nprinted:\n{printed[-1]}"


def runs_elsewhere(text: str) -> bool:
    return any(re.match(known, text) for known in ELSEWHERE)


def run(command: Command, shell: Shell, site: Site) -> str | None:
    """None when it exits 0 (or with the sentence shown) and prints what is shown, else what.

    It may show all, or what goes to standard output alone.
    """
    done = shell.run(command.line.replace("/var/log/nginx/", ""), site)
    if (done.code != 0) != (command.output or "").startswith("tidegauge: "):
        return f"{command.line}\nexit code {done.code}\n{done.out}{done.err}"
    return compare(command.line, command.output, done.out, done.out + done.err, done.err + done.out)


def test_the_readme_shows_the_demo_the_way_of_ones_own_logs_and_a_figure() -> None:
    """The pattern finds them; what it says that the demo printed are the cells it simulates."""
    lines = " ".join(command.line for command in find_commands("README.md"))
    assert all(name in lines for name in ("make demo", "geo fetch", "ingest", "build", "figure"))
    rows = re.findall(r"^ (2016-11-\d\d) +([\d,]+)(?: |$)", PAGES["README.md"], re.MULTILINE)
    cells = {str(day): f"{n:,}" for (day, country), n in scaled_days(1).items() if country == "US"}
    assert len(rows) > 5
    assert dict(rows).items() <= cells.items()


@pytest.mark.parametrize("path", FILES, ids=str)
def test_links_between_files_lead_somewhere(path: Path) -> None:
    """Also those of the files that are not of the site, which `make docs` does not look at."""
    made = {ROOT / page for page in PAGES}
    for link in re.findall(r"\]\(([^)#:]+)[^):]*\)", path.read_text(encoding="utf-8")):
        target = (path.parent / link).resolve()
        assert target.exists() or target in made, link


@pytest.mark.large
@pytest.mark.parametrize("page", PAGES)
def test_commands_of_a_page_run(page: str, shell: Shell, copy: Callable[[], Site]) -> None:
    """Those of one block one after the other, in a copy of the site."""
    wrong = []
    for block in find_blocks(page):
        if commands := [one for one in block.commands if not runs_elsewhere(one.line)]:
            site = copy()
            wrong += [run(command, shell, site) for command in commands]
    assert not any(wrong), "\n\n".join(filter(None, wrong))


@pytest.mark.large
@pytest.mark.parametrize("page", PAGES)
def test_programs_of_a_page_run(page: str, copy: Callable[[], Site]) -> None:
    """Each in Python, in a copy of the site."""
    for block in find_blocks(page):
        if block.language == "python" and not runs_elsewhere(block.text):
            with chdir(copy().folder), redirect_stdout(io.StringIO()) as printed:
                exec(compile(block.text, page, "exec"), {})  # noqa: S102
            assert not (said := compare(block.text, block.output, printed.getvalue())), said


@pytest.mark.large
@pytest.mark.parametrize("page", PAGES)
def test_questions_of_a_page_are_answered(page: str, shown: tuple[Site, Done]) -> None:
    """Each in SQL, of the demo's lake."""
    for block in find_blocks(page):
        if block.language == "sql":
            done = shown[0].run("sql", "--lake", "demo/lake", "--format", "csv", block.text)
            assert not (said := compare(block.text, block.output, done.out)), said


@pytest.mark.parametrize("page", PAGES)
def test_settings_of_a_page_can_be_read(page: str, tmp_path: Path) -> None:
    """Each block of TOML is a file of settings."""
    for number, block in enumerate(find_blocks(page)):
        if block.language == "toml":
            (tmp_path / f"{number}.toml").write_text(block.text)
            load_settings(tmp_path / f"{number}.toml")


@pytest.mark.parametrize("page", PAGES)
def test_names_in_sentences_are_those_of_the_program(page: str) -> None:
    """Commands and their options, and targets of make, also where no block shows them."""
    top = typer.main.get_group(app)
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    lines = [*find_code(page), *(command.line for command in find_commands(page))]
    for line in lines:
        if found := re.match(r"(?:\S+=\S+ )?make ([a-z0-9-]+)", line):
            assert found[1] in targets, line
        for found in re.finditer(r"tidegauge ([a-z]+)(?: ([a-z]+))?([^|&]*)", line):
            command = top.get_command(typer.Context(top), found[1])
            assert command, line
            command = getattr(command, "commands", {}).get(found[2], command)
            known = {name for option in command.params for name in option.opts}
            assert known.issuperset(re.findall(r"(?<= )--[a-z-]+", found[3])), line


def test_each_reason_to_run_a_command_elsewhere_is_needed() -> None:
    """A pattern that fits no command is one too many."""
    blocks = [block for page in PAGES for block in find_blocks(page)]
    lines = [command.line for block in blocks for command in block.commands]
    lines += [block.text for block in blocks if block.language == "python"]
    assert [known for known in ELSEWHERE if not any(re.match(known, line) for line in lines)] == []
