"""What a command loads before it does anything: help and short questions are there at once."""

import subprocess
import sys
from pathlib import Path

import pytest
from lake_fixtures import GOOD, Site

SLOW = ("cryptography", "duckdb", "jinja2", "numpy", "pyarrow", "pydantic", "requests")
LIST = f"import sys; print([name for name in {SLOW} if name in sys.modules], file=sys.stderr)"
HELP = """
import typer
from pipeline.cli.main import app
group = typer.main.get_group(app)
context = typer.Context(group)
for name in group.list_commands(context):
    print(group.get_command(context, name).get_help(context))
"""
RUN = """
from pipeline.cli.main import main
try:
    main()
finally:
    {}
"""


def loaded_by(program: str, *arguments: str | Path) -> str:
    """Which of ``SLOW`` a new interpreter has loaded after ``program``, as it prints the list."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    return done.stderr.splitlines()[-1] if done.returncode == 0 else done.stderr


def test_the_help_of_all_commands_loads_nothing_slow() -> None:
    assert loaded_by(HELP + LIST) == "[]"


@pytest.mark.rest_large
@pytest.mark.parametrize(
    ("command", "libraries"),
    [
        ("status", ["duckdb", "numpy", "pyarrow", "pydantic"]),
        ("daily", ["duckdb", "pydantic"]),
        ("surges", ["duckdb", "pydantic"]),
        ("history", ["duckdb", "pydantic"]),
        ("why", ["duckdb", "pydantic"]),
        (
            "figure --day 2016-11-08 --country all",
            ["duckdb", "numpy", "pyarrow", "pydantic"],
        ),
    ],
)
def test_a_question_to_the_lake_loads_what_it_asks_with(
    tmp_path: Path, command: str, libraries: list[str]
) -> None:
    site = Site(tmp_path)
    site.run("ingest", "--no-geo", site.write("access.log", GOOD))
    site.run("build")
    lake = ("--lake", site.folder / "lake", "--format", "json")
    assert loaded_by(RUN.format(LIST), *command.split(), *lake) == str(libraries)
