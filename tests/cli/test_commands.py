"""The command: help, exit codes, streams, forms, and what it says when something is wrong."""

import csv
import io
import json
import re
import shlex
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import typer
from conftest import build_default_databases
from contract import TABLES
from lake_fixtures import GOOD, Site, make_line

from pipeline.cli.main import app


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site of three days in two countries, located, built."""
    site = Site(tmp_path_factory.mktemp("built"))
    build_default_databases(site.folder / "geo")
    lines = [
        make_line(f"{day:02}/Nov/2016:{hour:02}:00:00 -0500", client=f"192.0.2.{hour}")
        for day in (8, 9, 10)
        for hour in (1, 2, 15)
    ]
    site.run("ingest", site.write("web.log", b"".join(lines) + b"bad\n\n"))
    site.run("build")
    return site


def commands() -> Iterator[tuple[str, ...]]:
    """Every command and subcommand as it is typed."""
    top = typer.main.get_group(app)
    for name in top.commands:
        inner = getattr(top.get_command(None, name), "commands", None)  # type: ignore[arg-type]
        yield from [(name, each) for each in inner] if inner else [(name,)]


COMMANDS = list(commands())
WITH_ROWS = ["daily", "hourly", "expected", "surges", "status", "history"]


def test_the_commands_of_this_step_are_there() -> None:
    """All commands that the contract gives to the first step exist."""
    top = {command[0] for command in COMMANDS}
    assert top >= {
        "demo", "simulate", "ingest", "build", "daily", "hourly", "expected", "surges", "status",
        "parse", "doctor", "geo", "sql", "report", "history", "figure", "why",
    }  # fmt: skip
    assert {command[1] for command in COMMANDS if command[0] == "geo"} >= {
        "list",
        "lookup",
        "fetch",
    }


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_has_an_example(command: tuple[str, ...], flag: str, site: Site) -> None:
    """Each command's help exits 0 and shows how to call it."""
    done = site.run(*command, flag, env={"COLUMNS": "200"})
    assert "For example" in done.out
    assert "tidegauge " + " ".join(command) in done.out.split("For example")[1]
    assert "--config" in done.out
    assert done.err == ""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_help_shows_can_be_typed(command: tuple[str, ...]) -> None:
    """Each example is a command with arguments and options that there are."""
    found: Any = typer.main.get_group(app)
    for name in command:
        found = found.get_command(None, name)
    shown = re.sub(r"\$\((.*?)\)", r"\n\1\n", found.help.split("For example:")[1])
    examples = re.findall(r"\btidegauge (.+?)(?= && | \| | > |$)", shown, re.MULTILINE)
    tried = False
    for example in examples:
        words = shlex.split(example)
        if words[: len(command)] == [*command]:  # else another's, behind it
            found.make_context(command[-1], words[len(command) :])
            tried = True
    assert tried


def test_help_breaks_lines_where_the_terminal_ends(site: Site) -> None:
    said = site.run("why", "--help", env={"COLUMNS": "200"}).out
    assert "with --surge of each that begins on that day" in said


def test_no_command_shows_the_help(site: Site) -> None:
    """Called alone, the command shows what there is and exits 2; `--version` exits 0."""
    assert "ingest" in site.run(code=2).out
    assert re.fullmatch(r"tidegauge \d+\.\d+\.\d+\n", site.run("--version").out)


WRONG_USAGE: list[list[str]] = [
    ["nonsense"],
    ["ingest"],
    ["ingest", "raw", "--nonsense"],
    ["status", "--format", "xml"],
    ["daily", "--from", "2016-13-01"],
    ["daily", "--to", "yesterday"],
    ["geo", "lookup"],
    ["ingest", "raw/web.log", "--log-format", "nonsense"],
    ["parse", "raw/web.log", "--log-format", "nonsense"],
    ["sql"],
    ["sql", "SELECT 1", "-f", "x.sql"],
    ["sql", "-f", "gone.sql"],
    ["status", "--config", "gone.toml"],
]


@pytest.mark.parametrize("args", WRONG_USAGE, ids=" ".join)
def test_wrong_usage_exits_2(args: list[str], site: Site) -> None:
    """A wrong option, argument or value exits 2 with a sentence on stderr, nothing on stdout."""
    site.write("web.log", GOOD)
    done = site.run(*args, code=2)
    assert done.out == ""
    assert done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("command", [*WITH_ROWS, "build", "sql", "report"])
