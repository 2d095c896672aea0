"""The README's commands are real: each one runs on a small lake."""

import re
import shlex
from pathlib import Path

import pytest
from lake_fixtures import GOOD, Site

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^    (?:\.venv/bin/)?(tidegauge .+)$", README, re.MULTILINE)
COMMANDS = [part.strip() for line in SHOWN for part in line.split("&&")]
COMMANDS = [command.removeprefix(".venv/bin/") for command in COMMANDS]


def test_readme_shows_commands() -> None:
    """The pattern finds them: the way of one's own logs, and the questions."""
    names = {command.split()[1] for command in COMMANDS}
    assert {"geo", "ingest", "build", "daily", "figure", "surges", "report", "verify"} <= names


@pytest.mark.parametrize("command", [c for c in COMMANDS if " geo fetch " not in c])
def test_readme_command_runs(command: str, tmp_path: Path) -> None:
    """It exits 0 on a lake of one good line; where the logs lie, and the country, are others."""
    site = Site(tmp_path)
    log = site.write("access.log", GOOD)
    day = ("--from", "2016-11-08", "--to", "2016-11-08")
    site.run("run", *day, env={"TIDEGAUGE_GEO": "none"})  # a figure is published by a run about it
    words = [
        str(log) if "access.log" in word else word
        for word in shlex.split(command, comments=True)[1:]
    ]
    words = ["ZZ" if word == "US" else word for word in words]  # nobody was located
    if words[0] == "ingest":
        words.append("--no-geo")
    done = site.run(*words)
    assert done.out
