"""Sessions of some days from their hits, in bounded memory whatever their texts are.

DuckDB takes the visitors in as many parts as its memory asks for; what it gives is sorted in runs
(``sorted_runs``), since its own sort would carry the texts through.
"""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import duckdb
import pyarrow as pa

from pipeline.build.sorted_runs import SortedRuns
from pipeline.lake.sql import read_model

log = logging.getLogger(__name__)

KEYS = (("session_id", pa.uint64()), ("started_at", pa.int64()), ("day", pa.int32()))
"""The order of the sessions, the first key last."""
NARROW = ("day", "country", "visitor_id", "started_at")
"""The columns of sessions that other models read."""
_MOST_PARTS = 256
_MORE_PARTS = 4
_READ_ROWS = 2048
_OUT_OF_MEMORY = (duckdb.OutOfMemoryException, pa.ArrowException, OSError)
"""What a stream of rows ends with; the latter two with DuckDB's text."""


class Sink(Protocol):
    """Takes sessions as they are found, in no order."""

    def add(self, rows: pa.Table, /) -> None:
        """Take some."""


S = TypeVar("S", bound=Sink)


class Narrow:
    """Keeps the columns that other models read, as the table ``sessions``."""

    def __init__(self) -> None:
        """Begin without rows."""
        self._parts: list[pa.Table] = []

    def add(self, rows: pa.Table, /) -> None:
        """Keep some rows' columns."""
        kept = rows.select([name for name in NARROW if name in rows.column_names])
        kept = kept.take(
            pa.array(range(len(kept)), pa.int64())
        )  # a part would keep the whole alive
        at = kept.column_names.index("country")
        self._parts.append(kept.set_column(at, "country", kept["country"].dictionary_encode()))

    def show(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the table known to a connection."""
        connection.register("sessions", pa.concat_tables(self._parts).unify_dictionaries())


class Whole(Narrow):
    """Keeps the columns for other models, and the whole rows in order."""

    def __init__(self, folder: Path) -> None:
        """Begin without rows; ``folder`` is for those that don't fit into memory."""
        super().__init__()
        self._runs = SortedRuns(KEYS, folder)

    def add(self, rows: pa.Table, /) -> None:
        """Keep some rows."""
        super().add(rows)
        self._runs.add(rows)

    def read(self) -> Iterator[pa.Table]:
        """Every row in order, in pieces of one day."""
        return self._runs.read()


def cut_sessions(
    connection: duckdb.DuckDBPyConnection,
    columns: str,
    bound: dict[str, int | bytes],
    begin: Callable[[], S],
) -> S:
    """Run the sessions model; returns what ``begin`` made, filled.

    Args:
        connection: with the model's inputs, see ``sql/sessions.sql``.
        columns: of the sessions, as SQL; with ``day`` and ``country``.
        bound: its parameters, without those of the parts.
        begin: makes an empty sink, anew for each try with more parts.

    Raises:
        duckdb.OutOfMemoryException: even one visitor of many needs more than there is.
    """
    statement = f"FROM ({read_model('sessions')}) SELECT {columns}"
    parts = 1
    while True:
        sink = begin()
        try:
            for part in range(parts):
                rows = connection.execute(statement, bound | {"parts": parts, "part": part})
                reader = rows.to_arrow_reader(_READ_ROWS)
                sink.add(reader.schema.empty_table())
                for batch in reader:
                    sink.add(pa.Table.from_batches([batch]))
        except _OUT_OF_MEMORY as error:
            if "Out of Memory" not in str(error):
                raise
            if parts == _MOST_PARTS or _count_visitors(connection, parts, part) <= 1:
                raise duckdb.OutOfMemoryException(str(error)) from error
            parts *= _MORE_PARTS
            log.info("sessions need more memory than allowed: again in %d parts", parts)
        else:
            return sink


def _count_visitors(connection: duckdb.DuckDBPyConnection, parts: int, part: int) -> int:
    """How many visitors a part has: one cannot be taken in smaller parts."""
    hits = connection.view("hits").filter(f"visitor_id % {parts}::UBIGINT = {part}::UBIGINT")
    (count,) = hits.aggregate("count(DISTINCT visitor_id)").fetchall()[0]
    return int(count)
