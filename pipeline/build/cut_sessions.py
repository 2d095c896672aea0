"""Sessions of some days from their hits, in bounded memory: numbers, and which hits have the texts.

DuckDB takes the visitors in as many parts as its memory asks for. A session's texts are those of
its first and last hit (``session_texts``).
"""

import logging

import duckdb

from pipeline.build.stale import SessionRules
from pipeline.lake.sql import read_model

log = logging.getLogger(__name__)

_MOST_PARTS = 256
_MORE_PARTS = 4


def cut_sessions(
    connection: duckdb.DuckDBPyConnection, rules: SessionRules, session_key: bytes, order: str
) -> None:
    """Make the table ``sessions``.

    Args:
        connection: with ``stretches``, ``hits``, ``days`` and ``robotlike``.
        rules: what cuts them.
        session_key: what their ids are made with.
        order: of the table, as SQL.

    Raises:
        duckdb.OutOfMemoryException: even one visitor of many needs more than there is.
    """
    parts = 1
    while True:
        try:
            for part in range(parts):
                timeout = {"timeout_seconds": rules.timeout_minutes * 60}
                # By themselves: what they are put together with is no longer in memory after it.
                connection.execute(
                    f"CREATE OR REPLACE TABLE cut_sessions AS {read_model('build/cut_sessions')}",
                    timeout | {"parts": parts, "part": part},
                )
                into = "INSERT INTO sessions" if part else "CREATE OR REPLACE TABLE sessions AS"
                rows = f"FROM ({read_model('sessions')}) ORDER BY {order}"
                connection.execute(f"{into} {rows}", {"session_key": session_key})
            connection.execute("DROP TABLE cut_sessions")
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
    of_part = f"visitor_id % {parts}::UBIGINT = {part}::UBIGINT"
    stretches = connection.table("stretches").filter(of_part)
    (count,) = stretches.aggregate("count(DISTINCT visitor_id)").fetchall()[0]
    return int(count)
