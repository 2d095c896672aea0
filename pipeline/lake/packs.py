"""Small files lie together: what a source's give to a day is one Parquet file for six hours.

The hours are those of a file's first hit, in UTC, so that where a file's rows lie is a function of
the file alone, and what the Parquet has one of the set of files. Their rows are ordered by file,
then by line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.lake.hit_files import write_hits
from pipeline.lake.table_files import complete, read_table, write_table
from pipeline.tables import HITS, REJECTS

MOST_BYTES = 1024 * 1024
"""Of a small file's content; larger ones, and those without a hit, have Parquet of their own."""
LINES = pa.schema([("file_key", pa.string()), ("hashes", pa.list_(pa.uint32()))])
_HOURS = 6
"""One Parquet for every hour made builds twice as slow, one for a day late files dear."""
_SCHEMAS = {"hits": HITS, "rejects": REJECTS, "ledger/lines": LINES}


@dataclass(frozen=True)
class Rows:
    """Some rows of a table, in their order: of one file."""

    table: pa.Table
    start: int
    stop: int

    @classmethod
    def all_of(cls, table: pa.Table) -> "Rows":
        """A whole table's."""
        return cls(table, 0, len(table))

    @property
    def slice(self) -> pa.Table:
        """A table of them alone."""
        return self.table.slice(self.start, self.stop - self.start)


def stem_of(source: str, first_at: str) -> str:
    """The name of what small files of a source lie in; ``first_at`` is ISO 8601 in UTC."""
    return f"{source}-h{int(first_at[11:13]) // _HOURS * _HOURS:02}"


def read_pack(path: Path) -> dict[str, Rows]:
    """What a pack has of each of its files, by key."""
    table = read_table(path)
    keys = table["file_key"].combine_chunks()
    if not pa.types.is_dictionary(keys.type):
        keys = keys.dictionary_encode()
    codes = keys.indices.to_numpy()
    starts = np.flatnonzero(np.diff(codes, prepend=-1)).tolist()
    names = keys.dictionary.to_pylist()
    return {
        names[codes[start]]: Rows(table, start, stop)
        for start, stop in zip(starts, [*starts[1:], len(codes)], strict=True)
    }


def read_file(path: Path, file_key: str) -> pa.Table:
    """The rows of one raw file, in Parquet of its own or in a pack."""
    return read_table(path) if path.stem == file_key else read_pack(path)[file_key].slice


def write_pack(path: Path, folder: str, files: Mapping[str, Rows]) -> None:
    """Write what a pack of one of the tables is to have of each of its files."""
    schema = _SCHEMAS[folder]
    by_table: dict[int, list[tuple[str, Rows]]] = {}
    for key, rows in sorted(files.items()):
        by_table.setdefault(id(rows.table), []).append((key, rows))
    parts = [_take(its, schema) for its in by_table.values()]
    table = pa.concat_tables(parts)
    if len(parts) > 1:  # a file's rows are together, and in order
        table = table.unify_dictionaries().combine_chunks()
        order = pc.sort_indices(table["file_key"].cast(pa.string()))
        table = table.take(order)
    (write_hits if folder == "hits" else write_table)(path, table)


def _take(files: Sequence[tuple[str, Rows]], schema: pa.Schema) -> pa.Table:
    """The rows of some files, all of one table, each with its file's key."""
    table = complete(files[0][1].table, schema)
    counts = [rows.stop - rows.start for _, rows in files]
    places = np.concatenate([np.arange(rows.start, rows.stop) for _, rows in files])
    codes = pa.array(np.repeat(np.arange(len(files), dtype=np.int32), counts))
    keys = pa.DictionaryArray.from_arrays(codes, pa.array([key for key, _ in files]))
    columns = {field.name: table[field.name] for field in schema if field.name != "file_key"}
    taken = pa.table(columns).take(pa.array(places))
    ordered = {f.name: keys if f.name == "file_key" else taken[f.name] for f in schema}
    return pa.table(ordered).cast(schema)
