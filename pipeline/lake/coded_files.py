"""Files of hits and of sessions: their texts are dictionaries, as DuckDB and Arrow read them."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.lake.table_files import open_writer, write_partitions

_LARGEST_DICTIONARY = 12 * 1024 * 1024
_REPEATED = (pa.int16(), pa.date32())
_RISING = ("line_no", "ts", "started_at")


def open_coded(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Half of the time, and two thirds of the bytes, of what is right for any table."""
    coded = [
        f.name
        for f in schema
        if pa.types.is_dictionary(f.type) or f.type in _REPEATED or f.name == "asn"
    ]
    return open_writer(
        path,
        schema,
        use_dictionary=coded,
        column_encoding={
            f.name: "DELTA_BINARY_PACKED"
            for f in schema
            if (pa.types.is_int64(f.type) or pa.types.is_timestamp(f.type)) and f.name not in coded
        },
        write_statistics=[name for name in schema.names if name in _RISING],
    )


def write_sessions(pieces: Iterable[pa.Table], folder: Path, part_rows: int | None = None) -> None:
    """Write sessions as ``write_partitions`` does, whether texts are dictionaries or written out.

    What is written is the same.
    """
    # No variable holds a piece while the next one is made.
    groups = chain.from_iterable(map(row_groups, map(_with_codes, pieces)))
    write_partitions(groups, folder, part_rows, open_coded)


def _with_codes(table: pa.Table) -> pa.Table:
    return pa.table(
        {
            name: column.dictionary_encode() if pa.types.is_string(column.type) else column
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
    )


def row_groups(table: pa.Table) -> Iterator[pa.Table]:
    """Rows in pieces of one chunk, whose dictionaries are written as they are.

    None is larger than a reader may have to hold in its memory.
    """
    if not len(table):
        return
    one = pa.table([_in_one_chunk(column) for column in table.columns], schema=table.schema)
    coded = [column.chunk(0) for column in one.columns if pa.types.is_dictionary(column.type)]
    largest = max(column.dictionary.nbytes for column in coded)
    if largest <= _LARGEST_DICTIONARY:
        yield one
        return
    rows = max(1, len(one) * _LARGEST_DICTIONARY // largest)
    for start in range(0, len(one), rows):
        piece = one.slice(start, rows).columns
        yield pa.table([_in_one_chunk(column) for column in piece], schema=table.schema)
        # Arrow keeps for later what the last pieces were made in, which are of other sizes.
        pa.default_memory_pool().release_unused()


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
    if len(joined.dictionary) == (joined.null_count < len(joined)):  # none, or one that a row has
        return joined
    # Whether each text comes first behind the one before it: sooner told than by numbering anew.
    codes = joined.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    most = np.maximum.accumulate(codes)
    if most[-1] == len(joined.dictionary) - 1 and (np.diff(most, prepend=-1) <= 1).all():
        return joined
    used = joined.indices.dictionary_encode()
    return pa.DictionaryArray.from_arrays(used.indices, joined.dictionary.take(used.dictionary))


def codes_of(column: pa.DictionaryArray) -> npt.NDArray[np.int32]:
    """Each row's number of its text; of null how many texts there are."""
    filled = column.indices.fill_null(len(column.dictionary))
    codes: npt.NDArray[np.int32] = filled.to_numpy(zero_copy_only=False)
    return codes
