"""``lake/tidegauge.duckdb``: views over the lake's Parquet, for any DuckDB, wherever it lies."""

import hashlib
import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.database import connect
from pipeline.digests import digest_of, with_latest
from pipeline.errors import LakeError
from pipeline.lake import Lake, read_json, write_json
from pipeline.storage import storage_named

PARTITIONED = {
    "hits": "line_no BIGINT, ts TIMESTAMPTZ, source VARCHAR, client VARCHAR, visitor_id UBIGINT,"
    " country VARCHAR, subdivision VARCHAR, geo_built DATE, host VARCHAR, method VARCHAR,"
    " path VARCHAR, query VARCHAR, protocol VARCHAR, status SMALLINT, bytes_sent BIGINT,"
    " referrer VARCHAR, user_agent VARCHAR, duration_ms DOUBLE, is_robot BOOLEAN,"
    " is_asset BOOLEAN, is_page BOOLEAN, client_from VARCHAR",
    "rejects": "line_no BIGINT, line VARCHAR, reason VARCHAR",
    "sessions": "session_id UBIGINT, visitor_id UBIGINT, started_at TIMESTAMPTZ,"
    " ended_at TIMESTAMPTZ, hits BIGINT, pages BIGINT, bytes_sent BIGINT, errors BIGINT,"
    " entry_path VARCHAR, exit_path VARCHAR, referrer_host VARCHAR, country VARCHAR,"
    " subdivision VARCHAR, user_agent VARCHAR, is_robotlike BOOLEAN",
    "daily": "country VARCHAR, sessions BIGINT, visitors BIGINT, pages BIGINT, hits BIGINT,"
    " bytes_sent BIGINT, errors BIGINT, robot_hits BIGINT, geo_built DATE, geo_is_late BOOLEAN",
    "hourly": "hour TIMESTAMPTZ, country VARCHAR, sessions BIGINT, visitors BIGINT,"
    " pages BIGINT, hits BIGINT, bytes_sent BIGINT, errors BIGINT, robot_hits BIGINT",
    "minutes": "source VARCHAR, minute TIMESTAMPTZ, hits BIGINT",
}
UNPARTITIONED = {
    "days": "day DATE, sources BIGINT, files BIGINT, hits BIGINT, robot_hits BIGINT,"
    " sessions BIGINT, error_share DOUBLE, geo_built DATE, geo_is_late BOOLEAN,"
    " sources_expected BIGINT, share DOUBLE, is_preliminary BOOLEAN, is_censored BOOLEAN,"
    " reasons VARCHAR[], sources_whole BIGINT",
    "expected": "country VARCHAR, day DATE, observed BIGINT, expected DOUBLE, upper DOUBLE,"
    " score DOUBLE, is_surge BOOLEAN",
    "surges": "country VARCHAR, start_day DATE, peak_day DATE, end_day DATE, days BIGINT,"
    " observed BIGINT, expected DOUBLE, excess DOUBLE, peak_sessions BIGINT, peak_ratio DOUBLE,"
    " is_open BOOLEAN, is_at_least BOOLEAN",
    "restatements": "day DATE, country VARCHAR, published_at TIMESTAMPTZ, sessions BIGINT,"
    " previous_sessions BIGINT, reason VARCHAR, share DOUBLE, is_preliminary BOOLEAN,"
    " sources BIGINT, sources_expected BIGINT",
}
"""Every table's columns, for the views over tables that have no file yet."""

GROWN = {"sessions"}
"""Tables of which days built by an earlier version lack a column: it is null there."""

# The folder of the database that was opened as the main one; it moves with the lake.
# Its own glob characters are escaped.
_FOLDER = (
    "regexp_replace(regexp_replace(current_setting('temp_directory'), '[^/]*$', ''),"
    " '([*?\\[])', '[\\1]', 'g')"
)


def write_views(lake: Lake) -> None:
    """Write the database of views when it is not what it should be; open readers keep theirs."""
    with storage_named(lake.root, "the next run writes the views"), lake.lock("views"):
        path, place = lake.digests_path("views"), lake.views.name
        known, made_of = read_json(path), _name_inputs(lake)
        is_whole = lake.views.exists() and digest_of(lake.views) == known.get(place, [""])[-1]
        if is_whole and known.get("made_of") == made_of:
            return
        draft = lake.root / ".views.draft"
        make_views(lake, draft)
        write_json(path, with_latest(known, place, digest_of(draft)) | {"made_of": made_of})
        draft.replace(lake.views)


def make_views(lake: Lake, draft: Path) -> None:
    """Write a database of the lake's views to ``draft``, in place of what is there."""
    draft.unlink(missing_ok=True)
    found = _first_files(lake)
    with connect(threads=1, spill=lake.root / "views.tmp") as connection:
        connection.execute(f"ATTACH '{_quoted(str(draft))}' AS lake (STORAGE_VERSION 'v1.0.0')")
        for name, columns in PARTITIONED.items():
            options = "hive_partitioning = true" + (", union_by_name = true" * (name in GROWN))
            source = f"read_parquet({_FOLDER} || '{name}/*/*.parquet', {options})"
            connection.execute(_view(name, source if found[name] else None, f"{columns}, day DATE"))
        for name, columns in UNPARTITIONED.items():
            source = f"read_parquet({_FOLDER} || '{name}/part.parquet')"
            connection.execute(_view(name, source if found[name] else None, columns))
        connection.execute("DETACH lake")


def _first_files(lake: Lake) -> dict[str, Path | None]:
    """A file of each table: a view takes its columns from it."""
    parts = {name: next((lake.root / name).glob("day=*/*.parquet"), None) for name in PARTITIONED}
    tables = {name: lake.part_path(name) for name in UNPARTITIONED}
    return parts | {name: path if path.exists() else None for name, path in tables.items()}


def _name_inputs(lake: Lake) -> str:
    """Name what the views are made of: the texts above, DuckDB, and the columns that are there."""
    columns = {name: path and _read_columns(path) for name, path in _first_files(lake).items()}
    inputs = [duckdb.__version__, _FOLDER, PARTITIONED, UNPARTITIONED, columns]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:32]


def _read_columns(path: Path) -> str:
    try:
        return str(pq.read_schema(path))
    except pa.ArrowInvalid as error:
        why = f"{path} is damaged: {error}; `tidegauge verify` tells what else is"
        raise LakeError(why) from error


def _view(name: str, source: str | None, columns: str) -> str:
    selects = [select_nothing(columns)] if name in GROWN or not source else []
    selects += [f"SELECT * FROM {source}"] if source else []  # noqa: S608 our own
    return f"CREATE VIEW lake.{name} AS {' UNION ALL BY NAME '.join(selects)}"


def select_nothing(columns: str) -> str:
    """A SELECT of no rows with ``columns``, written like those above."""
    typed = (column.split() for column in columns.split(", "))
    return f"SELECT {', '.join(f'NULL::{kind} AS {name}' for name, kind in typed)} WHERE false"


def _quoted(text: str) -> str:
    return text.replace("'", "''")
