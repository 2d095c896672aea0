"""Cases of the SQL models: finds folders, makes inputs, runs the model; see tests/sql/README.md."""

import csv
import json
import re
from collections.abc import Iterable
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
from contract import IN_VIEWS, TABLES

from pipeline.build.cut_sessions import cut_sessions
from pipeline.definitions import ASSET_PATH, CENSORED_SHARE, ROBOTLIKE

SQL = Path(__file__).parents[1] / "sql"
CASES_ROOT = Path(__file__).with_name("sql")
QUERIES = [f"queries/{path.stem}" for path in sorted(SQL.glob("queries/*.sql"))]
VIEWS = [f"views/{path.stem}" for path in sorted(SQL.glob("views/*.sql"))]
COUNTS = [f"why/{path.stem}" for path in sorted(SQL.glob("why/*.sql"))]
MODELS = [path.stem for path in sorted(SQL.glob("*.sql"))]
CASES = [
    note.parent
    for note in sorted(chain(CASES_ROOT.glob("*/*/NOTE.md"), CASES_ROOT.glob("*/*/*/NOTE.md")))
]
INPUTS = {
    **TABLES,
    "shares": {"day": "DATE", "source": "VARCHAR", "files": "BIGINT"},
    "completeness": {
        "day": "DATE", "sources": "BIGINT", "sources_expected": "BIGINT", "share": "DOUBLE",
        "is_preliminary": "BOOLEAN", "reasons": "VARCHAR[]", "sources_whole": "BIGINT",
        "doubts": "VARCHAR[]",
    },
    "referrers": {"referrer": "VARCHAR"},
    "published": TABLES["restatements"],
    "changed": {"day": "DATE", "reason": "VARCHAR"},
    "stored_hits": TABLES["hits"],
    "robot_agents": {"user_agent": "VARCHAR"},
    "robotlike": {"day": "DATE", "visitor_id": "UBIGINT"},
    "left_out": {"day": "DATE", "visitor_id": "UBIGINT"},
    "counted": {
        "country": "VARCHAR", "day": "DATE", "dimension": "VARCHAR", "element": "VARCHAR",
        "name": "VARCHAR", "sessions": "BIGINT",
    },
    "spanned": {"country": "VARCHAR", "start_day": "DATE", "end_day": "DATE"},
    "spans": {
        "surge": "BIGINT", "country": "VARCHAR", "day": "DATE", "is_before": "BOOLEAN",
        "is_weekend": "BOOLEAN", "leaves_out": "BOOLEAN",
    },
    "subdivisions": {
        "country": "VARCHAR", "subdivision": "VARCHAR", "name": "VARCHAR", "geo_built": "DATE",
    },
    "places": {"client": "VARCHAR", "country": "VARCHAR", "subdivision": "VARCHAR"},
}  # fmt: skip
MADE_OF_HITS = {
    "hours": "hours", "cut_sessions": "visits", "visitors_of_hours": "visits",
    "visitors_of_days": "visits",
}  # fmt: skip
"""What models read that is made of a case's hits, by the model of `sql/build/` that reads these."""
BATCHES = 8
"""In so many visits come, or two by two, as those of large days do."""
LOCAL_DAY_OF = {"hits": "ts", "sessions": "started_at", "hourly": "hour", "daily": "NULL"}
DEFAULTS: dict[str, dict[str, str]] = {
    "hits": {
        "source": "'web01'", "visitor_id": "1", "country": "'CA'", "method": "'GET'",
        "path": "'/'", "protocol": "'HTTP/1.1'", "status": "200", "bytes_sent": "100",
        "user_agent": "'Agent'", "is_robot": "false", "is_asset": "false",
    },
    "sessions": {"visitor_id": "1", "country": "'CA'"},
    "daily": {
        "country": "'CA'", "sessions": "0", "hits": "0", "errors": "0", "robot_hits": "0",
        "geo_is_late": "false",
    },
    "hourly": {"country": "'CA'", "sessions": "0", "hits": "1", "errors": "0"},
    "days": {"sources": "1"},
}  # fmt: skip
SETTINGS = {"zone": "America/Toronto", "timeout_minutes": 30, "params": {}}
MAKE_DAYS = """
CREATE OR REPLACE TABLE days AS
WITH given AS (SELECT unnest($days, recursive := true)),
bounded AS (
    SELECT
        day::DATE AS day, is_built, geo_is_late,
        day::TIMESTAMP AT TIME ZONE $zone AS starts_at,
        (day::DATE + 1)::TIMESTAMP AT TIME ZONE $zone AS ends_at
    FROM given
)
SELECT
    *,
    CASE
        WHEN is_built THEN TIMESTAMPTZ '1900-01-01 00:00:00+00'
        WHEN (SELECT bool_or(b.is_built) FROM bounded AS b WHERE b.day = d.day + 1)
            THEN ends_at - to_minutes($timeout)
        ELSE TIMESTAMPTZ '2200-01-01 00:00:00+00'
    END AS keep_from
FROM bounded AS d
"""
WITH_TEXTS = """
CREATE OR REPLACE TABLE result AS
WITH referrers AS (SELECT DISTINCT referrer FROM hits),
hosts AS ({hosts})
SELECT
    s.day, s.session_id, s.visitor_id, s.started_at, s.ended_at, s.hits, s.pages, s.bytes_sent,
    s.errors, f.path AS entry_path, l.path AS exit_path, r.referrer_host, s.country, f.subdivision,
    f.user_agent, s.is_robotlike, f.source, f.asn, f.as_org
FROM result AS s
JOIN hits AS f ON s.first_row = f.row_no
JOIN hits AS l ON s.last_row = l.row_no
JOIN hosts AS r ON f.referrer IS NOT DISTINCT FROM r.referrer
"""
"""What `read_sessions` does by row groups of the lake."""
Rows = list[dict[str, Any]]


