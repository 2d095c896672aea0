"""How the standalone Airflow opens its SQLite database: so that a backfill is made whole.

Airflow makes the runs of a backfill inside savepoints, and Python's SQLite driver begins no
transaction for those: each run is seen at once. The scheduler starts with it and is in the way of
the next one ("database is locked"); then all are deleted, and the scheduler, at work on one of
them, ends with an error. Here a savepoint begins a transaction that may write, so all the runs
appear together. Knows nothing of the lake.
"""

import sqlite3
from typing import Any


class WholeCursor(sqlite3.Cursor):
    """A cursor that begins a transaction before the first savepoint."""

    def execute(self, sql: str, parameters: Any = (), /) -> "WholeCursor":
        """Execute a statement."""
        if sql.startswith("SAVEPOINT") and not self.connection.in_transaction:
            super().execute("BEGIN IMMEDIATE")
        super().execute(sql, parameters)
        return self


class WholeConnection(sqlite3.Connection):
    """A connection with such cursors."""

    def cursor(self, factory: Any = WholeCursor) -> Any:
        """Make a cursor."""
        return super().cursor(factory)


CONNECT_ARGS_ASYNC = {"timeout": 60}
"""For Airflow's setting ``sql_alchemy_connect_args_async``: the seconds that a writer waits."""
CONNECT_ARGS = {"factory": WholeConnection, **CONNECT_ARGS_ASYNC}
"""For Airflow's setting ``sql_alchemy_connect_args``."""
ENVIRONMENT = {
    f"AIRFLOW__DATABASE__SQL_ALCHEMY_{args}": f"{__name__}.{args}"
    for args in ("CONNECT_ARGS", "CONNECT_ARGS_ASYNC")
}
"""What names both to Airflow."""