def test_no_lake_exits_2(command: str, site: Site) -> None:
    """A command over a lake that does not exist says so, and makes none."""
    args = ["SELECT 1"] if command == "sql" else []
    done = site.run(command, *args, "--lake", "nowhere", code=2)
    assert "no lake at nowhere" in done.err
    assert "tidegauge ingest" in done.err
    assert not (site.folder / "nowhere").exists()


@pytest.mark.parametrize("command", ["ingest", "build"])
@pytest.mark.parametrize("what", ["TIMEZONE", "VISITOR_KEY"])
def test_another_zone_or_key_is_refused(what: str, command: str, built: Site) -> None:
    """A lake keeps to its zone and key: another is refused by name, and nothing is written."""
    value = {"TIMEZONE": "Europe/Berlin", "VISITOR_KEY": "another key, of 20"}[what]
    args = ["raw/web.log"] if command == "ingest" else []
    before = built.hashes()
    done = built.run(command, *args, code=2, env={f"TIDEGAUGE_{what}": value})
    assert {"TIMEZONE": "time zone", "VISITOR_KEY": "visitor key"}[what] in done.err
    assert value == "Europe/Berlin" or value not in done.err
    assert built.hashes() == before


COLUMNS = {
    "daily": ["day", *TABLES["daily"], "share", "is_preliminary", "is_censored"],
    "hourly": ["day", *TABLES["hourly"]],
    "expected": [*TABLES["expected"], "is_preliminary"],
    "surges": [*[*TABLES["surges"]][:-1], "geo_before", "in_hindsight"],
    "history": [
        *("day", "country", "published_at", "sessions", "previous_sessions", "change", "percent"),
        *("share", "sources", "sources_expected", "is_preliminary", "reason"),
    ],
    "status": ["what", "value"],
}  # as the tables name them; the partitions' day comes first


@pytest.mark.parametrize("command", WITH_ROWS)
def test_rows_have_the_contract_s_columns(command: str, built: Site) -> None:
    """JSON is a list of objects, CSV has its columns; stderr says what each row does.

    A twentieth of their lines can't be read, and they are too few to judge any.
    """
    as_json = built.run(command, "--format", "json")
    as_csv = built.run(command, "--format", "csv")
    objects = json.loads(as_json.out)
    header, *rows = csv.reader(io.StringIO(as_csv.out))
    assert header[: len(COLUMNS[command])] == COLUMNS[command]
    beside = [] if command == "status" else ["caveats"]
    assert all(list(row) == header + beside for row in objects)
    assert len(objects) == len(rows) > 0 or command in ("surges", "history")
    assert as_json.err == as_csv.err
    said = as_json.err.splitlines()
    assert len(said) == {"expected": 2, "surges": 2, "status": 0}.get(command, 1)
    assert all(len(row.get("caveats", [])) == len(said) for row in objects)


def test_rows_are_chosen_by_country_and_day(built: Site) -> None:
    """--country takes either case; --from and --to are both included."""
    everything: list[dict[str, Any]] = json.loads(built.run("daily", "--format", "json").out)
    countries = {row["country"] for row in everything}
    assert {row["day"] for row in everything} == {"2016-11-08", "2016-11-09", "2016-11-10"}
    country = min(countries)
    chosen = built.run(
        "daily", "--country", country.lower(), "--from", "2016-11-09", "--to", "2016-11-09",
        "--format", "json",
    )  # fmt: skip
    assert json.loads(chosen.out) == [
        row for row in everything if (row["country"], row["day"]) == (country, "2016-11-09")
    ]
    for command in ("daily", "hourly", "expected", "surges", "history"):
        refused = built.run(command, "--country", "Atlantis", code=2).err
        assert "--country = 'Atlantis': write a code of two letters, such as US" in refused
    refused = built.run("daily", "--country", "all", code=2).err
    assert "two letters" in refused


def test_a_code_that_is_no_country_s_is_no_empty_table(built: Site) -> None:
    """One of ISO 3166-1 without a hit is an empty one."""
    for command in ("daily", "hourly"):
        assert "no country of ISO 3166-1" in built.run(command, "--country", "QQ", code=2).err
        assert built.run(command, "--country", "FR", "--format", "json").out == "[]\n"