def model_of(case: Path) -> str:
    """Return the name of the model or query that a case folder belongs to."""
    return case.parent.relative_to(CASES_ROOT).as_posix()


def reads_of(model: str) -> list[str]:
    """Return the tables that a model's header names as its inputs."""
    header = re.search(r"^-- inputs: (.+)$", (SQL / f"{model}.sql").read_text(), re.MULTILINE)
    assert header
    return re.findall(r"(\w+)", re.sub(r"\(.*?\)", "", header[1]))


def inputs_of(model: str) -> list[str]:
    """Return a model's inputs as a case gives them, by what it reads."""
    given = [
        inputs_of(f"build/{MADE_OF_HITS[t]}") if t in MADE_OF_HITS else [t] for t in reads_of(model)
    ]
    return list(dict.fromkeys(chain.from_iterable(given)))


def settings_of(case: Path) -> dict[str, Any]:
    """Return the case's settings: its `case.json` over the defaults."""
    own = case / "case.json"
    return SETTINGS | (json.loads(own.read_text()) if own.exists() else {})


def read_csv(connection: duckdb.DuckDBPyConnection, path: Path) -> duckdb.DuckDBPyRelation:
    """Read a case's CSV as text: nothing is null, `""` is the empty string, NA is Namibia."""
    return connection.read_csv(
        str(path), header=True, sep=",", quotechar='"', all_varchar=True, na_values="",
        allow_quoted_nulls=False,
    )  # fmt: skip


def fill_table(connection: duckdb.DuckDBPyConnection, table: str, case: Path, zone: str) -> None:
    """Make an input table of the documented types from the case's CSV; empty without one."""
    columns = INPUTS[table] | ({"day": "DATE"} if table in LOCAL_DAY_OF else {})
    if model_of(case).startswith("queries/"):
        columns |= IN_VIEWS.get(table, {})
    defaults = DEFAULTS.get(table, {})
    kinds = [
        f"{name} {kind}" + (f" DEFAULT {defaults[name]}" if name in defaults else "")
        for name, kind in columns.items()
    ]
    connection.execute(f"CREATE OR REPLACE TABLE {table} ({', '.join(kinds)})")
    path = case / f"{table}.csv"
    if path.exists():
        given = read_csv(connection, path)
        assert set(given.columns) <= set(columns), f"unknown columns in {path}"
        given.create_view("given")
        connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM given")
    if table in LOCAL_DAY_OF:
        connection.execute(
            f"UPDATE {table} SET day = ({LOCAL_DAY_OF[table]} AT TIME ZONE $zone)::DATE"
            " WHERE day IS NULL", {"zone": zone},
        )  # fmt: skip
    if table == "hits":
        connection.execute(
            "UPDATE hits SET is_page = NOT is_robot AND NOT is_asset WHERE is_page IS NULL"
        )
        connection.execute("ALTER TABLE hits ADD COLUMN row_no BIGINT")
        connection.execute("UPDATE hits SET row_no = rowid")


