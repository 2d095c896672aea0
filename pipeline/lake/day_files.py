"""How DuckDB reads the lake's Parquet: of a path only what lies below the lake says anything.

``hive_partitioning`` takes every ``name=value`` of the whole path for a column, also those of the
folders that the lake lies in, and of the working directory.
"""

from collections.abc import Iterable
from glob import escape
from pathlib import Path

import duckdb

DAY_OF_PATH = "TRY_CAST(regexp_extract(filename, '/day=([^/]*)/[^/]*$', 1) AS DATE)"
"""The day of a partition's ``filename``; a filter by it is one of files, as TRY_CAST can't fail."""


def read_days(
    connection: duckdb.DuckDBPyConnection, paths: Iterable[Path], *, union_by_name: bool = False
) -> duckdb.DuckDBPyRelation:
    """The rows of partitions, with their ``day`` from the path as the last column."""
    files = [_pattern(path) for path in paths]
    rows = connection.read_parquet(
        files, hive_partitioning=False, filename=True, union_by_name=union_by_name
    )
    return rows.project(f"* EXCLUDE (filename), {DAY_OF_PATH} AS day")


def read_part(connection: duckdb.DuckDBPyConnection, *paths: Path) -> duckdb.DuckDBPyRelation:
    """The rows of files as they are, without anything of their paths."""
    return connection.read_parquet([_pattern(path) for path in paths], hive_partitioning=False)


def _pattern(path: Path) -> str:
    return escape(str(path.absolute()))
