"""Sessions with their texts: those of the first and last hit, taken by row, in bounded memory.

Texts go through no join and no sort of DuckDB, which would hold what a hostile visitor sends.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.build.sorted_runs import PIECE_ROWS, SortedRuns, cut
from pipeline.lake.day_files import take_rows
from pipeline.lake.sql import read_model
from pipeline.tables import TABLES

_KEPT = ("subdivision", "user_agent", "source", "as_org")
_READ = ["path", "referrer", *_KEPT[:-1], "asn", "as_org"]
_OF_FIRST = {"entry_path": "path"} | {name: name for name in ("referrer_host", *_KEPT)}


def read_sessions(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[Path],
    folder: Path,
    part_rows: int,
    piece_bytes: int,
) -> Iterator[pa.Table]:
    """Every row of the table ``sessions`` with its texts, in order, in pieces of one day and part.

    Args:
        connection: with ``sessions`` as ``cut_sessions`` makes it, in a total order, by day first.
        files: those that the sessions' ``row_no`` point into.
        folder: for what does not fit into memory.
        part_rows: of a day in one file, or in one piece where that is less.
        piece_bytes: of texts in one piece.
    """
    ends = connection.execute(
        "FROM sessions SELECT day, first_row, last_row, strlen(country) AS country_bytes"
    ).fetchnumpy()
    # A session's first hit has place 2n, its last one 2n + 1.
    rows = np.column_stack([ends["first_row"], ends["last_row"]]).ravel()
    by_row = np.argsort(rows)
    runs = SortedRuns(len(rows), folder)
    for some, texts in take_rows(files, rows[by_row], _READ):
        places = by_row[some]
        runs.add(places, _keep_texts(connection, texts, places % 2 == 1))
    sizes = runs.end().reshape(-1, 2).sum(axis=1) + ends["country_bytes"]
    bounds = list(cut(sizes, _name_parts(ends["day"], part_rows), piece_bytes))
    numbers = connection.execute("FROM sessions").to_arrow_reader(PIECE_ROWS)
    pieces = runs.read((2 * bound for bound in bounds), of_each=2)
    for session, (entry, leaving) in zip(_cut_batches(numbers, bounds), pieces, strict=True):
        columns = {name: session[name] for name in session.column_names}
        columns |= {name: entry[of] for name, of in _OF_FIRST.items()}
        columns["exit_path"] = leaving["path"]
        columns["asn"] = entry["asn"].cast(pa.int64())
        yield pa.table({name: columns[name] for name in TABLES["sessions"].names})


def _name_parts(days: npt.NDArray[Any], part_rows: int) -> npt.NDArray[np.int64]:
    """Each row's number of its day and part, rising from row to row."""
    is_first = np.diff(days, prepend=days[:1]) != np.timedelta64(0)
    firsts = np.maximum.accumulate(np.where(is_first, np.arange(len(days)), 0))
    starts = (np.arange(len(days)) - firsts) % part_rows == 0
    return np.cumsum(starts)


def _keep_texts(
    connection: duckdb.DuckDBPyConnection, texts: pa.Table, is_last: npt.NDArray[np.bool_]
) -> pa.Table:
    """Of a last hit only the path; of a first one its referrer's host instead of the referrer."""
    referrers = texts["referrer"].chunk(0)
    connection.register("referrers", pa.table({"referrer": referrers.dictionary}))
    hosts = connection.execute(read_model("build/referrer_hosts")).to_arrow_table()
    host = hosts["referrer_host"].take(referrers.indices).combine_chunks().dictionary_encode()
    kept = {name: texts[name].chunk(0) for name in _KEPT}
    numbers = texts["asn"].chunk(0).dictionary_encode()
    kept["asn"] = pa.DictionaryArray.from_arrays(
        numbers.indices, numbers.dictionary.cast(pa.string())
    )
    is_first = pa.array(~is_last)
    return pa.table(
        {"path": texts["path"]}
        | {
            name: pa.DictionaryArray.from_arrays(
                pc.if_else(is_first, column.indices, None), column.dictionary
            )
            for name, column in (kept | {"referrer_host": host}).items()
        }
    )


def _cut_batches(batches: Iterable[pa.RecordBatch], bounds: list[int]) -> Iterator[pa.Table]:
    """Rows that come in batches, cut at ``bounds``, each piece in one chunk."""
    held: list[pa.Table] = []
    rest = iter(batches)
    for first, end in pairwise(bounds):
        while sum(map(len, held)) < end - first:
            held.append(pa.Table.from_batches([next(rest)]))
        table = pa.concat_tables(held)
        held = [table.slice(end - first)]
        yield table.slice(0, end - first).combine_chunks()