def make_inputs(connection: duckdb.DuckDBPyConnection, case: Path) -> None:
    """Make the tables that the case's model or query reads, as the case gives them."""
    model, settings = model_of(case), settings_of(case)
    for table in inputs_of(model):
        if table != "days" or model.startswith(("queries/", "why/")):
            fill_table(connection, table, case, settings["zone"])
        else:
            make_days(connection, given_days(connection, case), settings)


def given_days(connection: duckdb.DuckDBPyConnection, case: Path) -> Rows:
    """Return the days at hand: those of the case's days.csv, or all that have hits, all built."""
    path = case / "days.csv"
    if not path.exists():
        days = connection.execute("SELECT DISTINCT day FROM hits").fetchall()
        return [{"day": day, "is_built": True, "geo_is_late": False} for (day,) in days]
    with path.open(newline="") as file:
        return [
            {
                "day": date.fromisoformat(row["day"]),
                "is_built": row.get("is_built", "true") == "true",
                "geo_is_late": row.get("geo_is_late", "false") == "true",
            }
            for row in csv.DictReader(file)
        ]


def make_days(connection: duckdb.DuckDBPyConnection, days: Rows, settings: dict[str, Any]) -> None:
    """Make the models' table `days`: bounds of each, and from when its hits are of use."""
    bound = {"days": days, "zone": settings["zone"], "timeout": settings["timeout_minutes"]}
    connection.execute(MAKE_DAYS, bound)


def reverse_inputs(connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> None:
    """Turn the order of the tables' rows around."""
    for table in tables:
        connection.execute(
            f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM {table} ORDER BY rowid DESC"
        )


def run_model(
    connection: duckdb.DuckDBPyConnection, model: str, settings: dict[str, Any], key: bytes = b"k"
) -> None:
    """Make the table `result` from the model; sessions have the texts of their hits."""
    make_table(connection, "result", model, settings, key)
    if model == "sessions":
        hosts = (SQL / "build/referrer_hosts.sql").read_text()
        connection.execute(WITH_TEXTS.format(hosts=hosts))


def make_table(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    model: str,
    settings: dict[str, Any],
    key: bytes,
) -> None:
    """Make a table from a model, with what it names bound to it, and before it what it reads."""
    if "hours" in reads_of(model):
        make_table(connection, "hours", "build/hours", settings, key)
    if "visits" in map(MADE_OF_HITS.get, reads_of(model)):
        at_once = max(2, len(connection.table("hits")) // BATCHES)
        cut_sessions(connection, settings["timeout_minutes"], at_once)
    statement = (SQL / f"{model}.sql").read_text()
    bound = {
        "timeout_seconds": settings["timeout_minutes"] * 60,
        "session_key": key * 16,
        "censored_share": CENSORED_SHARE,
        "asset_path": ASSET_PATH,
        **ROBOTLIKE,
        **settings["params"],
    }
    names = connection.extract_statements(statement)[0].named_parameters
    connection.execute(
        f"CREATE OR REPLACE TABLE {table} AS {statement}", {name: bound[name] for name in names}
    )


def rows_of(connection: duckdb.DuckDBPyConnection, columns: list[str], source: str) -> Rows:
    """Return the columns of a relation, cast to the types of `result`, doubles to 9 digits."""
    kinds = {name: kind for name, kind, *_ in connection.execute("DESCRIBE result").fetchall()}
    casts = ", ".join(f'CAST("{name}" AS {kinds[name]}) AS "{name}"' for name in columns)
    rows = connection.execute(f"SELECT {casts} FROM {source}").fetchall()
    return [
        {
            name: round(value, 9) if isinstance(value, float) else value
            for name, value in zip(columns, row, strict=True)
        }
        for row in rows
    ]
