"""Sessions of some days from their hits, in bounded memory: numbers, and which hits have the texts.

DuckDB takes the visitors in as many parts as its memory asks for. A session's texts are those of
its first and last hit (``session_texts``).
"""

import logging

import duckdb

from pipeline.lake.sql import read_model

log = logging.getLogger(__name__)

_MOST_PARTS = 256
_MORE_PARTS = 4


def cut_sessions(
    connection: duckdb.DuckDBPyConnection, bound: dict[str, int | bytes], order: str
) -> None:
    """Make the table ``sessions``.

    Args:
        connection: with the model's inputs, see ``sql/sessions.sql``.
        bound: its parameters, without those of the parts.
        order: of the table, as SQL.

    Raises:
        duckdb.OutOfMemoryException: even one visitor of many needs more than there is.
    """
    parts = 1
    while True:
        try:
            for part in range(parts):
                into = "INSERT INTO sessions" if part else "CREATE OR REPLACE TABLE sessions AS"
                values = bound | {"parts": parts, "part": part}
                rows = f"FROM ({read_model('sessions')}) ORDER BY {order}"
                connection.execute(f"{into} {rows}", values)
            if parts > 1:
                connection.execute(
                    f"CREATE OR REPLACE TABLE sessions AS FROM sessions ORDER BY {order}"
                )
        except duckdb.OutOfMemoryException:
            if parts == _MOST_PARTS or _count_visitors(connection, parts, part) <= 1:
                raise
            parts *= _MORE_PARTS
            log.info("sessions need more memory than allowed: again in %d parts", parts)
        else:
            return


def _count_visitors(connection: duckdb.DuckDBPyConnection, parts: int, part: int) -> int:
    """How many visitors a part has: one cannot be taken in smaller parts."""
    hits = connection.table("numbers").filter(f"visitor_id % {parts}::UBIGINT = {part}::UBIGINT")
    (count,) = hits.aggregate("count(DISTINCT visitor_id)").fetchall()[0]
    return int(count)
