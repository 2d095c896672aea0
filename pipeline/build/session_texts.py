"""Sessions with their texts: those of the first and last hit, taken by row, in bounded memory.

Texts go through no join and no sort of DuckDB, which would hold what a hostile visitor sends.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from duckdb import ColumnExpression, ConstantExpression

from pipeline.build.sorted_runs import PIECE_ROWS, SortedRuns, cut
from pipeline.lake.day_files import HitFiles, take_rows
from pipeline.lake.sql import read_model
from pipeline.tables import TABLES

_KEPT = ("subdivision", "user_agent", "source", "as_org")
_READ = ["path", "referrer", *_KEPT[:-1], "asn", "as_org"]
_OF_FIRST = {"entry_path": "path"} | {name: name for name in ("referrer_host", *_KEPT)}


def read_sessions(  # noqa: PLR0913 what is read, from where, and how it is cut
    connection: duckdb.DuckDBPyConnection,
    days: Sequence[date],
    files: HitFiles,
    folder: Path,
    part_rows: int,
    piece_bytes: int,
) -> Iterator[pa.Table]:
    """The sessions of some days with their texts, in order, in pieces of one day and part.

    Args:
        connection: with ``sessions`` as ``make_sessions`` makes it, in a total order, by day first.
        days: in order; of days between there are none.
        files: those that the sessions' ``row_no`` point into.
        folder: for what does not fit into memory.
        part_rows: of a day in one file, or in one piece where that is less.
        piece_bytes: of texts in one piece.
    """
    bounds = map(ConstantExpression, (days[0], days[-1]))
    its = connection.table("sessions").filter(ColumnExpression("day").between(*bounds))
    ends = its.project("day, first_row, last_row, strlen(country) AS country_bytes").fetchnumpy()
    entries, exits = (SortedRuns(len(ends["day"]), folder / name) for name in ("first", "last"))
    _add_texts(connection, files, (ends["first_row"], ends["last_row"]), (entries, exits))
    sizes = entries.end() + exits.end() + ends["country_bytes"]
    cuts = list(cut(sizes, _name_parts(ends["day"], part_rows), piece_bytes))
    numbers = its.to_arrow_reader(PIECE_ROWS)
    pieces = _cut_batches(numbers, cuts), entries.read(cuts), exits.read(cuts)
    yield from map(_put_together, *pieces)  # which holds none while the next one is made


def _put_together(session: pa.Table, entry: pa.Table, leaving: pa.Table) -> pa.Table:
    columns = {name: session[name] for name in session.column_names}
    columns |= {name: entry[of] for name, of in _OF_FIRST.items()}
    columns["exit_path"] = leaving["path"]
    columns["asn"] = entry["asn"].cast(pa.string()).cast(pa.int64())
    return pa.table({name: columns[name] for name in TABLES["sessions"].names})


def _add_texts(
    connection: duckdb.DuckDBPyConnection,
    files: HitFiles,
    ends: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    runs: tuple[SortedRuns, SortedRuns],
) -> None:
    """Give each run the texts of the sessions' hits ``row_no``, of first ones and of last ones."""
    # Sessions come nearly as their hits lie: what knows stretches in order is faster.
    by_row = [np.argsort(row_no, kind="stable") for row_no in ends]
    rows = [row_no[order].astype(np.int64) for row_no, order in zip(ends, by_row, strict=True)]
    done = [0, 0]
    for first, last in take_rows(files, list(zip(rows, (_READ, ["path"]), strict=True))):
        for n, texts in enumerate((_keep_texts(connection, first), last)):
            runs[n].add(by_row[n][done[n] : done[n] + len(texts)], texts)
            done[n] += len(texts)


def _name_parts(days: npt.NDArray[Any], part_rows: int) -> npt.NDArray[np.int64]:
    """Each row's number of its day and part, rising from row to row."""
    is_first = np.diff(days, prepend=days[:1]) != np.timedelta64(0)
    firsts = np.maximum.accumulate(np.where(is_first, np.arange(len(days)), 0))
    starts = (np.arange(len(days)) - firsts) % part_rows == 0
    return np.cumsum(starts)


def _keep_texts(connection: duckdb.DuckDBPyConnection, texts: pa.Table) -> pa.Table:
    """The referrers' hosts instead of the referrers, and numbers of networks as texts."""
    referrers = texts["referrer"].chunk(0)
    connection.register("referrers", pa.table({"referrer": referrers.dictionary}))
    hosts = connection.sql(read_model("build/referrer_hosts")).select("referrer_host")
    codes = hosts.to_arrow_table()["referrer_host"].combine_chunks().dictionary_encode()
    host = pa.DictionaryArray.from_arrays(codes.indices.take(referrers.indices), codes.dictionary)
    numbers = texts["asn"].chunk(0).dictionary_encode()
    asn = pa.DictionaryArray.from_arrays(numbers.indices, numbers.dictionary.cast(pa.string()))
    kept = {name: texts[name] for name in ("path", *_KEPT)}
    return pa.table(kept | {"referrer_host": host, "asn": asn})


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
