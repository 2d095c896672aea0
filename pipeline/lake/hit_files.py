"""The files of one raw file: its hits by day, and its rejects, in line order and bounded memory."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.days import EPOCH
from pipeline.lake.coded_files import codes_of, open_coded, row_groups
from pipeline.lake.table_files import ROW_GROUP, complete, open_writer
from pipeline.tables import HITS, REJECTS

_BUFFERED_BYTES = 32 * 1024 * 1024
"""Reached before the rows only where fields are long: a hostile log has 4 KB of them in a line."""
_OPEN_FILES = 64


def write_hits(path: Path, table: pa.Table) -> None:
    """Write some of a day's hits, as read from a lake's file."""
    with open_coded(path, HITS) as writer:
        for rows in row_groups(complete(table, HITS)):
            writer.write_table(rows, row_group_size=2 * ROW_GROUP)


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
        self._unmeasured: list[pa.Table] = []
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
        self._unmeasured.append(hits)
        if self._buffered_rows >= ROW_GROUP or self._are_bytes_many():
            self._flush()

    def close(self) -> dict[date, Path]:
        """Finish every day's file and say where it is."""
        self._flush()
        self._close_writers()
        return {
            EPOCH + timedelta(days=day): self._join(parts)
            for day, parts in sorted(self._parts.items())
        }

    def _are_bytes_many(self) -> bool:
        """Whether texts are as long as is buffered; measured where all that are there would be."""
        columns = [column for table in self._unmeasured for column in table.columns]
        if self._buffered_bytes + sum(map(_most_text_bytes, columns)) < _BUFFERED_BYTES:
            return False
        self._buffered_bytes += sum(map(_text_bytes, columns))
        self._unmeasured.clear()
        return self._buffered_bytes >= _BUFFERED_BYTES

    def _flush(self) -> None:
        for day, tables in sorted(self._buffer.items()):
            for rows in row_groups(pa.concat_tables(tables)):
                self._writer(day).write_table(rows, row_group_size=2 * ROW_GROUP)
        self._buffer.clear()
        self._unmeasured.clear()
        self._buffered_rows = self._buffered_bytes = 0

    def _writer(self, day: int) -> pq.ParquetWriter:
        if day not in self._writers:
            if len(self._writers) >= _OPEN_FILES:
                self._close_writers()
            parts = self._parts.setdefault(day, [])
            parts.append(self._folder / f"{day}-{len(parts)}.parquet")
            self._writers[day] = open_coded(parts[-1], HITS)
        return self._writers[day]

    def _close_writers(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _join(self, parts: Sequence[Path]) -> Path:
        if len(parts) == 1:
            return parts[0]
        joined = parts[0].with_suffix(".joined")
        with open_coded(joined, HITS) as writer:
            for part in parts:
                for batch in pq.ParquetFile(part).iter_batches(ROW_GROUP):
                    for rows in row_groups(pa.Table.from_batches([batch]).cast(HITS)):
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
        # Of a number that is a hash any bits will do.
        high = hits["visitor_id"].to_numpy() >> np.uint64(32)
        bucket = (high % np.uint64(self._buckets)).astype(np.int64)
        order = np.argsort(bucket, kind="stable")
        rows, bucket = hits.take(pa.array(order)), bucket[order]
        ends = np.searchsorted(bucket, np.arange(self._buckets + 1)).tolist()
        for number, (start, end) in enumerate(pairwise(ends)):
            for piece in row_groups(rows.slice(start, end - start)):
                if number not in self._writers:
                    self._writers[number] = open_coded(self._folder / f"{number}.parquet", HITS)
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
        if len(self._buffer) >= ROW_GROUP or self._buffered_chars >= _BUFFERED_BYTES:
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
        self._writer = self._writer or open_writer(self._path, REJECTS)
        columns = zip(*self._buffer, strict=True)
        names = ("line_no", "line", "reason")
        arrays = {
            n: pa.array(c, REJECTS.field(n).type) for n, c in zip(names, columns, strict=True)
        }
        self._writer.write_table(complete(pa.table(arrays), REJECTS))
        self._buffer, self._buffered_chars = [], 0


def _most_text_bytes(column: pa.ChunkedArray) -> int:
    """At least as many as ``_text_bytes``."""
    is_coded = pa.types.is_dictionary(column.type)
    return sum(chunk.dictionary.nbytes for chunk in column.chunks) if is_coded else 0


def _text_bytes(column: pa.ChunkedArray) -> int:
    """Of the different texts that rows have, chunk by chunk."""
    if not pa.types.is_dictionary(column.type):
        return 0
    total = 0
    for chunk in column.chunks:
        if chunk.null_count == len(chunk):
            continue
        if len(chunk.dictionary) == 1:
            total += pc.sum(pc.binary_length(chunk.dictionary)).as_py() or 0
            continue
        is_used = np.zeros(len(chunk.dictionary) + 1, np.bool_)
        is_used[codes_of(chunk)] = True
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