@pytest.mark.rest_large
@pytest.mark.parametrize("command", ["expected", "surges"])
def test_too_little_history_is_said(command: str, site: Site, built: Site) -> None:
    """How much there is and how much is needed, on stderr; a lake with enough says nothing."""
    done = built.run(command, "--format", "json")
    assert done.err.endswith(
        "No country has enough history yet: the lake has 3 whole days, and a day is judged by 7"
        " before it at least.\n"
    )
    assert {row["expected"] for row in json.loads(done.out)} <= {None}
    lines = (
        make_line(f"{d:02}/Nov/2016:{h:02}:00:00 -0500") for d in range(1, 12) for h in (0, 23)
    )
    site.ingest(site.write("web.log", b"".join(lines)))
    site.run("build")
    assert not site.run(command).err


def test_sql_answers_and_explains(built: Site) -> None:
    """SQL comes from the argument or a file; a wrong statement exits 2 with DuckDB's reason."""
    query = "SELECT count(*) AS n, min(day) AS first FROM hits"
    (built.folder / "q.sql").write_text(query)
    wanted = [{"n": 9, "first": "2016-11-08"}]
    assert json.loads(built.run("sql", query, "--format", "json").out) == wanted
    assert json.loads(built.run("sql", "-f", "q.sql", "--format", "json").out) == wanted
    for wrong in ("SELCT 1", "SELECT x FROM nowhere", "SELECT 1/0::TINYINT + 200::TINYINT", ""):
        done = built.run("sql", wrong, code=2)
        assert done.out == ""
        assert "Traceback" not in done.err


def test_tables_have_the_site_s_time_and_the_rest_utc(built: Site) -> None:
    """An hour of Toronto; CSV has it in UTC, and beside it by Toronto's clocks; no time is lost."""
    (line, *_) = built.run("hourly").out.splitlines()[3:]
    assert re.search(r" 2016-11-08 \d\d:00-05:00 ", line)
    first = next(csv.DictReader(io.StringIO(built.run("hourly", "--format", "csv").out)))
    hour = datetime.fromisoformat(first["hour"])
    assert hour.utcoffset() == timedelta(0)
    local = hour.astimezone(ZoneInfo("America/Toronto"))
    assert first["local_hour"] == f"{local:%Y-%m-%dT%H:%M:%S}"
    asked = "SELECT TIMESTAMPTZ '2016-07-01 00:30:00Z' AS at"
    assert "2016-06-30 20:30-04:00" in built.run("sql", asked).out
    assert "2016-07-01T00:30:00+00:00" in built.run("sql", "--format", "json", asked).out
    assert "0001-01-01" in built.run("sql", "SELECT TIMESTAMPTZ '0001-01-01 00:00:00Z' AS at").out


def test_hits_of_days_in_views_have_another_name_than_hits_without_robots(built: Site) -> None:
    """Who asks for the old one gets no number that means something else."""
    assert '"hits" not found' in built.run("sql", "SELECT hits FROM days", code=2).err
    both = (
        "SELECT sum(all_hits) AS hits FROM days UNION ALL SELECT sum(hits + robot_hits) FROM daily"
    )
    assert built.run("sql", "--format", "csv", both).out == "hits\n9\n9\n"


def test_sql_does_not_write_to_the_views(built: Site) -> None:
    """The views are opened to read only."""
    done = built.run("sql", "CREATE TABLE x (n INTEGER)", code=2)
    assert "read-only" in done.err


def test_status_lists_lines_by_outcome(built: Site) -> None:
    """Status counts lines by outcome and why they were rejected, and ends each ingest too."""
    rows = json.loads(built.run("status", "--format", "json").out)
    values = {row["what"]: row["value"] for row in rows}
    assert values["time zone"] == "America/Toronto"
    assert (values["lines"], values["hits"], values["rejected"], values["blank"]) == (11, 9, 1, 1)
    assert values["rejected because"] == "client 1"
    assert values["stale days count"] == 0
    assert values["days"] == "2016-11-08 to 2016-11-10 (3)"
    again = built.run("ingest", "raw/web.log", "--format", "json")
    assert json.loads(again.out) == rows
