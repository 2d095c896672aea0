"""How DuckDB reads the lake's Parquet: of a path only what lies below the lake says anything.

``hive_partitioning`` takes every ``name=value`` of the whole path for a column, also those of the
folders that the lake lies in, and of the working directory.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from glob import escape
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.lake.stand_ins import bring
from pipeline.lake.storage import damage_named
from pipeline.lake.table_files import complete
from pipeline.tables import DUCKDB_TYPES, GROWN, HITS, TABLES, select_nothing

DAY_OF_PATH = "TRY_CAST(regexp_extract(filename, '/day=([^/]*)/[^/]*$', 1) AS DATE)"
"""The day of a partition's ``filename``; a filter by it is one of files, as TRY_CAST can't fail."""
_ROWS_AT_ONCE = 500_000
_BYTES_AT_ONCE = 16 * 1024 * 1024
_LONG_ROW_BYTES = 500


def read_days(
    connection: duckdb.DuckDBPyConnection, paths: Iterable[Path], *, union_by_name: bool = False
) -> duckdb.DuckDBPyRelation:
    """The rows of partitions, with their ``day`` from the path as the last column."""
    files = _patterns(paths)
    rows = connection.read_parquet(
        files, hive_partitioning=False, filename=True, union_by_name=union_by_name
    )
    return rows.project(f"* EXCLUDE (filename), {DAY_OF_PATH} AS day")


def read_partitions(
    connection: duckdb.DuckDBPyConnection, table: str, paths: Sequence[Path]
) -> duckdb.DuckDBPyRelation:
    """The rows of some of a table's partitions, or of none, as ``read_days`` and ``add_grown``."""
    if not paths:
        return connection.sql(select_nothing(table))
    return add_grown(read_days(connection, paths, union_by_name=table in GROWN), table)


def add_grown(rows: duckdb.DuckDBPyRelation, table: str) -> duckdb.DuckDBPyRelation:
    """The rows of a table with the columns that those of an earlier version lack."""
    if table not in GROWN:
        return rows
    lacking = (field for field in TABLES[table] if field.name not in rows.columns)
    nulls = (f"NULL::{DUCKDB_TYPES[field.type]} AS {field.name}" for field in lacking)
    return rows.project(", ".join(["*", *nulls]))


@dataclass(frozen=True)
class HitFiles:
    """Partitions of hits whose rows are numbered through all of them.

    In 32 bits: more do not fit into a process.
    """

    paths: Sequence[Path]

    @cached_property
    def first_rows(self) -> npt.NDArray[np.int64]:
        """The number of each file's first row. To look into all of many small ones takes long."""
        counts = [0]
        for path in self.paths:
            bring([path])
            with damage_named(path):
                counts.append(pq.read_metadata(path).num_rows)
        return np.cumsum(counts)[:-1]


def show_hits(connection: duckdb.DuckDBPyConnection, files: HitFiles) -> None:
    """Make the view ``hits`` of partitions, with ``day`` and ``row_no``; see ``take_rows``."""
    _name_hits(connection, files)
    connection.sql(
        "FROM read_parquet(getvariable('files_of_hits'), hive_partitioning = false,"
        " filename = true, file_row_number = true)"
        " SELECT * EXCLUDE (filename, file_row_number),"
        " getvariable('first_rows')[file_index::BIGINT + 1] + file_row_number::UINTEGER AS row_no,"
        f" {DAY_OF_PATH} AS day"
    ).create_view("hits")


def connect_beside(
    connection: duckdb.DuckDBPyConnection, files: HitFiles
) -> duckdb.DuckDBPyConnection:
    """A connection for another thread, which has the view ``hits`` of ``show_hits``, too."""
    cursor = connection.cursor()
    _name_hits(cursor, files)
    return cursor


def _name_hits(connection: duckdb.DuckDBPyConnection, files: HitFiles) -> None:
    """Set what the view reads: a relation with bound values would be read at once.

    They come as a table: of each bound value of a list DuckDB looks anew whether pandas is there.
    """
    lists = {"files": [_patterns(files.paths)], "rows": [files.first_rows]}
    connection.register("named", pa.table(lists))
    connection.execute("SET VARIABLE files_of_hits = (SELECT files FROM named)")
    connection.execute("SET VARIABLE first_rows = (SELECT rows::UINTEGER[] FROM named)")
    connection.unregister("named")


