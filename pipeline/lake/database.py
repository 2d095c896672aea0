"""The only module that opens DuckDB connections."""

from functools import cache
from pathlib import Path

import duckdb

from pipeline.errors import LakeError
from pipeline.lake.storage import is_of_the_disk, write_reason

_FEW_ROWS = 100_000
"""Less than a row group, by which DuckDB divides: more threads cost a tenth, and save no time."""


def connect(
    *,
    threads: int | None = None,
    rows: int | None = None,
    memory_mb: int | None = None,
    spill: Path | None = None,
) -> duckdb.DuckDBPyConnection:
    """Open an in-memory database, deterministic in zone and order, without outside effects.

    Args:
        threads: worker threads; DuckDB's own choice when not given.
        rows: about how many it is asked about at once; one thread does for few.
        memory_mb: memory limit in MiB, beyond which it spills into ``spill``.
        spill: folder for temporary files.
    """
    connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    if threads or (rows is not None and rows < _FEW_ROWS):
        connection.execute(f"SET threads = {int(threads or 1)}")
    if memory_mb:
        connection.execute(f"SET memory_limit = '{int(memory_mb)}MiB'")
    if spill:
        connection.execute("SET temp_directory = $spill", {"spill": str(spill.absolute())})
    return connection


@cache
def _in_common() -> duckdb.DuckDBPyConnection:
    return connect(threads=1)


def connect_reader() -> duckdb.DuckDBPyConnection:
    """Give a thread its connection for questions about what it registers, of one thread.

    All are of one database, which is empty and stays so: opening one takes 12 ms.
    """
    connection = _in_common().cursor()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def open_views(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a lake's ``tidegauge.duckdb``, to read only.

    Raises:
        LakeError: it is missing, or no database of this DuckDB.
    """
    try:
        connection = duckdb.connect(str(path.absolute()), read_only=True)
    except duckdb.Error as error:
        if is_of_the_disk(error):
            raise
        why = f"{path}: {write_reason(error)}; `tidegauge build` makes it anew"
        raise LakeError(why) from error
    connection.execute("SET TimeZone = 'UTC'")
    return connection
