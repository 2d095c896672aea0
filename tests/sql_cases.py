"""Cases of the SQL models: finds the folders, makes their inputs, runs the model; sql/README.md."""

import csv
import json
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb

SQL = Path(__file__).parents[1] / "sql"
CASES_ROOT = Path(__file__).with_name("sql")
QUERIES = [f"queries/{path.stem}" for path in sorted(SQL.glob("queries/*.sql"))]
MODELS = [path.stem for path in sorted(SQL.glob("*.sql"))]
CASES = [
    note.parent
    for note in sorted(
        chain(CASES_ROOT.glob("*/*/NOTE.md"), CASES_ROOT.glob("queries/*/*/NOTE.md"))
    )
]
TABLES: dict[str, dict[str, str]] = defaultdict(dict)
with (CASES_ROOT / "tables.csv").open(newline="") as _file:
    for _row in csv.DictReader(_file):
        TABLES[_row["table"]][_row["column"]] = _row["type"]
INPUTS = {
    **TABLES,
    "shares": {"day": "DATE", "source": "VARCHAR", "file_key": "VARCHAR"},
}
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
EVER, NEVER = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
Rows = list[dict[str, Any]]


def model_of(case: Path) -> str:
    """Return the name of the model or query that a case folder belongs to."""
    return case.parent.relative_to(CASES_ROOT).as_posix()


def title_of(value: object) -> str | None:
    """Name a case by its model and sentence."""
    return f"{model_of(value)}-{value.name}" if isinstance(value, Path) else None


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


def fill_table(
    connection: duckdb.DuckDBPyConnection, table: str, case: Path, *, day: bool, is_reversed: bool
) -> None:
    """Make an input table of the documented types from the case's CSV; empty without one."""
    columns = INPUTS[table] | ({"day": "DATE"} if day else {})
    defaults = DEFAULTS.get(table, {})
    kinds = [
        f"{name} {kind}" + (f" DEFAULT {defaults[name]}" if name in defaults else "")
        for name, kind in columns.items()
    ]
    connection.execute(f"CREATE TABLE {table} ({', '.join(kinds)})")
    path = case / f"{table}.csv"
    if path.exists():
        rows = read_csv(connection, path)
        assert set(rows.columns) <= set(columns), f"unknown columns in {path}"
        order = "DESC" if is_reversed else "ASC"
        numbered = rows.project("*, row_number() OVER () AS row_no").order(f"row_no {order}")
        numbered.project("* EXCLUDE (row_no)").create_view("given")
        connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM given")
        connection.execute("DROP VIEW given")


def fill_derived(connection: duckdb.DuckDBPyConnection, zone: str) -> None:
    """Derive what a case left out: local days, and pages of neither robots nor assets."""
    for table, at in (("hits", "ts"), ("sessions", "started_at"), ("hourly", "hour")):
        connection.execute(
            f"UPDATE {table} SET day = ({at} AT TIME ZONE $zone)::DATE WHERE day IS NULL",
            {"zone": zone},
        )
    connection.execute(
        "UPDATE hits SET is_page = NOT is_robot AND NOT is_asset WHERE is_page IS NULL"
    )


def make_inputs(case: Path, model: str, *, is_reversed: bool = False) -> duckdb.DuckDBPyConnection:
    """Open a database with the inputs of the model or query as the case gives them."""
    settings = settings_of(case)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for table in INPUTS:
        is_partitioned = table in {"hits", "rejects", "sessions", "daily", "hourly"}
        if table != "days" or model.startswith("queries/"):
            fill_table(connection, table, case, day=is_partitioned, is_reversed=is_reversed)
    fill_derived(connection, settings["zone"])
    if not model.startswith("queries/"):
        make_days(connection, given_days(connection, case), settings)
    return connection


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
    connection.execute(
        "CREATE OR REPLACE TABLE days (day DATE, is_built BOOLEAN, starts_at TIMESTAMPTZ,"
        " ends_at TIMESTAMPTZ, keep_from TIMESTAMPTZ, geo_is_late BOOLEAN)"
    )
    built = {row["day"] for row in days if row["is_built"]}
    timeout = timedelta(minutes=settings["timeout_minutes"])
    for row in days:
        starts_at, ends_at = (
            connection.execute(
                "SELECT $day::TIMESTAMP AT TIME ZONE $zone",
                {"day": row["day"] + timedelta(days=after), "zone": settings["zone"]},
            ).fetchall()[0][0]
            for after in (0, 1)
        )
        is_before_built = row["day"] + timedelta(days=1) in built
        keep_from = EVER if row["is_built"] else ends_at - timeout if is_before_built else NEVER
        connection.execute(
            "INSERT INTO days VALUES (?, ?, ?, ?, ?, ?)",
            [row["day"], row["is_built"], starts_at, ends_at, keep_from, row["geo_is_late"]],
        )


def run_model(
    connection: duckdb.DuckDBPyConnection, model: str, settings: dict[str, Any], key: bytes = b"k"
) -> None:
    """Make the table `result` from the model, with what it names bound to it."""
    statement = (SQL / f"{model}.sql").read_text()
    bound = {
        "timeout_seconds": settings["timeout_minutes"] * 60,
        "session_key": key * 16,
        **settings["params"],
    }
    names = connection.extract_statements(statement)[0].named_parameters
    connection.execute(
        f"CREATE OR REPLACE TABLE result AS {statement}", {name: bound[name] for name in names}
    )


def rows_of(connection: duckdb.DuckDBPyConnection, columns: list[str], source: str) -> Rows:
    """Return the columns of a relation, cast to the types of `result`, doubles to 9 digits."""
    kinds = dict(connection.execute("SELECT column_name, column_type FROM (DESCRIBE result)")
                 .fetchall())  # fmt: skip
    casts = ", ".join(f'CAST("{name}" AS {kinds[name]}) AS "{name}"' for name in columns)
    rows = connection.execute(f"SELECT {casts} FROM {source}").fetchall()
    return [
        {
            name: round(value, 9) if isinstance(value, float) else value
            for name, value in zip(columns, row, strict=True)
        }
        for row in rows
    ]