def take_rows(
    files: HitFiles, wanted: Sequence[tuple[npt.NDArray[np.int64], list[str]]]
) -> Iterator[list[pa.Table]]:
    """Some columns of some rows of partitions of hits, each row group read once.

    Args:
        files: as given to ``show_hits``.
        wanted: rows by ``row_no``, ascending, any of them more than once, and their columns:
            texts, which come as dictionaries, or numbers; null where a file has none such.

    Yields:
        For each of ``wanted`` its next rows, in single chunks. In memory are one row group, or as
        many small ones as make up a few rows.
    """
    schemas = [pa.schema([HITS.field(name) for name in columns]) for _, columns in wanted]
    every = pa.unify_schemas(schemas)
    found: list[list[pa.Table]] = []
    n_rows = n_bytes = 0
    first_rows = files.first_rows
    ends = [*first_rows[1:], np.iinfo(np.int64).max]
    holding = [np.searchsorted(its, first_rows) < np.searchsorted(its, ends) for its, _ in wanted]
    for number in np.flatnonzero(np.logical_or.reduce(holding)).tolist():
        path, start = files.paths[number], int(first_rows[number])
        with damage_named(path), _open_coded(path, every) as file:
            for group in range(file.num_row_groups):
                end = start + file.metadata.row_group(group).num_rows
                rows = [its[slice(*np.searchsorted(its, (start, end)))] for its, _ in wanted]
                if any(map(len, rows)):
                    asked = [its for its, taken in zip(schemas, rows, strict=True) if len(taken)]
                    names = pa.unify_schemas(asked).names
                    there = [name for name in names if name in file.schema_arrow.names]
                    read = complete(file.read_row_group(group, there), every)
                    found.append(
                        [
                            read.select(schema.names).take(pa.array(its - start))
                            for its, schema in zip(rows, schemas, strict=True)
                        ]
                    )
                    n_rows += sum(map(len, rows))
                    n_bytes += sum(taken.nbytes for taken in found[-1])
                if n_rows >= _ROWS_AT_ONCE or n_bytes >= _BYTES_AT_ONCE:
                    yield list(map(_join, zip(*found, strict=True)))
                    if n_bytes > _LONG_ROW_BYTES * n_rows:
                        # Long texts' pages, which it keeps for the next ones.
                        pa.default_memory_pool().release_unused()
                    found, n_rows, n_bytes = [], 0, 0
                start = end
    if found:
        yield list(map(_join, zip(*found, strict=True)))


def read_row_groups(
    path: Path, part: int, parts: int, since: datetime | None
) -> Iterator[pa.Table]:
    """The row groups of a partition of hits, or those of one of several parts of it.

    ``since``: without hits before an instant; who knows of none gives None.
    """
    bring([path])
    with damage_named(path), _open_coded(path, HITS) as file:
        count = file.num_row_groups
        at = file.schema_arrow.get_field_index("ts")
        for number in range(count * part // parts, count * (part + 1) // parts):
            its = file.metadata.row_group(number).column(at).statistics
            if since and its is not None and its.has_min_max and its.max < since:
                continue
            rows = complete(file.read_row_group(number), HITS)
            yield rows.filter(pc.greater_equal(rows["ts"], since)) if since else rows


def _open_coded(path: Path, schema: pa.Schema) -> pq.ParquetFile:
    """A file whose columns, as far as it has them, are read as they are in ``schema``."""
    metadata = pq.read_metadata(path)
    texts = {field.name for field in schema if pa.types.is_dictionary(field.type)}
    coded = sorted(texts.intersection(metadata.schema.names))
    return pq.ParquetFile(path, metadata=metadata, read_dictionary=coded)


def _join(tables: Sequence[pa.Table]) -> pa.Table:
    if len(tables) == 1:
        return tables[0].combine_chunks()
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def read_part(connection: duckdb.DuckDBPyConnection, *paths: Path) -> duckdb.DuckDBPyRelation:
    """The rows of files as they are, without anything of their paths."""
    return connection.read_parquet(_patterns(paths), hive_partitioning=False)


def _patterns(paths: Iterable[Path]) -> list[str]:
    every = list(paths)
    bring(every)
    return [escape(str(path.absolute())) for path in every]
