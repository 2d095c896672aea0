"""docs/definitions.md clause by clause: what was worked out by hand, the oracle, the command.

`definitions/lines.jsonl` holds one line a clause, `definitions/files.jsonl` a file's lines;
each folder of `definitions/` is a case of its own with the arithmetic in its note.
"""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from conftest import Tidegauge
from oracle.lake import read_lake
from oracle.lines import read_line
from oracle.printed import outcomes_by_command, outcomes_by_oracle, told
from oracle.reading import physical_lines
from oracle.tables import COLUMNS, Row, Tables, count_files
from oracle_cases import CASES, DEFINITIONS, prepare

PLAIN_HIT = {
    "ts": "2016-11-09T04:59:59Z",
    "client": "192.0.2.1",
    "host": None,
    "method": "GET",
    "path": "/a",
    "query": None,
    "protocol": "HTTP/1.1",
    "status": 200,
    "bytes_sent": 5,
    "referrer": "http://r.example/",
    "user_agent": "Agent",
}  # what a row of lines.jsonl expects of every field that it does not name


def rows_of(table: str) -> list[dict[str, Any]]:
    """Return the rows of one JSON Lines table of the definitions."""
    return [json.loads(row) for row in (DEFINITIONS / table).read_text().splitlines()]


def as_bytes(text: str) -> bytes:
    r"""Return a table's text as bytes; `\udcxx` in it stands for the byte xx."""
    return text.encode("utf-8", "surrogateescape")


def expected_of(row: dict[str, Any], line_no: int) -> dict[str, Any]:
    """Return the hand-written expectation of one row of lines.jsonl, in the form of `told`."""
    if "hit" in row:
        hit: dict[str, Any] = PLAIN_HIT | row["hit"]
        return hit | {"ts": datetime.fromisoformat(hit["ts"])}
    if "skipped" in row:
        return {"skipped": "blank"}
    text = as_bytes(row["line"]).decode("utf-8", "backslashreplace")
    return {"rejected": True, "line_no": line_no, "line": text}


@pytest.fixture(scope="module")
def printed_lines(warm_tidegauge: Tidegauge, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the command prints for lines.jsonl, all its lines in one file."""
    path = tmp_path_factory.mktemp("lines") / "access.log"
    path.write_bytes(b"".join(as_bytes(row["line"]) + b"\n" for row in rows_of("lines.jsonl")))
    return outcomes_by_command(path, warm_tidegauge)


@pytest.mark.parametrize("row", rows_of("lines.jsonl"), ids=lambda row: row["case"])
def test_oracle_reads_the_line_as_defined(row: dict[str, Any]) -> None:
    """The oracle's outcome of a line is the hand-written one."""
    ((line_no, line),) = physical_lines(as_bytes(row["line"]) + b"\n")
    assert told(read_line(line_no, line)) == expected_of(row, line_no)


@pytest.mark.parametrize(
    ("place", "row"),
    list(enumerate(rows_of("lines.jsonl"))),
    ids=[row["case"] for row in rows_of("lines.jsonl")],
)
def test_command_reads_the_line_as_defined(
    place: int, row: dict[str, Any], printed_lines: list[dict[str, Any]]
) -> None:
    """The command's outcome of a line is the hand-written one, whatever stands around it."""
    assert printed_lines[place] == expected_of(row, place + 1)


@pytest.mark.parametrize("by", ["oracle", "command"])
@pytest.mark.parametrize("row", rows_of("files.jsonl"), ids=lambda row: row["case"])
def test_file_falls_into_lines_as_defined(
    row: dict[str, Any], by: str, tmp_path: Path, warm_tidegauge: Tidegauge
) -> None:
    """Each physical line of a file has exactly one outcome, in order."""
    path = tmp_path / "access.log"
    path.write_bytes(as_bytes(row["content"]))
    read = outcomes_by_oracle(path) if by == "oracle" else outcomes_by_command(path, warm_tidegauge)
    assert [kind_of(outcome) for outcome in read] == row["outcomes"]


def kind_of(outcome: dict[str, Any]) -> str:
    """Return `hit`, `rejected` or `blank`."""
    return "blank" if "skipped" in outcome else "rejected" if "rejected" in outcome else "hit"


def count_by_command(
    logs: list[Path], zone: ZoneInfo, geo: Path, lake: Path, warm_tidegauge: Tidegauge
) -> Tables:
    """Return the lake's tables after `ingest` and `build`."""
    where = ("--lake", lake, "--geo", geo)
    warm_tidegauge("ingest", *logs, "--log-format", "combined", *where, zone=zone.key)
    warm_tidegauge("build", *where, zone=zone.key)
    return read_lake(lake)


def written(value: object, column: str) -> str:
    """Return a value as the expectations write it: nothing for null, instants with Z."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and column in {"ts", "started_at", "ended_at", "hour"}:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value.isoformat() if isinstance(value, date) else str(value)


def chosen(rows: list[Row], columns: list[str], wanted: list[str]) -> Iterator[tuple[str, ...]]:
    """Yield the wanted columns of each row as text."""
    for row in rows:
        yield tuple(written(row[columns.index(name)], name) for name in wanted)


@pytest.mark.parametrize(
    "by", ["oracle", "command", pytest.param("proved command", marks=pytest.mark.large)]
)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_counts_as_its_note_works_out(
    case: Path, by: str, tmp_path: Path, warm_tidegauge: Tidegauge
) -> None:
    """The rows of every table that the case expects are the hand-written ones, and are proved."""
    zone, geo, logs = prepare(case, tmp_path)
    if by == "oracle":
        counted = count_files(logs, zone, geo)
    else:
        counted = count_by_command(logs, zone, geo, tmp_path / "lake", warm_tidegauge)
    if by == "proved command":
        proof = ("verify", "--lake", tmp_path / "lake", "--geo", geo, "--format", "csv")
        assert warm_tidegauge(*proof, zone=zone.key).stdout == b"what,day_or_file,finding\n"
    expectations = sorted(case.glob("expect_*.csv"))
    assert expectations
    for path in expectations:
        table = path.stem.removeprefix("expect_")
        with path.open(newline="") as file:
            header, *rows = csv.reader(file)
        actual = Counter(chosen(getattr(counted, table), COLUMNS[table], header))
        assert actual == Counter(map(tuple, rows)), table
    assert_rows_add_up(counted)


def assert_rows_add_up(counted: Tables) -> None:
    """Every row of hits is in daily and in hourly exactly once, as a robot's or not."""
    for rows, columns in ((counted.daily, COLUMNS["daily"]), (counted.hourly, COLUMNS["hourly"])):
        hits, robot_hits = columns.index("hits"), columns.index("robot_hits")
        assert sum(row[hits] + row[robot_hits] for row in rows) == len(counted.hits)  # type: ignore[operator]
