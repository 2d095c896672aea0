"""Tables of the lake as Parquet files: read, written, and divided by day."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from pipeline.lake.stand_ins import bring
from pipeline.lake.storage import damage_named

ROW_GROUP = 250_000
_DISK = pa.fs.LocalFileSystem()


class _Writer(pq.ParquetWriter):  # type: ignore[misc]  # pyarrow has no types
    def __del__(self) -> None:
        """Close what an error left open; that the disk is still full was said before."""
        with suppress(OSError):
            super().__del__()


def open_writer(path: Path, schema: pa.Schema, **encoding: Any) -> pq.ParquetWriter:
    """A writer of plain types, which every engine reads: no Arrow schema is inside."""
    # Level 1 was 10 to 20 % faster than level 3 on hits, and no larger.
    return _Writer(
        path,
        schema,
        filesystem=_DISK,  # which would be looked for anew for every file
        compression="zstd",
        compression_level=1,
        store_schema=False,
        **encoding,
    )


def write_table(path: Path, table: pa.Table, said: Mapping[bytes, str] | None = None) -> None:
    """Write a whole table as one Parquet file; what is ``said`` of it stands in its footer."""
    with open_writer(path, table.schema) as writer:
        writer.write_table(table, row_group_size=ROW_GROUP)
        if said:
            writer.add_key_value_metadata(dict(said))


def read_pieces(path: Path) -> Iterator[pa.Table]:
    """The row groups of a Parquet file, each when it is asked for."""
    with damage_named(path), pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            yield file.read_row_group(number)


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """A whole Parquet file of the lake, or some of its columns.

    Raises:
        LakeError: it is damaged.
    """
    bring([path])
    with damage_named(path), pq.ParquetFile(path) as file:
        return file.read(columns)


def write_partitions(
    pieces: Iterable[pa.Table],
    folder: Path,
    part_rows: int | None = None,
    open_file: Callable[[Path, pa.Schema], pq.ParquetWriter] = open_writer,
) -> None:
    """Write ordered pieces, each of one day, as one file a day: a function of its rows alone.

    DuckDB's COPY with PARTITION_BY takes three times as long for large tables, and does not keep
    the order where a day begins in the middle of a vector.

    Args:
        pieces: with the column ``day``, each of one chunk; each becomes row groups of its own.
        folder: gets ``day=D/part.parquet``.
        part_rows: a day of more rows is ``part-00.parquet``, ``part-01.parquet`` and so on, of so
            many rows each but the last; no piece is of two of them.
        open_file: gives the writer of a file.
    """
    for day, its_pieces in groupby(pieces, lambda piece: piece["day"][0].as_py()):
        target = folder / f"day={day}" / "part.parquet"
        target.parent.mkdir(parents=True)
        writer: pq.ParquetWriter | None = None
        rows = 0
        for piece in its_pieces:
            its_rows = piece.drop_columns("day")
            if writer and part_rows and rows % part_rows == 0:
                writer.close()
                number = rows // part_rows
                if number == 1:
                    target = target.replace(target.with_name("part-00.parquet"))
                writer = open_file(target.with_name(f"part-{number:02}.parquet"), its_rows.schema)
            writer = writer or open_file(target, its_rows.schema)
            writer.write_table(its_rows, ROW_GROUP)
            rows += len(its_rows)
        if writer:
            writer.close()


def split_days(table: pa.Table) -> Iterator[pa.Table]:
    """A table ordered by ``day`` as pieces of one day and one chunk."""
    days = table["day"].cast(pa.int32()).to_numpy()
    starts = np.flatnonzero(np.diff(days, prepend=-(2**31)))
    for start, end in pairwise([*starts, len(days)]):
        # Whole: batches of other days would show in the file.
        yield table.slice(start, end - start).combine_chunks()


def complete(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table with the columns of ``schema``; those that it was written without are null."""
    for field in schema:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(len(table), field.type))
    return table.select(schema.names).cast(schema)
