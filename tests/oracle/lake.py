"""The program's lake, read as any user's engine would: Parquet files and nothing else."""

from pathlib import Path

import duckdb

from .tables import COLUMNS, Row, Tables

INSTANTS = {"ts", "started_at", "ended_at", "hour"}
FILE_KEY = "coalesce(file_key, regexp_extract(filename, '([^/]*)\\.parquet$', 1))"


def read_lake(lake: Path) -> Tables:
    """Return the lake's tables in the oracle's columns."""
    tables = {table: read_table(lake, table, columns) for table, columns in COLUMNS.items()}
    return Tables(**tables, visitors=visitors_by_line(lake))


def read_table(lake: Path, table: str, columns: list[str]) -> list[Row]:
    """Return a table's rows; none when it has no file. Instants in seconds since 1970."""
    if not any((lake / table).rglob("*.parquet")):
        return []
    chosen = ", ".join(map(expression, columns))
    sql = (
        f"SELECT {chosen} FROM read_parquet($files, filename = true, hive_partitioning = true,"
        " hive_types = {'day': DATE})"
    )
    rows: list[Row] = duckdb.execute(sql, {"files": f"{lake}/{table}/**/*.parquet"}).fetchall()
    return rows


def expression(column: str) -> str:
    """Return the SQL that reads one column."""
    if column == "file_key":
        return FILE_KEY
    return f"epoch({column})::BIGINT" if column in INSTANTS else column


def visitors_by_line(lake: Path) -> dict[tuple[object, object], object]:
    """Return `visitor_id` by `(file_key, line_no)`."""
    rows = read_table(lake, "hits", ["file_key", "line_no", "visitor_id"])
    return {(file_key, line_no): visitor_id for file_key, line_no, visitor_id in rows}
