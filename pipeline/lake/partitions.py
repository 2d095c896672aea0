"""Parquet files of the lake, in bounded memory: hits and rejects in line order, days in theirs."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, timedelta
from itertools import chain, groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs
import pyarrow.parquet as pq

from pipeline.days import EPOCH
from pipeline.lake.stand_ins import bring
from pipeline.lake.storage import damage_named
from pipeline.tables import HITS, REJECTS

_BUFFERED_ROWS = 250_000
_BUFFERED_BYTES = 32 * 1024 * 1024
"""Reached before the rows only where fields are long: a hostile log has 4 KB of them in a line."""
_LARGEST_DICTIONARY = 12 * 1024 * 1024
_OPEN_FILES = 64
_DISK = pa.fs.LocalFileSystem()
_INSTANT, _REPEATED = HITS.field("ts").type, (pa.int16(), pa.date32())


class _Writer(pq.ParquetWriter):  # type: ignore[misc]  # pyarrow has no types
    def __del__(self) -> None:
        """Close what an error left open; that the disk is still full was said before."""
        with suppress(OSError):
            super().__del__()


def _open(path: Path, schema: pa.Schema, **encoding: Any) -> pq.ParquetWriter:
    # Plain types for every engine: no Arrow schema inside. Level 1 was
    # 10 to 20 % faster than level 3 on hits, and no larger.
    return _Writer(
        path,
        schema,
        filesystem=_DISK,  # which would be looked for anew for every file
        compression="zstd",
        compression_level=1,
        store_schema=False,
        **encoding,
    )


def _open_hits(path: Path) -> pq.ParquetWriter:
    """Half of the time, and two thirds of the bytes, of what is right for any table."""
    numbers = (pa.int64(), _INSTANT)
    coded = [
        f.name
        for f in HITS
        if pa.types.is_dictionary(f.type) or f.type in _REPEATED or f.name == "asn"
    ]
    return _open(
        path,
        HITS,
        use_dictionary=coded,
        column_encoding={
            f.name: "DELTA_BINARY_PACKED" for f in HITS if f.type in numbers and f.name not in coded
        },
        write_statistics=["line_no", "ts"],
    )


def write_table(path: Path, table: pa.Table, said: Mapping[bytes, str] | None = None) -> None:
    """Write a whole table as one Parquet file; what is ``said`` of it stands in its footer."""
    with _open(path, table.schema) as writer:
        writer.write_table(table, row_group_size=_BUFFERED_ROWS)
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
    pieces: Iterable[pa.Table], folder: Path, part_rows: int | None = None
) -> None:
    """Write ordered pieces, each of one day, as one file a day: a function of its rows alone.

    DuckDB's COPY with PARTITION_BY takes three times as long for large tables, and does not keep
    the order where a day begins in the middle of a vector.

    Args:
        pieces: with the column ``day``, each of one chunk; each becomes row groups of its own.
        folder: gets ``day=D/part.parquet``.
        part_rows: a day of more rows is ``part-00.parquet``, ``part-01.parquet`` and so on, of so
            many rows each but the last; no piece is of two of them.
    """
    for day, its_pieces in groupby(pieces, lambda piece: piece["day"][0].as_py()):
        target = folder / f"day={day}" / "part.parquet"
        target.parent.mkdir(parents=True)
        first = next(its_pieces).drop_columns("day")
        writer, rows = _open(target, first.schema), 0
        for piece in chain([first], its_pieces):
            if part_rows and rows and rows % part_rows == 0:
                writer.close()
                number = rows // part_rows
                if number == 1:
                    target = target.replace(target.with_name("part-00.parquet"))
                writer = _open(target.with_name(f"part-{number:02}.parquet"), first.schema)
            writer.write_table(piece.select(first.column_names), _BUFFERED_ROWS)
            rows += len(piece)
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


def write_hits(path: Path, table: pa.Table) -> None:
    """Write some of a day's hits, as read from a lake's file."""
    with _open_hits(path) as writer:
        for rows in _row_groups(complete(table, HITS)):
            writer.write_table(rows, row_group_size=2 * _BUFFERED_ROWS)


class PartitionWriter:
    """Collects a file's hits by day and writes them into ``folder``.

    What is written depends on the sequence of ``add`` calls alone. A day's rows that come back
    after its writer had to be closed (files in no order over very many days) go into a further
    part; ``close`` joins the parts.
    """

    def __init__(self, folder: Path) -> None:
        """Write into ``folder``, which is made."""
        self._folder = folder
        folder.mkdir(parents=True)
        self._buffer: dict[int, list[pa.Table]] = {}
        self._buffered_rows = self._buffered_bytes = 0
        self._writers: dict[int, pq.ParquetWriter] = {}
        self._parts: dict[int, list[Path]] = {}
        self.rows: dict[int, int] = {}
        self.first_lines: dict[int, int] = {}
        self.first_day: int | None = None

    def add(self, hits: pa.Table, days: npt.NDArray[np.int32]) -> None:
        """Append hits of one block, shape ``(n,)`` days since 1970 beside them."""
        if self.first_day is None and len(days):
            self.first_day = int(days[0])
        for day, rows in _split_by_day(hits, days):
            self._buffer.setdefault(day, []).append(rows)
            self.rows[day] = self.rows.get(day, 0) + len(rows)
            self.first_lines.setdefault(day, rows["line_no"][0].as_py())
        self._buffered_rows += len(hits)
        self._buffered_bytes += sum(map(_text_bytes, hits.columns))
        if self._buffered_rows >= _BUFFERED_ROWS or self._buffered_bytes >= _BUFFERED_BYTES:
            self._flush()

    def close(self) -> dict[date, Path]:
        """Finish every day's file and say where it is."""
        self._flush()
        self._close_writers()
        return {
            EPOCH + timedelta(days=day): self._join(parts)
            for day, parts in sorted(self._parts.items())
        }

    def _flush(self) -> None:
        for day, tables in sorted(self._buffer.items()):
            for rows in _row_groups(pa.concat_tables(tables)):
                self._writer(day).write_table(rows, row_group_size=2 * _BUFFERED_ROWS)
        self._buffer.clear()
        self._buffered_rows = self._buffered_bytes = 0

    def _writer(self, day: int) -> pq.ParquetWriter:
        if day not in self._writers:
            if len(self._writers) >= _OPEN_FILES:
                self._close_writers()
            parts = self._parts.setdefault(day, [])
            parts.append(self._folder / f"{day}-{len(parts)}.parquet")
            self._writers[day] = _open_hits(parts[-1])
        return self._writers[day]

    def _close_writers(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _join(self, parts: Sequence[Path]) -> Path:
        if len(parts) == 1:
            return parts[0]
        joined = parts[0].with_suffix(".joined")
        with _open_hits(joined) as writer:
            for part in parts:
                for batch in pq.ParquetFile(part).iter_batches(_BUFFERED_ROWS):
                    for rows in _row_groups(pa.Table.from_batches([batch]).cast(HITS)):
                        writer.write_table(rows)
        return joined


class BucketWriter:
    """Divides hits among files by their visitors; each file has its rows in the order they came."""

    def __init__(self, folder: Path, buckets: int) -> None:
        """Write ``<number>.parquet`` into ``folder``, which is made, of each bucket with a hit."""
        self._folder, self._buckets = folder, buckets
        self._writers: dict[int, pq.ParquetWriter] = {}
        folder.mkdir(parents=True)

    def add(self, hits: pa.Table) -> None:
        """Append some hits, as read from a lake's file."""
        # Of a number that is a hash any bits will do; lower ones tell the parts of `cut_sessions`.
        high = hits["visitor_id"].to_numpy() >> np.uint64(32)
        bucket = (high % np.uint64(self._buckets)).astype(np.int64)
        order = np.argsort(bucket, kind="stable")
        rows, bucket = hits.take(pa.array(order)), bucket[order]
        ends = np.searchsorted(bucket, np.arange(self._buckets + 1)).tolist()
        for number, (start, end) in enumerate(pairwise(ends)):
            for piece in _row_groups(rows.slice(start, end - start)):
                if number not in self._writers:
                    self._writers[number] = _open_hits(self._folder / f"{number}.parquet")
                self._writers[number].write_table(piece)

    def close(self) -> dict[int, Path]:
        """Finish the files and say where that of each bucket is."""
        for writer in self._writers.values():
            writer.close()
        return {number: self._folder / f"{number}.parquet" for number in sorted(self._writers)}


class RejectWriter:
    """Writes a file's rejected lines to ``path``, in line order, in bounded memory."""

    def __init__(self, path: Path) -> None:
        """Write to ``path``, which appears with the first rejected line."""
        self._path = path
        self._writer: pq.ParquetWriter | None = None
        self._buffer: list[tuple[int, str, str]] = []
        self._buffered_chars = 0
        self.reasons: Counter[str] = Counter()

    def add(self, rejects: list[tuple[int, str, str]]) -> None:
        """Append ``(line_no, line, reason)`` of one block."""
        self.reasons.update(reason for _, _, reason in rejects)
        self._buffer += rejects
        self._buffered_chars += sum(len(line) for _, line, _ in rejects)
        if len(self._buffer) >= _BUFFERED_ROWS or self._buffered_chars >= _BUFFERED_BYTES:
            self._flush()

    def close(self) -> Path | None:
        """Finish the file and say where it is; None when no line was rejected."""
        if self._buffer:
            self._flush()
        if self._writer is None:
            return None
        self._writer.close()
        return self._path

    def _flush(self) -> None:
        self._writer = self._writer or _open(self._path, REJECTS)
        columns = zip(*self._buffer, strict=True)
        names = ("line_no", "line", "reason")
        arrays = {
            n: pa.array(c, REJECTS.field(n).type) for n, c in zip(names, columns, strict=True)
        }
        self._writer.write_table(complete(pa.table(arrays), REJECTS))
        self._buffer, self._buffered_chars = [], 0


def _row_groups(hits: pa.Table) -> Iterator[pa.Table]:
    """Hits in pieces of one chunk, whose dictionaries are written as they are.

    None is larger than a reader may have to hold in its memory.
    """
    if not len(hits):
        return
    one = pa.table([_in_one_chunk(column) for column in hits.columns], schema=hits.schema)
    coded = [column.chunk(0) for column in one.columns if pa.types.is_dictionary(column.type)]
    largest = max(column.dictionary.nbytes for column in coded)
    if largest <= _LARGEST_DICTIONARY:
        yield one
        return
    rows = max(1, len(one) * _LARGEST_DICTIONARY // largest)
    for start in range(0, len(one), rows):
        piece = one.slice(start, rows).columns
        yield pa.table([_in_one_chunk(column) for column in piece], schema=hits.schema)


def _in_one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """The same, with a dictionary of its own texts alone, in the order in which they come.

    Others are of other days, or of lines that were rejected, which are kept otherwise if at all.
    And what is written depends on the rows alone, not on what numbered their texts.
    """
    if not pa.types.is_dictionary(column.type):
        return column.combine_chunks()
    # To join the dictionaries of a block of many days would take long for each of them.
    if sum(len(chunk.dictionary) for chunk in column.chunks) > len(column):
        return column.cast(pa.string()).combine_chunks().dictionary_encode()
    joined = column.combine_chunks()
    null, codes = len(joined.dictionary), _codes_of(joined)
    first = np.full(null + 1, len(codes))  # the row that each text comes first in
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    order = np.argsort(first[:null], kind="stable")
    order = order[: np.count_nonzero(first[:null] < len(codes))]
    numbers = np.zeros(null + 1, np.int32)
    numbers[order] = np.arange(len(order))
    return pa.DictionaryArray.from_arrays(
        pa.array(numbers[codes], mask=codes == null), joined.dictionary.take(pa.array(order))
    )


def _codes_of(column: pa.DictionaryArray) -> npt.NDArray[np.int32]:
    """Each row's number of its text; of null how many texts there are."""
    filled = column.indices.fill_null(len(column.dictionary))
    codes: npt.NDArray[np.int32] = filled.to_numpy(zero_copy_only=False)
    return codes


def _text_bytes(column: pa.ChunkedArray) -> int:
    """Of the different texts that rows have, chunk by chunk."""
    if not pa.types.is_dictionary(column.type):
        return 0
    total = 0
    for chunk in column.chunks:
        is_used = np.zeros(len(chunk.dictionary) + 1, np.bool_)
        is_used[_codes_of(chunk)] = True
        lengths = pc.binary_length(chunk.dictionary).filter(pa.array(is_used[:-1]))
        total += pc.sum(lengths).as_py() or 0
    return total


def _split_by_day(hits: pa.Table, days: npt.NDArray[np.int32]) -> Iterator[tuple[int, pa.Table]]:
    present = np.unique(days)
    if not len(present):
        return
    if len(present) == 1:
        yield int(present[0]), hits
        return
    order = np.argsort(days, kind="stable")
    starts = np.searchsorted(days[order], present)
    taken = hits.take(pa.array(order))
    for day, start, end in zip(present, starts, [*starts[1:], len(days)], strict=True):
        yield int(day), taken.slice(start, end - start)
